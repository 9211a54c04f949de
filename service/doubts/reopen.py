"""Sending again, because the operator says so: the one way in which a task that may have been accepted is sent once
more. It may be the second payment, so it is said what it may cost, and nothing is done until that is confirmed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from adapters.base import Adapter
from adapters.catalogue import Catalogue
from adapters.messages import Category
from service.accounts.upstream import Upstream
from service.accounts.upstreams import Upstreams
from service.clock import Clock
from service.domain.ledger import quote_of
from service.domain.price import Cost, in_words
from service.domain.tasks import NO_RESULT, NOT_ACCEPTED, OUTCOME_UNKNOWN, TASK_EXPIRED, Task, TaskState
from service.errors import Refused, refused
from service.logs import get_logger
from service.sending.choose import objections_of, price_at
from service.sending.failover import read_stored
from service.store import Store

log = get_logger("reopen")

RISK: Mapping[str, str] = {
    OUTCOME_UNKNOWN.code: "If the first send was accepted after all, that is the second payment for this task.",
    TASK_EXPIRED.code: "The first send was accepted and may have been billed, so that may be the second payment.",
    NO_RESULT.code: "The provider said that the first video was made, so that is probably the second payment.",
    NOT_ACCEPTED.code: "The first send was not accepted, so nothing has been paid for this task yet.",
}
"""What has been paid already, by the reason to send a task again."""

CONFIRM = "confirmation_needed"


def reason_for(task: Task) -> str | None:
    """Why a task may be sent again (a key of `RISK`): it is in doubt, or ended by our words and by no verdict on its
    video. None: it may not."""
    if task.watched:
        return None
    if task.state is TaskState.IN_DOUBT:
        return OUTCOME_UNKNOWN.code
    failure = task.outcome.failure if task.outcome and task.ended else None
    return failure.code if failure and not failure.family and failure.code in RISK else None


def reopen(task: Task, provider: str, now: int) -> Task:
    """The task waits to be sent to `provider`: the one way back from an end, and out of doubt. Raises `ValueError`
    where there is no `reason_for` it."""
    if reason_for(task) is None:
        raise ValueError(f"a task that is {task.state} is not sent again")
    return replace(
        task,
        state=TaskState.ACCEPTED,
        provider=provider,
        pinned=task.pinned or provider != task.provider,
        passed=(),
        due_at=now,
        updated_at=now,
        finished_at=None,
        outcome=None,
        detector=None,
        reopened_at=now if task.ended else task.reopened_at,
    )


class Reopener:
    """`wake` rouses a queue by name."""

    def __init__(
        self,
        store: Store,
        upstreams: Upstreams,
        shapes: Mapping[str, Adapter],
        catalogue: Catalogue,
        clock: Clock,
        wake: Callable[[str], None],
    ) -> None:
        self._store = store
        self._upstreams = upstreams
        self._shapes = shapes
        self._catalogue = catalogue
        self._clock = clock
        self._wake = wake

    async def send_again(self, task: Task, named: str | None, *, confirmed: bool) -> tuple[Task, str]:
        """The task as it waits to be sent (to the provider `named`), and what that may cost. Raises `Refused`: 409 if
        it may not be sent again, was not `confirmed`, or has moved on; 400 for a provider that cannot take it."""
        reason = reason_for(task)
        if reason is None:
            raise _not_sent(task)
        upstream, price = self._road(task, named or task.provider)
        name = upstream.provider.title
        bill = f"Sending it again has another video made by {name}, which costs {in_words(price)}. {RISK[reason]}"
        if not confirmed:
            raise refused(409, Category.CONFLICT, bill, CONFIRM)
        again = reopen(task, upstream.name, self._clock())
        if not await self._store.decisions.reopen(again, quote_of(price)):
            raise _not_sent(await self._store.lookups.task(task.id) or task)
        self._wake(f"send.{upstream.name}")
        log.event("task.reopened", task=task.id, provider=upstream.name, was=task.state)
        return again, bill

    def _road(self, task: Task, provider: str) -> tuple[Upstream, Cost | None]:
        pool = self._upstreams.pool(provider)
        if not pool:
            known = ", ".join(upstream.name for upstream in self._upstreams.providers) or "none"
            raise refused(400, Category.INVALID_REQUEST, f"provider: {provider[:80]!r} given, allowed: {known}.")
        shape = self._shapes[task.shape]
        submission = read_stored(task, shape)
        model = self._catalogue.find(submission.model)
        if objections := objections_of(pool[0], shape, submission, model):
            reasons = " ".join(each.sentence for each in objections)
            raise refused(400, Category.INVALID_REQUEST, f"{pool[0].provider.title} cannot take it: {reasons}")
        return pool[0], price_at(pool[0], submission)


def _not_sent(task: Task) -> Refused:
    return refused(409, Category.CONFLICT, f"Nothing was sent: {_why_not(task)}", "not_sent_again")


def _why_not(task: Task) -> str:
    if task.watched:
        return "the task was created elsewhere and is only watched here."
    if task.state in (TaskState.ACCEPTED, TaskState.SUBMITTING):
        return "the task is being sent."
    if task.state in (TaskState.QUEUED, TaskState.RUNNING) or reason_for(task):
        return "a provider has it and works on it."
    if task.state is TaskState.FAILED:
        return "the provider has said why it failed; submit a new task instead."
    return f"the task is {task.state}."
