"""A receiver that is slow keeps nobody else waiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.domain.deliveries import DeliveryState
from service.domain.tasks import OUTCOME_UNKNOWN as UNKNOWN
from service.domain.tasks import TaskState, Verdict, fail
from service.store.lookups import NEWEST
from service.worker import Worker
from tests.service.nouns import a_message, a_placement, a_subscription, a_task
from tests.world import World, serve, world

pytestmark = pytest.mark.anyio


async def to_tell(it: World, url: str) -> None:
    """A task that ended, with one message for this URL that is due."""
    task = a_task(state=TaskState.IN_DOUBT)
    await it.ringback.store.tasks.accept(task, a_placement(task), [a_subscription(task, url=url)])
    ended = fail(task, UNKNOWN, it.clock(), "doubt")
    await it.ringback.store.tasks.record(ended, Verdict.UNPROVEN, lambda each: a_message(task, each, due_at=it.clock()))


class Stuck:
    """A receiver that answers nobody until it is freed."""

    def __init__(self) -> None:
        self.open = self.most = 0
        self.freed = asyncio.Event()

    async def receive(self, request: Request) -> Response:
        self.open += 1
        self.most = max(self.most, self.open)
        await self.freed.wait()
        self.open -= 1
        return Response(status_code=204)


@dataclass
class Lanes:
    it: World
    stuck: Stuck
    url: str
    worker: Worker[Any]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0)


@asynccontextmanager
async def lanes(folder: Path, waiting: int) -> AsyncIterator[Lanes]:
    """The deliverer at work, with many messages due for a receiver that is stuck."""
    stuck = Stuck()
    app = Starlette(routes=[Route("/{path:path}", stuck.receive, methods=["POST"])])
    async with world(folder) as it, serve(app) as url:
        for number in range(waiting):
            await to_tell(it, f"{url}/hook?task={number}")
        worker = it.ringback.workers["deliver"]
        loop = asyncio.create_task(worker.run())
        try:
            yield Lanes(it, stuck, url, worker)
        finally:
            stuck.freed.set()
            worker.stop()
            await loop


async def test_a_receiver_that_never_answers_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    async with lanes(tmp_path, 150) as at:
        await at.until(lambda: at.stuck.open > 0)
        await to_tell(at.it, f"{at.it.inbox.url}/hook")
        at.worker.wake()
        await at.until(lambda: bool(at.it.inbox.received))
        assert at.stuck.open > 0  # it is stuck still


async def test_a_receiver_that_comes_round_gets_all_that_waited(tmp_path: Path) -> None:
    async with lanes(tmp_path, 150) as at:
        await at.until(lambda: at.stuck.open > 0)
        at.stuck.freed.set()
        store = at.it.ringback.store.deliveries
        async with asyncio.timeout(20):
            while await store.recent(None, "", DeliveryState.PENDING, NEWEST, 1):
                await asyncio.sleep(0)


async def test_a_queue_of_which_all_is_held_back_does_not_spin(tmp_path: Path) -> None:
    async with lanes(tmp_path, 80) as at:
        await at.until(lambda: at.stuck.open > 0)
        claims, claim = 0, at.worker._work.claim

        async def counted(room: int) -> Sequence[Any]:
            nonlocal claims
            claims += 1
            return await claim(room)

        at.worker._work.claim = counted  # type: ignore[method-assign]
        for _ in range(2000):
            await asyncio.sleep(0)
        assert claims < 30
