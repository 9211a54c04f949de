"""Sending again what was told: one delivery at once, many as a replay that is worked off in paced batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from uuid import uuid4

from adapters.messages import Category
from service.clock import Clock
from service.domain.deliveries import Delivery
from service.domain.replays import Replay, ReplayState, Selection, Skipped
from service.errors import Refused, refused
from service.logs import get_logger
from service.store import Store
from service.store.queues import Queue
from service.store.selection import Preview

log = get_logger("replay")
LEASE_MS = 60_000
COLLECTED_AT_ONCE, RELEASED_AT_ONCE = 1_000, 200
"""Deliveries in one transaction: so many that others hardly wait for it."""

WHY: Mapping[Skipped, str] = {
    Skipped.PRUNED: "Its body was deleted for its age, so it cannot be sent again.",
    Skipped.ENDPOINT_DISABLED: (
        "The endpoint is disabled, so nothing is sent there. Enable it (what waits for it is sent then by itself), and"
        " replay what had failed before."
    ),
    Skipped.ENDPOINT_DELETED: "Its endpoint was deleted. Subscribe another URL to the task: it is told at once.",
}
"""What is said of one that cannot be sent again."""

Wake = Callable[[str], None]


class Replayer:
    """What clients ask for. `client` is whose deliveries it may be (None: anybody's)."""

    def __init__(self, store: Store, clock: Clock, wake: Wake, new_id: Callable[[], str]) -> None:
        self._store = store
        self._clock = clock
        self._wake = wake
        self._new_id = new_id

    async def again(self, delivery: str, client: str | None, *, new_id: bool) -> Delivery:
        """One delivery, now. Raises `Refused` (404, 409)."""
        again = await self._store.deliveries.replay(delivery, client, self._clock(), self._new_id if new_id else None)
        if again is None:
            raise _unknown("delivery")
        if isinstance(again, Skipped):
            raise _refusal(again, WHY[again])
        self._wake("deliver")
        return again

    async def of_task(self, task: str, client: str | None, *, new_id: bool, rate: int) -> Replay:
        """All that was told of a task. Raises `Refused` (404, 409)."""
        selection = Selection(task=task)
        if not (await self.preview(selection, client)).matched:
            raise _refusal("nothing_to_replay", "Nobody has been told of this task yet, so there is nothing to repeat.")
        return await self.begin(selection, client, new_id=new_id, rate=rate)

    async def begin(self, selection: Selection, client: str | None, *, new_id: bool, rate: int) -> Replay:
        """All that was made by now and is chosen. Raises `Refused` (404, 409) for a task that is named and that there
        is not, and for an endpoint that nothing can be sent to."""
        await self._check(selection, client)
        now = self._clock()
        replay = Replay(
            f"rpl_{uuid4().hex}", client or "", selection, new_id, rate, ReplayState.COLLECTING, now, due_at=now
        )
        await self._store.replays.begin(replay)
        log.event("replay.begun", replay=replay.id, rate=rate, new_id=new_id)
        self._wake("replay")
        return replay

    async def preview(self, selection: Selection, client: str | None) -> Preview:
        """What `begin` would send. Raises `Refused` as that does."""
        await self._check(selection, client)
        return await self._store.replays.preview(selection, client, self._clock())

    async def _check(self, selection: Selection, client: str | None) -> None:
        if selection.task and await self._store.lookups.task(selection.task, client) is None:
            raise _unknown("task")
        if selection.endpoint:
            found = await self._store.endpoints.get(selection.endpoint, client)
            if found is None:
                raise _unknown("endpoint")
            if found.disabled_at is not None:
                raise _refusal(Skipped.ENDPOINT_DISABLED, WHY[Skipped.ENDPOINT_DISABLED])


class ReplayQueue:
    """Replays that are due for their next batch."""

    def __init__(self, store: Store, clock: Clock, wake: Wake, new_id: Callable[[], str]) -> None:
        self._store = store
        self._clock = clock
        self._wake = wake
        self._new_id = new_id

    async def claim(self, room: int) -> Sequence[Replay]:
        now = self._clock()
        return await self._store.replays.claim(now, now + LEASE_MS, room)

    async def handle(self, item: Replay) -> None:
        now = self._clock()
        if item.state is ReplayState.COLLECTING:
            moved = await self._store.replays.collect(item.id, now, COLLECTED_AT_ONCE)
        else:
            size, pause = pace(item.rate)
            moved = await self._store.replays.release(item.id, now, size, now + pause, self._new_id)
            self._wake("deliver")
        if moved is not None and moved.ended:
            log.event(
                "replay.done", replay=moved.id, matched=moved.matched, replayed=moved.replayed, skipped=moved.skipped
            )

    async def next_due(self) -> int | None:
        return await self._store.queues.next_due(Queue.REPLAYS)


def pace(rate: int) -> tuple[int, int]:
    """How many deliveries a batch has, and how many milliseconds after it the next one is due."""
    size = min(rate, RELEASED_AT_ONCE)
    return size, size * 1000 // rate


def _unknown(noun: str) -> Refused:
    return refused(404, Category.NOT_FOUND, f"There is no such {noun}.", "not_found")


def _refusal(code: str, text: str) -> Refused:
    return refused(409, Category.CONFLICT, text, code)
