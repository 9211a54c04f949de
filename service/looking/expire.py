"""A task whose upstream cannot say any more how it went: it ends as expired, and a late word is still welcome."""

from __future__ import annotations

from adapters.messages import Failure
from service.clock import Clock
from service.domain.tasks import Placement, Task, TaskState, Verdict
from service.operator import Operator
from service.store import Store
from service.telling.receive import Receiver


class Expiry:
    def __init__(self, store: Store, receiver: Receiver, operator: Operator, clock: Clock) -> None:
        self._store = store
        self._receiver = receiver
        self._operator = operator
        self._clock = clock

    async def expire(self, placement: Placement, task: Task, failure: Failure, due_at: int | None) -> None:
        """Its subscribers are told, unless it went on by another send. The placement stays open for a late word, which
        is looked for at `due_at` (None: not any more), but no watcher's key is kept for that."""
        verdict = Verdict.UNPROVEN if placement.credential is None else Verdict.ENDED
        ended = await self._receiver.give_up(
            task, failure, "look", state=TaskState.EXPIRED, verdict=verdict, placement=placement.id
        )
        if ended is not None:
            await self._operator.tell(
                "task.expired", task.id, task=task.id, provider=placement.provider, reason=failure.message
            )
        await self._store.placements.looked(placement, due_at, self._clock(), heard=False, given_up=True)
