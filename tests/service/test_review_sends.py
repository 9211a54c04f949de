"""Joints between sending, fail-over, budgets and what an operator decides."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.domain.allowances import UNLIMITED, Allowance, read_budget
from tests.service.asking import body_of, created, id_of, record, told
from tests.service.lost import unlisted
from tests.service.prices import priced
from tests.world import ADMIN, World, accounts, world

pytestmark = pytest.mark.anyio
CONTENT = httpx.Response(400, json={"code": "DataInspectionFailed", "message": "m", "request_id": "r"})


def is_create(request: httpx.Request) -> bool:
    return request.method == "POST" and request.url.path.endswith(("/videos", "/video-synthesis"))


async def send_again(it: World, task_id: str) -> None:
    response = await it.client.post(f"/v1/tasks/{task_id}/send-again", json={"confirm": True}, headers=it.as_key(ADMIN))
    assert response.status_code == 202, response.text


async def test_a_no_to_a_second_send_ends_nothing_that_the_first_one_has_begun(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.between = unlisted
        task_id = await created(it, "create=lost times=1 seconds=60", provider="apiyi")
        [first] = it.upstreams.creates

        async def between(request: httpx.Request) -> httpx.Response | None:
            if not is_create(request):
                return None
            adopted = await it.client.post(
                f"/v1/tasks/{task_id}/adopt", json={"upstream_id": first.task_id}, headers=it.as_key(ADMIN)
            )
            assert adopted.status_code == 200, adopted.text
            return CONTENT

        it.between = between
        it.clock.turn(1)
        await send_again(it, task_id)
        await it.tick()
        assert (await record(it, task_id))["state"] in ("QUEUED", "RUNNING")
        assert told(it) == []
        it.between = None
        await it.settle(120, 5)
        task = await record(it, task_id)
        assert (task["state"], [one["verdict"] for one in task["placements"]]) == ("SUCCEEDED", ["ended", "refused"])
        assert len(told(it)) == 1


async def test_a_no_that_comes_late_ends_nothing_that_a_later_send_has_begun(tmp_path: Path) -> None:
    """A machine that slept: its clock went on, the timer of the create did not."""
    async with world(tmp_path) as it:
        arrived, go_on = asyncio.Event(), asyncio.Event()

        async def between(request: httpx.Request) -> httpx.Response | None:
            if not is_create(request) or arrived.is_set():
                return None
            arrived.set()
            await go_on.wait()
            return CONTENT

        it.between = between
        asking = asyncio.create_task(created(it, "seconds=60", provider="apiyi"))
        await arrived.wait()
        it.ringback.submitter.hurry()
        task_id = await asking
        await it.settle(200, 20)
        assert (await record(it, task_id))["state"] == "IN_DOUBT"
        await send_again(it, task_id)
        await it.tick()
        assert (await record(it, task_id))["state"] == "QUEUED"
        sends = list(it.ringback.submitter._sends.values())
        go_on.set()
        await asyncio.gather(*sends)
        assert (await record(it, task_id))["state"] == "QUEUED"
        await it.settle(120, 5)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert len(told(it)) == 1


async def test_who_spent_the_money_in_the_meantime_does_not_fail_what_was_promised(tmp_path: Path) -> None:
    """AceData is busy, and the money for LaoZhang was just spent: the task waits for AceData, which it can pay."""
    async with world(tmp_path, catalogue=priced(), providers=["acedata", "laozhang"]) as it:
        await it.ringback.store.allowances.keep(Allowance("env:first", budgets=(read_budget("1.4 USD"),)))

        async def before_it_was_spent(*args: Any, **how: Any) -> Any:
            return UNLIMITED

        it.ringback.store.allowances.standing = before_it_was_spent  # type: ignore[method-assign]
        body = body_of("flat", "a cat [sim:create=429 times=1]") | {"size": "1920*1080", "duration": 5}
        reply = await it.client.post("/wan/videos", json=body)
        assert reply.status_code == 200, reply.text
        await it.settle(120)
        task = await record(it, id_of(reply))
        assert (task["state"], task["provider"]) == ("SUCCEEDED", "acedata")


async def test_a_day_in_line_is_no_day_of_refusals(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=accounts(["apiyi"], active=1)) as it:
        first = await created(it, "seconds=20", provider="apiyi")
        second = await created(it, "create=429 times=1 seconds=20", provider="apiyi")
        assert (await record(it, second))["state"] == "ACCEPTED"
        it.clock.turn(25 * 3600)
        await it.settle(60, 2)
        assert (await record(it, first))["state"] in ("SUCCEEDED", "EXPIRED")
        assert (await record(it, second))["state"] == "SUCCEEDED"
