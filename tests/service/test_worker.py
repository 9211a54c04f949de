"""The claim loop that every queue shares."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from service import worker as module
from service.worker import Worker

pytestmark = pytest.mark.anyio


class Items:
    """A queue of numbers; negative ones cannot be handled. `gate` holds the `slow` ones (None: all) until it opens."""

    def __init__(self, count: int = 0) -> None:
        self.waiting = list(range(count))
        self.handled: list[int] = []
        self.active = self.most = 0
        self.slow: set[int] | None = None
        self.quiet: set[int] = set()
        self.looks = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.trouble: list[Exception] = []
        self.done = asyncio.Event()

    async def claim(self, room: int) -> Sequence[int]:
        self.looks += 1
        if self.trouble:
            raise self.trouble.pop()
        claimed, self.waiting = self.waiting[:room], self.waiting[room:]
        return claimed

    async def handle(self, item: int) -> bool:
        self.active += 1
        self.most = max(self.most, self.active)
        try:
            await settled()
            if self.slow is None or item in self.slow:
                await self.gate.wait()
            if item < 0:
                raise ZeroDivisionError
            self.handled.append(item)
            return item in self.quiet
        finally:
            self.active -= 1
            if not self.waiting and not self.active:
                self.done.set()

    async def next_due(self) -> int | None:
        return None


class Time:
    now = 0

    def __call__(self) -> int:
        return self.now


@asynccontextmanager
async def running(worker: Worker[int]) -> AsyncIterator[asyncio.Task[None]]:
    loop = asyncio.create_task(worker.run())
    async with asyncio.timeout(5):
        try:
            yield loop
        finally:
            worker.stop()
            with suppress(asyncio.CancelledError):
                await loop


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """The test's own deadline ends it if that never comes."""
    while not condition():
        await asyncio.sleep(0)


async def test_everything_that_is_due_is_handled_with_bounded_slots() -> None:
    items = Items(50)
    async with running(Worker("test", items, Time(), slots=4)):
        await items.done.wait()
    assert sorted(items.handled) == list(range(50))
    assert items.most == 4


async def test_a_slow_item_leaves_the_other_slots_to_the_rest() -> None:
    items = Items(30)
    items.slow = {0}
    items.gate.clear()
    async with running(Worker("test", items, Time(), slots=2)):
        await until(lambda: len(items.handled) == 29)
        assert items.active == 1
        items.gate.set()
        await items.done.wait()
    assert sorted(items.handled) == list(range(30))


async def test_a_sleeping_queue_is_woken() -> None:
    items = Items()
    worker = Worker("test", items, Time())
    async with running(worker):
        await settled()
        items.waiting = [7]
        worker.wake()
        await items.done.wait()
    assert items.handled == [7]


async def test_a_queue_wakes_by_itself_when_something_is_due() -> None:
    class Later(Items):
        async def next_due(self) -> int | None:
            self.waiting = [1]
            return 20  # milliseconds from now

    items = Later()
    async with running(Worker("test", items, Time())):
        await until(lambda: 1 in items.handled)


async def test_a_handler_that_breaks_harms_neither_its_neighbours_nor_the_loop() -> None:
    items = Items()
    items.waiting = [-1, 1, -1, 2]
    worker = Worker("test", items, Time(), slots=1)
    async with running(worker) as loop:
        await items.done.wait()
        await settled()
        assert not loop.done()
    assert items.handled == [1, 2]


async def test_the_loop_outlives_a_store_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TROUBLE_SECONDS", 0.0)
    monkeypatch.setattr(module, "IDLE_MS", 1)
    items = Items(3)
    items.trouble = [OSError("disk full"), OSError("disk full")]
    async with running(Worker("test", items, Time())) as loop:
        await items.done.wait()
        assert not loop.done()
    assert sorted(items.handled) == [0, 1, 2]


async def test_a_stopped_worker_finishes_what_is_in_hand_and_claims_no_more() -> None:
    items = Items(5)
    items.gate.clear()
    worker = Worker("test", items, Time(), slots=2)
    async with running(worker) as loop:
        await settled()
        worker.stop()
        await settled()
        assert not loop.done()
        items.gate.set()
        await loop
    assert sorted(items.handled) == [0, 1]
    assert items.waiting == [2, 3, 4]
    assert not worker.running


async def test_a_cancelled_worker_lets_go_of_what_it_has() -> None:
    items = Items(2)
    items.gate.clear()
    worker = Worker("test", items, Time())
    async with running(worker) as loop:
        await settled()
        assert items.active == 2
        loop.cancel()
        with suppress(asyncio.CancelledError):
            await loop
        await settled()
    assert items.active == 0
    assert items.handled == []


async def test_an_item_that_was_claimed_elsewhere_is_begun_at_once_while_the_loop_runs() -> None:
    items = Items()
    worker = Worker("test", items, Time(), slots=2)
    worker.begin(6)
    assert worker.room == 0
    async with running(worker):
        await settled()
        worker.begin(7)
        assert worker.room == 1
        await items.done.wait()
        worker.stop()
        assert worker.room == 0
    worker.begin(8)
    await settled()
    assert items.handled == [7]


async def test_what_is_begun_while_it_stops_is_finished_too() -> None:
    items = Items(1)
    items.gate.clear()
    worker = Worker("test", items, Time(), slots=4)
    async with running(worker) as loop:
        await settled()
        worker.stop()
        await settled()
        worker.begin(7)
        await settled()
        items.slow = {7}
        items.gate.set()
        await loop
    assert sorted(items.handled) == [0, 7]


async def test_an_end_that_lets_nothing_begin_makes_nobody_look_unless_all_slots_were_taken() -> None:
    items = Items()
    items.quiet = {1, 2, 3}
    worker = Worker("test", items, Time(), slots=2)
    async with running(worker):
        await settled()
        before = items.looks
        worker.begin(1)
        await until(lambda: items.handled == [1])
        await settled()
        assert items.looks == before
        worker.begin(2)
        worker.begin(3)
        await until(lambda: items.looks > before)
        worker.begin(4)
        looks = items.looks
        await until(lambda: items.looks > looks)


async def test_the_beat_says_when_the_loop_last_came_round() -> None:
    time, items = Time(), Items()
    worker = Worker("test", items, time)
    assert not worker.running
    async with running(worker):
        await settled()
        assert (worker.running, worker.beat) == (True, 0)
        time.now = 1234
        worker.wake()
        await settled()
        assert worker.beat == 1234
    assert not worker.running


async def test_a_tick_handles_all_that_is_due_without_a_loop() -> None:
    items = Items(40)
    worker = Worker("test", items, Time(), slots=16)
    assert await worker.tick() == 40
    assert await worker.tick() == 0
    assert sorted(items.handled) == list(range(40))
