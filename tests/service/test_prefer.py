"""Reads that prefer to wait for the end of a task (RFC 7240), in every shape."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from service.domain.tasks import Task
from service.routes.holding import wait_asked
from tests.service.asking import created
from tests.world import OTHER_KEY, World, world

pytestmark = pytest.mark.anyio
WAIT = {"prefer": "wait=30"}
Read = Callable[[World, str, dict[str, str]], Coroutine[Any, Any, httpx.Response]]


async def record(it: World, task_id: str, headers: dict[str, str]) -> httpx.Response:
    return await it.client.get(f"/v1/tasks/{task_id}/record", headers=headers)


async def native(it: World, task_id: str, headers: dict[str, str]) -> httpx.Response:
    return await it.client.get(f"/api/v1/tasks/{task_id}", headers=headers)


async def gateway(it: World, task_id: str, headers: dict[str, str]) -> httpx.Response:
    return await it.client.get(f"/v1/tasks/{task_id}", headers=headers)


async def flat(it: World, task_id: str, headers: dict[str, str]) -> httpx.Response:
    return await it.client.post("/wan/tasks", json={"id": task_id, "action": "retrieve"}, headers=headers)


READS: list[Read] = [record, native, gateway, flat]


async def waiting(it: World, read: Coroutine[Any, Any, httpx.Response]) -> asyncio.Task[httpx.Response]:
    """A read that is held by now."""
    asking = asyncio.create_task(read)
    while not it.ringback.waiting._waiting:
        await asyncio.sleep(0)
    return asking


@pytest.mark.parametrize("read", READS)
async def test_a_read_is_held_until_the_task_ends(tmp_path: Path, read: Read) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, url="")
        held = await waiting(it, read(it, task_id, WAIT))
        assert not held.done()
        await it.settle(60)
        reply = await held
        assert reply.headers["preference-applied"] == "wait=30"
        assert reply.content == (await read(it, task_id, {})).content
        assert "preference-applied" not in (await read(it, task_id, {})).headers
        assert (await read(it, task_id, WAIT)).headers["preference-applied"] == "wait=30"  # it has ended: at once


async def test_after_its_time_a_read_tells_how_the_task_is(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, url="")
        asked: list[float] = []

        async def wait(task: Task, seconds: float, read: Callable[[], Awaitable[Task | None]]) -> Task:
            asked.append(seconds)
            return task

        it.ringback.waiting.wait = wait  # type: ignore[method-assign]
        for wish, seconds in (("wait=7", 7), ("wait=3600", 60), ("wait=0", 0)):
            reply = await record(it, task_id, {"prefer": wish})
            assert reply.json()["state"] != "SUCCEEDED"
            assert reply.headers["preference-applied"] == f"wait={seconds}"
        assert asked == [7, 60, 0]


async def test_who_may_not_see_the_task_or_has_too_many_waiting_is_answered_at_once(tmp_path: Path) -> None:
    async with world(tmp_path, hold_per_key=1) as it:
        task_id = await created(it, url="")
        assert (await record(it, task_id, WAIT | it.as_key(OTHER_KEY))).status_code == 404
        unknown = await native(it, "nothing", WAIT)
        assert unknown.json()["output"]["task_status"] == "UNKNOWN"
        assert "preference-applied" not in unknown.headers
        held = await waiting(it, record(it, task_id, WAIT))
        reply = await gateway(it, task_id, WAIT)
        assert reply.json()["status"] in ("submitted", "in_progress")
        assert "preference-applied" not in reply.headers
        it.ringback.waiting.close()
        assert (await held).json()["state"] != "SUCCEEDED"


async def test_a_page_of_events_waits_for_the_first_one(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        asking = asyncio.create_task(it.client.get("/v1/events?types=task.succeeded", headers=WAIT))
        task_id = await created(it, url="")
        while not it.ringback.streams._open:
            await asyncio.sleep(0)
        await it.settle(60)
        reply = await asking
        [told] = reply.json()["events"]
        assert told["event"]["data"]["task_id"] == task_id
        assert reply.headers["preference-applied"] == "wait=30"
        after = reply.json()["after"]
        assert (await it.client.get(f"/v1/events?after={after}", headers={"prefer": "wait=0"})).json() == {
            "events": [],
            "after": after,
            "gap": False,
        }
        assert not it.ringback.streams._open


async def test_pages_of_events_follow_each_other(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        for _ in range(5):
            await created(it, url="")
        await it.settle(60)
        seen: list[int] = []
        page: dict[str, Any] = {"after": 0, "events": [None]}
        while page["events"]:
            path = f"/v1/events?limit=2&types=task.succeeded&after={page['after']}"
            page = (await it.client.get(path)).json()
            seen += [each["id"] for each in page["events"]]
        assert len(seen) == 5
        assert seen == sorted(seen)
        assert page["after"] == await it.ringback.store.event_log.head()
        others = await it.client.get("/v1/events", headers=it.as_key(OTHER_KEY))
        assert others.json()["events"] == []
        event = await it.client.get(f"/v1/events/{seen[0]}", headers=it.as_key(OTHER_KEY))
        assert event.status_code == 404


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (["wait=10"], 10),
        (['Wait="10"'], 10),
        (["respond-async, wait = 10; x=y"], 10),
        (["return=minimal", "wait=61"], 60),
        (["wait=5, wait=6"], 5),
        (["wait"], None),
        (["wait=-1"], None),
        (["wait=soon"], None),
        (["await=10"], None),
        ([], None),
    ],
)
def test_a_preference_is_read_as_its_standard_says(given: list[str], seconds: int | None) -> None:
    headers = [(b"prefer", value.encode()) for value in given]
    assert wait_asked(Request({"type": "http", "headers": headers})) == seconds
