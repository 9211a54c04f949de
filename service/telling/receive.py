"""A report arrives: the task moves on and its deliveries open, in one transaction.

Nothing here knows whether a callback, a list or a look brought the report. Of reports that race, the compare-and-set in
the store lets one through; the others find a task that has moved on and are nothing new.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from adapters.messages import Failure, Report, State
from service.clock import Clock
from service.domain.ledger import Settle, settled
from service.domain.tasks import NEXT, NO_RESULT, Task, TaskState, Verdict, advance, fail
from service.domain.tell import Teller
from service.logs import get_logger
from service.store import Moved, Store

log = get_logger("receive")


class Receiver:
    """`on_told` hears of every task with something to tell once it is on disk (held requests, the deliverer). `instead`
    may write something else than the end that a task would have next: then that is how it moved
    (service.sending.retry). `lease` says until when messages may be taken out at once, if they may."""

    def __init__(
        self,
        store: Store,
        teller: Teller,
        clock: Clock,
        on_told: Callable[[Task, Moved], None],
        settle: Settle = settled,
        instead: Callable[[Task, Task], Awaitable[Task | None]] | None = None,
        lease: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._store = store
        self._teller = teller
        self._clock = clock
        self._on_told = on_told
        self._settle = settle
        self._instead = instead
        self._lease = lease

    async def report(
        self,
        task: Task,
        report: Report,
        detector: str,
        *,
        placement: str | None = None,
        last_word: bool = False,
        only: TaskState | None = None,
        denied: bool = False,
    ) -> Task | None:
        """Applies an upstream's report of `placement` (None: of the current one), if the task is still in the state
        `only` (None: in any). Returns the task if it moved, None if the report was nothing new. Of an earlier send,
        which was given up, only a video is news; also of one that ended its task because it was `denied`.

        A success without a video is nothing new until `last_word`; then it is the failure `no_result`."""
        if report.state is State.SUCCEEDED and report.video_url is None:
            if not last_word:
                return None
            report = replace(report, state=State.FAILED, failure=NO_RESULT)

        def change(latest: Task) -> Task | None:
            waits = latest.state is TaskState.ACCEPTED  # all of its sends are over
            over = waits or (denied and latest.ended)
            earlier = placement is not None and (over or placement != latest.placement)
            if only not in (None, latest.state) or (earlier and report.state is not State.SUCCEEDED):
                return None
            return advance(latest, report, self._clock(), detector, earlier=earlier)

        return await self._apply(task, change, placement=placement)

    async def closed(self, placement: str, report: Report) -> None:
        """The upstream's last word about a send, which is nothing new for its task, is kept with what it cost."""
        await self._store.placements.closed(placement, report, self._settle)

    async def give_up(
        self,
        task: Task,
        failure: Failure,
        detector: str,
        *,
        state: TaskState = TaskState.FAILED,
        verdict: Verdict = Verdict.ENDED,
        only: TaskState | None = None,
        placement: str | None = None,
        tell: bool = True,
    ) -> Task | None:
        """Ends a task without an upstream's report, if it is still in the state `only` (None: in any that may end so)
        and `placement` is its current one (None: whichever is); `tell` false where its client has just been told in
        person."""

        def change(latest: Task) -> Task | None:
            if state not in NEXT[latest.state] or only not in (None, latest.state):
                return None
            if placement not in (None, latest.placement):
                return None
            return fail(latest, failure, self._clock(), detector, state)

        return await self._apply(task, change, verdict=verdict, tell=tell)

    async def _apply(
        self,
        task: Task,
        change: Callable[[Task], Task | None],
        *,
        placement: str | None = None,
        verdict: Verdict = Verdict.ENDED,
        tell: bool = True,
    ) -> Task | None:
        latest: Task | None = task
        while latest is not None:
            moved = change(latest)
            if moved is None:
                return None
            if self._instead is not None and (other := await self._instead(latest, moved)) is not None:
                return other
            recovered = latest.ended or (latest.reopened_at is not None and moved.state is TaskState.SUCCEEDED)
            if await self._record(moved, verdict, placement, tell=tell, recovered=recovered):
                return moved
            latest = await self._store.lookups.task(task.id)
        return None

    async def _record(
        self, task: Task, verdict: Verdict, placement: str | None, *, tell: bool, recovered: bool
    ) -> bool:
        message = partial(self._teller.message, task, recovered=recovered) if tell else None
        event = self._teller.event(task, recovered=recovered) if tell else None
        lease = self._lease()
        moved = await self._store.tasks.record(task, verdict, message, placement, self._settle, event, lease)
        if moved is None:
            return False
        log.event(
            "task.recovered" if recovered else "task.moved",
            task=task.id,
            state=task.state,
            provider=task.provider,
            detector=task.detector,
        )
        if task.told:
            self._on_told(task, moved)
        return True
