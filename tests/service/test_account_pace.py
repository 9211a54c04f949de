"""One pace for all that is asked of an account: looks, lists, cancels, an operator's and a watcher's questions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from service.simulator import SimulatorSettings
from tests.service.asking import created, record, told
from tests.service.elsewhere import turning
from tests.world import ADMIN, World, world

pytestmark = pytest.mark.anyio
DASHSCOPE = "dashscope"


class Meter:
    """When the account was asked, and the 429s among the answers; `answer` may answer in the simulator's place."""

    def __init__(self, it: World) -> None:
        self.asked: list[int] = []
        self.refused = 0
        self.answer: httpx.Response | None = None
        self._it = it

    async def see(self, request: httpx.Request) -> httpx.Response:
        if "/tasks" in request.url.path:
            self.asked.append(self._it.clock.now)
            if self.answer is not None:
                return httpx.Response(self.answer.status_code, headers=self.answer.headers, content=b"{}")
        reply = await httpx.ASGITransport(self._it.simulator).handle_async_request(request)
        self.refused += reply.status_code == 429
        return reply

    @property
    def most_in_a_second(self) -> int:
        return max(sum(start <= at < start + 1000 for at in self.asked) for start in self.asked)


@asynccontextmanager
async def metered(folder: Path) -> AsyncIterator[tuple[World, Meter]]:
    async with world(folder, simulator=SimulatorSettings(limits=True)) as it:
        meter = Meter(it)
        it.between = meter.see
        turning(it)
        yield it, meter


async def test_looks_lists_cancels_and_questions_stay_within_the_account_s_limit_together(tmp_path: Path) -> None:
    async with metered(tmp_path) as (it, meter):
        tasks = [await created(it, f"queue=30 seconds={each % 20 + 35}", provider=DASHSCOPE) for each in range(60)]
        await it.settle(20)
        for task_id in tasks[:30]:
            assert (await it.client.post(f"/v1/tasks/{task_id}/cancel")).json()["canceled"]
        for task_id in tasks[:5]:
            upstream_id = (await record(it, task_id))["placements"][0]["upstream_id"]
            await it.client.post(
                "/v1/watch", json={"provider": DASHSCOPE, "task_id": upstream_id}, headers=it.as_key(ADMIN)
            )
        await it.settle(60)
        assert {(await record(it, task_id))["state"] for task_id in tasks[30:]} == {"SUCCEEDED"}
        assert (meter.most_in_a_second <= 20, meter.refused) == (True, 0)


async def test_too_many_queries_slow_the_account_and_no_task(tmp_path: Path) -> None:
    async with metered(tmp_path) as (it, meter):
        task_id = await created(it, "seconds=6", provider=DASHSCOPE)
        meter.answer = httpx.Response(429)
        await it.settle(30)
        placement = (await record(it, task_id))["placements"][0]
        assert (placement["misses"], placement["looks"]) == (0, 0), "the task was not looked at, so it is not late"
        assert 2 <= len(meter.asked) <= 6, "ever more rarely"
        meter.answer = None
        await it.settle(33)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert len(told(it)) == 1


async def test_a_busy_account_s_wish_to_wait_is_kept_by_lists_and_cancels_too(tmp_path: Path) -> None:
    async with metered(tmp_path) as (it, meter):
        tasks = [await created(it, "queue=300", provider=DASHSCOPE) for _ in range(4)]
        await it.settle(10)
        meter.answer = httpx.Response(429, headers={"retry-after": "40"})
        await it.settle(2)
        before = len(meter.asked)
        answer = (await it.client.post(f"/v1/tasks/{tasks[0]}/cancel")).json()
        assert (answer["canceled"], "as often as it allows" in answer["message"]) == (False, True)
        await it.settle(36)
        assert len(meter.asked) == before
        meter.answer = None
        await it.settle(10)
        assert len(meter.asked) > before
        assert (await it.client.post(f"/v1/tasks/{tasks[0]}/cancel")).json()["canceled"]
