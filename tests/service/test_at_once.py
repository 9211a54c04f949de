"""A message goes out as soon as it is on disk, past the line, if its receiver is well and has nothing else to come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.messages import Report, State
from service import worker as worker_module
from service.domain.deliveries import DeliveryState
from service.domain.tasks import TaskState
from service.store.lanes import LaneVerbs
from service.store.lookups import NEWEST
from service.telling import windows
from tests.service.nouns import a_placement, a_subscription, a_task
from tests.world import World, serve, world

pytestmark = pytest.mark.anyio


@dataclass
class Desk:
    """A deliverer at work, and a receiver: `came` are the paths that were asked for. Those of `/slow` wait."""

    it: World
    url: str = ""
    came: list[str] = field(default_factory=list)
    freed: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self, request: Request) -> Response:
        self.came.append(request.url.path)
        if request.url.path.startswith("/slow"):
            await self.freed.wait()
        return Response(status_code=204)

    async def tell(self, path: str, client: str = "env:first", endpoint: str | None = None) -> None:
        task = a_task(state=TaskState.QUEUED, client=client)
        subscription = a_subscription(task, url=f"{self.url}{path}", endpoint=endpoint)
        await self.it.ringback.store.tasks.accept(task, a_placement(task), [subscription])
        report = Report("up", State.SUCCEEDED, video_url="https://video.example.com/1.mp4")
        assert await self.it.ringback.receiver.report(task, report, "look") is not None

    async def states(self) -> list[DeliveryState]:
        return [one.state for one in await self.it.ringback.store.deliveries.recent(None, "", "", NEWEST, 99)]

    async def in_line(self) -> list[str]:
        """The clients whose messages wait and are not on their way."""
        found = await self.it.ringback.store.deliveries.recent(None, "", "", NEWEST, 99)
        return [one.client for one in found if one.due_at is not None and one.claimed_at is None]

    async def all_delivered(self) -> None:
        while set(await self.states()) != {DeliveryState.DELIVERED}:
            await asyncio.sleep(0)


@asynccontextmanager
async def desk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    """Its receiver is known to be well, and its queue looks only when it is woken."""
    monkeypatch.setattr(worker_module, "IDLE_MS", 3_600_000)
    async with world(folder) as it, asyncio.timeout(20):
        one = Desk(it)
        worker = it.ringback.workers["deliver"]
        loop = asyncio.create_task(worker.run())
        try:
            async with serve(Starlette(routes=[Route("/{path:path}", one.receive, methods=["POST"])])) as one.url:
                await one.tell("/first")
                await one.all_delivered()
                yield one
        finally:
            one.freed.set()
            worker.stop()
            await loop


@dataclass
class Claims:
    """How often the queue was asked what is ready."""

    monkeypatch: pytest.MonkeyPatch
    asked: int = 0

    def __post_init__(self) -> None:
        ready = LaneVerbs.ready

        async def counted(verbs: LaneVerbs, *given: Any, **named: Any) -> Any:
            self.asked += 1
            return await ready(verbs, *given, **named)

        self.monkeypatch.setattr(LaneVerbs, "ready", counted)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0)


async def test_it_goes_out_without_a_look_at_the_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk(tmp_path, monkeypatch) as it:
        claims = Claims(monkeypatch)
        for number in range(5):
            await it.tell(f"/{number}")
            await it.all_delivered()
        assert it.came == ["/first", "/0", "/1", "/2", "/3", "/4"]
        assert claims.asked <= 1  # when the first one had ended


async def test_those_behind_one_that_is_on_its_way_stand_in_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(tmp_path, monkeypatch) as it:
        await it.tell("/slow")
        await until(lambda: "/slow" in it.came)
        claims = Claims(monkeypatch)
        for number in range(5):
            await it.tell(f"/{number}")
        await until(lambda: len(it.came) > 2)  # a lane that is well has more than one attempt
        assert claims.asked > 0
        it.freed.set()
        await it.all_delivered()
        assert len(it.came) == len(set(it.came)) == 7


async def test_one_for_a_host_that_is_full_waits_in_line_and_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(tmp_path, monkeypatch) as it:
        queue: Any = it.it.ringback.workers["deliver"]._work
        queue._windows._hosts._most = 1
        await it.tell("/first", client="env:second")  # another lane of that host
        await it.all_delivered()
        await it.tell("/slow")
        await until(lambda: "/slow" in it.came)
        await it.tell("/late", client="env:second")
        while await it.in_line() != ["env:second"]:
            await asyncio.sleep(0)
        assert "/late" not in it.came
        it.freed.set()  # nobody wakes the deliverer but the end of that attempt
        await it.all_delivered()
        assert it.came == ["/first", "/first", "/slow", "/late"]


async def test_one_for_whom_no_slot_is_left_waits_in_line_and_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(tmp_path, monkeypatch) as it:
        queue: Any = it.it.ringback.workers["deliver"]._work
        await it.tell("/first", client="env:second")
        await it.all_delivered()
        queue._windows._slots = it.it.ringback.workers["deliver"]._slots = 1
        monkeypatch.setattr(it.it.ringback, "_lease", lambda: it.it.clock() + 60_000)
        it.it.ringback.receiver._lease = it.it.ringback._lease  # two that were asked for at the same moment
        await it.tell("/slow")
        await until(lambda: "/slow" in it.came)
        await it.tell("/late", client="env:second")
        while await it.in_line() != ["env:second"]:
            await asyncio.sleep(0)
        assert "/late" not in it.came
        it.freed.set()
        await it.all_delivered()
        assert it.came == ["/first", "/first", "/slow", "/late"]


async def test_an_endpoint_has_no_more_of_them_than_it_wants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk(tmp_path, monkeypatch) as it:
        made = await it.it.client.post("/v1/endpoints", json={"url": f"{it.url}/end", "rate_per_second": 1})
        assert made.status_code == 201, made.text
        await it.tell("/end", endpoint=made.json()["id"])
        await it.all_delivered()
        await it.tell("/end", endpoint=made.json()["id"])
        while len(await it.in_line()) != 1:
            await asyncio.sleep(0)
        assert it.came == ["/first", "/end"]
        it.it.clock.turn(1)
        it.it.ringback.workers["deliver"].wake()
        await it.all_delivered()
        assert it.came == ["/first", "/end", "/end"]


async def test_while_the_deliverer_does_not_run_everything_stands_in_line(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        one = Desk(it, it.inbox.url)
        await one.tell("/hook")
        assert await it.ringback.workers["deliver"].tick() == 1
        await one.tell("/hook")
        lanes, _ = await it.ringback.store.lanes.ready(it.clock(), dict.fromkeys(windows.Standing, 9))
        assert len(lanes) == 1
        assert await it.ringback.workers["deliver"].tick() == 1
