"""The claim loop that every queue shares: claim what is due, handle it with bounded slots, sleep until due or woken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar

from service.clock import Clock
from service.logs import get_logger

T = TypeVar("T")
IDLE_MS = 5_000
TROUBLE_SECONDS = 1.0
log = get_logger("worker")


class Work(Protocol[T]):
    """A queue as its worker sees it."""

    async def claim(self, room: int) -> Sequence[T]:
        """At most `room` items that are due now, leased: if this process dies they are due again."""
        ...

    async def handle(self, item: T) -> bool | None:
        """True: its end lets nothing else begin, so nobody need look for that."""
        ...

    async def next_due(self) -> int | None:
        """When the next item is due, in milliseconds; None when none waits."""
        ...


class Worker(Generic[T]):
    """Runs one queue. A handler that raises loses time, not work: its item's lease ends and it is claimed again."""

    def __init__(self, name: str, work: Work[T], clock: Clock, *, slots: int = 16) -> None:
        self.name = name
        self.beat = clock()
        self._work = work
        self._clock = clock
        self._slots = slots
        self._active: set[asyncio.Task[bool]] = set()
        self._woken = asyncio.Event()
        self._stopping = False
        self._sleeps_until = 0
        self.running = False

    @property
    def room(self) -> int:
        """How many more items may be begun; none unless it runs."""
        return max(self._slots - len(self._active), 0) if self.running and not self._stopping else 0

    def begin(self, item: T) -> None:
        """Handles an item that is claimed. If the worker runs no more it does not, and the item's lease ends."""
        if self.running:
            task = asyncio.create_task(self._handle(item), name=f"{self.name}-item")
            self._active.add(task)
            task.add_done_callback(self._freed)

    def wake(self) -> None:
        self._woken.set()

    def stop(self) -> None:
        """Claims no more; `run` returns when what is in hand is done."""
        self._stopping = True
        self.wake()

    async def run(self) -> None:
        self.running = True
        try:
            while not self._stopping:
                self.beat = self._clock()
                self._woken.clear()
                claimed = await self._guarded(self._start_due)
                if not claimed and not self._stopping:
                    await self._sleep()
            while self._active:  # what is begun meanwhile too
                await asyncio.wait(self._active)
        finally:
            self.running = False
            for task in self._active:
                task.cancel()

    async def tick(self) -> int:
        """Handles all that is due now and returns how many items that were. For turned clocks: nothing sleeps."""
        count = 0
        while items := await self._work.claim(self._slots):
            count += len(items)
            await asyncio.gather(*(self._work.handle(item) for item in items))
        return count

    async def step(self) -> int:
        """As `tick`, but only if `run` would not sleep now: until something is due, or it is woken."""
        if not self._woken.is_set() and self._clock() < self._sleeps_until:
            return 0
        self._woken.clear()
        count = await self.tick()
        due = await self._work.next_due()
        idle = self._clock() + IDLE_MS
        self._sleeps_until = idle if due is None else min(due, idle)
        return count

    async def _start_due(self) -> bool:
        items = await self._work.claim(room) if (room := self.room) else ()
        for item in items:
            self.begin(item)
            await asyncio.sleep(0)  # others get their turn between two beginnings
        return bool(items)

    def _freed(self, task: asyncio.Task[bool]) -> None:
        full = not self.room
        self._active.discard(task)
        if full or task.cancelled() or not task.result():
            self._woken.set()

    async def _handle(self, item: T) -> bool:
        try:
            return bool(await self._work.handle(item))
        except Exception as error:
            log.failure("worker.item_failed", error, worker=self.name)
            return False

    async def _sleep(self) -> None:
        full = len(self._active) >= self._slots
        due = None if full else await self._guarded(self._work.next_due)
        wait = IDLE_MS if due is None else min(max(due - self._clock(), 0), IDLE_MS)
        try:
            async with asyncio.timeout(wait / 1000):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _guarded(self, step: Callable[[], Awaitable[T | bool | int | None]]) -> int | None:
        """A queue that cannot be read now (a full disk, say) is tried again: the loop must outlive it."""
        try:
            result = await step()
        except Exception as error:
            log.failure("worker.failed", error, worker=self.name)
            await asyncio.sleep(TROUBLE_SECONDS)
            return None
        return result if isinstance(result, int) else None


async def finish(loops: Sequence[asyncio.Task[None]], seconds: float) -> None:
    """Lets loops that were told to stop finish for a while; what is cut off is due again at the next start."""
    if loops:
        _, late = await asyncio.wait(loops, timeout=seconds)
        for loop in late:
            loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)
