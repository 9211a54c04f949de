"""How long a client and a stop may be kept waiting, all told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from service import app
from service.domain.tasks import Task
from tests.service.asking import created, record
from tests.world import world

pytestmark = pytest.mark.anyio
HELD = {"action": "text2video", "model": "wan2.6-t2v", "prompt": "a cat [sim:seconds=500]"}


@pytest.mark.parametrize(("timeout", "left"), [(60, 53.0), (5, 0.0)])
async def test_the_time_that_a_client_gives_begins_with_its_request(tmp_path: Path, timeout: int, left: float) -> None:
    async with world(tmp_path) as it:

        async def slowly(request: httpx.Request) -> httpx.Response | None:
            it.clock.turn(7)
            return None

        asked: list[float] = []

        async def wait(task: Task, seconds: float, read: Callable[[], Awaitable[Task | None]]) -> Task:
            asked.append(seconds)
            return task

        it.between, it.ringback.waiting.wait = slowly, wait  # type: ignore[method-assign]
        assert (await it.client.post("/wan/videos", json=HELD | {"timeout": timeout})).json()["task_id"]
        assert asked == [left]


async def test_an_unknown_task_of_dashscope_has_a_request_id(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        body = (await it.client.get("/api/v1/tasks/nothing")).json()
        assert body.pop("request_id")
        assert body == {"output": {"task_id": "nothing", "task_status": "UNKNOWN"}}


async def test_a_stop_waits_for_the_answer_to_a_create(tmp_path: Path) -> None:
    async with world(tmp_path, submit_wait_seconds=0.0) as it:
        answer = asyncio.Event()
        it.between = _after(answer)
        task_id = await created(it)
        async with it.ringback.running():
            it.ringback.hurry()
            asyncio.get_running_loop().call_later(0.1, answer.set)
        await it.start()
        assert (await record(it, task_id))["placements"][0]["verdict"] == "accepted"


async def test_the_time_of_a_stop_begins_with_its_announcement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the requests in hand took of it is no longer there."""
    async with world(tmp_path, submit_wait_seconds=0.0) as it:
        it.between = _after(asyncio.Event())
        task_id = await created(it)
        async with asyncio.timeout(5), it.ringback.running():
            monkeypatch.setattr(app, "STOP_SECONDS", 0.1)
            it.ringback.hurry()
            monkeypatch.setattr(app, "STOP_SECONDS", 3600)
        await it.start()
        await it.tick()
        assert (await record(it, task_id))["state"] == "IN_DOUBT"


def _after(event: asyncio.Event) -> Callable[[httpx.Request], Awaitable[httpx.Response | None]]:
    async def between(request: httpx.Request) -> httpx.Response | None:
        await event.wait()
        return None

    return between
