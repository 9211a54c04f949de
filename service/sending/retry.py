"""Another send after a confirmed failure, where the operator wants that. Failed tasks are billed nowhere (wire notes
6), so nothing is paid twice; but it is a new create, so it is bounded and has to fit into the budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from adapters.messages import Category
from service.backoff import Jitter, spread
from service.clock import Clock
from service.domain.allowances import Limited
from service.domain.ledger import Settle
from service.domain.tasks import NEXT, Placement, Task, TaskState, Verdict
from service.logs import get_logger
from service.sending.failover import Failover
from service.sending.onward import GIVE_UP_MS
from service.store import Store

log = get_logger("retry")

RETRIED = frozenset({Category.TRANSIENT, Category.MEDIA_FETCH, Category.THROTTLED})
"""By no fault of the request. A verdict on the content is never asked for twice."""

PAUSE_SECONDS = 5.0
"""Before the next send: what failed a moment ago may do so again."""


def again(task: Task, provider: str, now: int, due_at: int) -> Task:
    """The failed task waits to be sent once more, to `provider`. Raises `ValueError` where that may not be."""
    if TaskState.ACCEPTED not in NEXT[task.state]:
        raise ValueError(f"a task that is {task.state} is not tried again")
    passed = () if provider == task.provider else (task.provider,)
    return replace(
        task,
        state=TaskState.ACCEPTED,
        provider=provider,
        passed=passed,
        due_at=due_at,
        updated_at=now,
        outcome=None,
        detector=None,
    )


class Retries:
    """`times`: at most so often for one task. `wake` rouses a queue by name."""

    def __init__(
        self,
        store: Store,
        failover: Failover,
        settle: Settle,
        clock: Clock,
        jitter: Jitter,
        wake: Callable[[str], None],
        times: int,
    ) -> None:
        self._store = store
        self._failover = failover
        self._settle = settle
        self._clock = clock
        self._jitter = jitter
        self._wake = wake
        self._times = times

    async def instead(self, task: Task, failed: Task) -> Task | None:
        """`failed` is what a report would make of `task`. Returns the task as it waits for its next send instead; None:
        the failure stands, or somebody else was first, and nothing was written."""
        now = self._clock()
        if not self._times or not _may(task, failed) or now - (task.reopened_at or task.created_at) > GIVE_UP_MS:
            return None
        sends = await self._store.lookups.placements(task.id)
        provider = await self._next(task, sends, now) if _over(task, sends, self._times) else None
        if provider is None:
            return None
        waits = again(task, provider, now, now + spread(PAUSE_SECONDS, self._jitter))
        road = self._failover.road(task, provider, now)
        try:
            written = await self._store.sends.again(waits, road, failed.outcome, self._settle)
        except Limited:  # it would cost more than its client may spend
            return None
        if not written:
            return None
        for each in {task.provider, provider}:
            self._wake(f"send.{each}")
        log.event("task.retried", task=task.id, provider=provider, failed_at=task.provider)
        return waits

    async def _next(self, task: Task, sends: Sequence[Placement], now: int) -> str | None:
        """Another provider if there is one, else the same; none that has refused the task for good."""
        gone = {send.provider for send in sends if send.verdict is Verdict.REFUSED}
        standing = await self._store.allowances.standing(task.client, now, moving=task)
        left = [name for name in self._failover.candidates(task, standing) if name not in gone]
        return next((name for name in left if name != task.provider), left[0] if left else None)


def _may(task: Task, failed: Task) -> bool:
    failure = failed.outcome.failure if failed.outcome else None
    retried = failed.state is TaskState.FAILED and failure is not None and failure.category in RETRIED
    return retried and task.state in (TaskState.QUEUED, TaskState.RUNNING) and not task.watched


def _over(task: Task, sends: Sequence[Placement], times: int) -> bool:
    """Whether no earlier send may be at work, and the task was not tried too often."""
    earlier = [send.verdict for send in sends if send.id != task.placement]
    return earlier.count(Verdict.ENDED) < times and set(earlier) <= {
        Verdict.ENDED,
        Verdict.NOT_ACCEPTED,
        Verdict.REFUSED,
    }
