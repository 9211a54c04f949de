"""Sends in doubt: a send whose answer never came becomes doubtful; a doubtful one that nothing proved is given up.

Proof comes through `poll`: the upstream's callback on our token, confirmed by its record. Without proof the task ends
FAILED `outcome_unknown`, because only a person can find out more; it is never sent again by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from service.clock import Clock
from service.operator import Operator
from service.receive import Receiver
from service.store import Queue, Store
from service.tasks import OUTCOME_UNKNOWN, Placement, TaskState, Verdict
from service.timing import Timing

LEASE_MS = 60_000


class DoubtQueue:
    def __init__(self, store: Store, receiver: Receiver, operator: Operator, clock: Clock, timing: Timing) -> None:
        self._store = store
        self._receiver = receiver
        self._operator = operator
        self._clock = clock
        self._timing = timing

    async def claim(self, room: int) -> Sequence[Placement]:
        now = self._clock()
        return await self._store.doubts.claim(now, now, now + LEASE_MS, room)

    async def next_due(self) -> int | None:
        return await self._store.queues.next_due(Queue.DOUBTS)

    async def handle(self, item: Placement) -> None:
        if item.verdict is Verdict.SENDING:
            await self._doubt(item)
        else:
            await self._give_up(item)

    async def _doubt(self, placement: Placement) -> None:
        until = placement.sent_at + int(self._timing.in_doubt * 1000)
        reason = "the server stopped before the answer was recorded"
        now = self._clock()
        if await self._store.tasks.doubted(placement.id, reason, now, max(until, now)) is None:
            return  # the answer came in the meantime
        await self._operator.tell(
            "submission.in_doubt", placement.task, task=placement.task, provider=placement.provider, reason=reason
        )

    async def _give_up(self, placement: Placement) -> None:
        task = await self._store.lookups.task(placement.task)
        if task is not None:
            await self._receiver.give_up(
                task, OUTCOME_UNKNOWN, "doubt", verdict=Verdict.UNPROVEN, only=TaskState.IN_DOUBT
            )
