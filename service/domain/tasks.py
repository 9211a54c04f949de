"""The nouns of the house and the tables of their states. Pure values: no input or output, no clock.

A Task is one video asked for by one client. A Placement is one send of it to one upstream account. Who is told of its
end stands in `service.domain.deliveries`. Times are integer milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from adapters.messages import Category, Failure, Fields, Report, State


class TaskState(StrEnum):
    ACCEPTED = "ACCEPTED"  # on disk, nothing sent or provably nothing accepted
    SUBMITTING = "SUBMITTING"  # the create is on its way
    IN_DOUBT = "IN_DOUBT"  # the create may have been accepted: never sent again
    QUEUED = "QUEUED"  # accepted by the upstream
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"  # the upstream can no longer know it


ENDED = frozenset({TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELED, TaskState.EXPIRED})

_LOOKED = frozenset({TaskState.RUNNING, *ENDED})
NEXT: Mapping[TaskState, frozenset[TaskState]] = {
    # QUEUED, SUCCEEDED: an earlier send that had been given up is proven, while another one waits or is on its way.
    TaskState.ACCEPTED: frozenset({TaskState.SUBMITTING, TaskState.QUEUED, *ENDED} - {TaskState.EXPIRED}),
    TaskState.SUBMITTING: frozenset(
        {TaskState.QUEUED, TaskState.FAILED, TaskState.ACCEPTED, TaskState.IN_DOUBT, TaskState.SUCCEEDED}
    ),
    TaskState.IN_DOUBT: frozenset({TaskState.QUEUED, *_LOOKED}),
    # ACCEPTED: after a confirmed failure, if that is the operator's policy (`service.sending.retry`).
    TaskState.QUEUED: frozenset({TaskState.ACCEPTED, *_LOOKED}),
    TaskState.RUNNING: frozenset({TaskState.ACCEPTED, *ENDED}),
    TaskState.SUCCEEDED: frozenset(),
    TaskState.FAILED: frozenset(),
    TaskState.CANCELED: frozenset(),
    TaskState.EXPIRED: frozenset(),
}
"""Which state may follow which. States only move forward; an ended task never changes, but for `recovers` and, if an
operator says so, `service.doubts.reopen`. From IN_DOUBT it is back to ACCEPTED once nothing is proven to be accepted,
too (`store.sends.deferred`)."""

REPORTED: Mapping[State, TaskState] = {
    State.QUEUED: TaskState.QUEUED,
    State.RUNNING: TaskState.RUNNING,
    State.SUCCEEDED: TaskState.SUCCEEDED,
    State.FAILED: TaskState.FAILED,
    State.CANCELED: TaskState.CANCELED,
}
"""What an upstream's report makes of a task. UNKNOWN is not here: it says nothing about the video."""

TOLD: Mapping[TaskState, State] = {
    TaskState.ACCEPTED: State.QUEUED,
    TaskState.SUBMITTING: State.QUEUED,
    TaskState.IN_DOUBT: State.QUEUED,
    TaskState.QUEUED: State.QUEUED,
    TaskState.RUNNING: State.RUNNING,
    TaskState.SUCCEEDED: State.SUCCEEDED,
    TaskState.FAILED: State.FAILED,
    TaskState.CANCELED: State.CANCELED,
    TaskState.EXPIRED: State.FAILED,
}
"""How a client of any shape is told of a state; our own troubles read as waiting."""


class Verdict(StrEnum):
    """What is known of one send."""

    SENDING = "sending"
    ACCEPTED = "accepted"
    NOT_ACCEPTED = "not_accepted"  # provably nothing accepted; the task may be sent again
    REFUSED = "refused"  # a definite no, told to the client
    IN_DOUBT = "in_doubt"
    UNPROVEN = "unproven"  # in doubt until the time for proof ran out; a late callback may still prove it
    ENDED = "ended"


OUTCOME_UNKNOWN = Failure(
    Category.OURS,
    "outcome_unknown",
    "The provider's answer to the submission was lost and nothing proved that it was accepted. The video may have been "
    "made and billed; look at the provider's console before you submit it again.",
)
NO_RESULT = Failure(
    Category.OURS, "no_result", "The provider reported success without a video, twice. Ask it for the video by its id."
)
TASK_EXPIRED = Failure(Category.OURS, "task_expired", "The provider forgot the task before it said how the task ended.")
NOT_ACCEPTED = Failure(
    Category.OURS, "not_accepted", "The provider took no new tasks for a whole day; nothing was sent or billed."
)


@dataclass(frozen=True, slots=True)
class Task:
    """One video asked for. `body` is the client's own request body, `headers` those of its headers that matter when
    the task is written for an upstream. `outcome` is the latest report that moved the task, its ids already ours.
    `version` counts writes: every change of a row compares it and adds one. `digest` is what makes two creates the
    same request, `idempotency_key` the client's own word for that; both are dropped when a create is refused.
    `answered_at` is when the answer to the create was handed to its connection. `pinned`: its client named the
    provider, so it goes nowhere else; `passed` are the providers that took nothing in this round. `reopened_at`
    is when an operator had it sent again after another end was told, `refreshed_at` when the upstream gave another link
    to its result."""

    id: str
    client: str
    shape: str
    path: str
    model: str
    provider: str
    state: TaskState
    body: Fields
    request_id: str
    trace_id: str
    created_at: int
    updated_at: int
    service: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    metadata: Fields | None = None
    placement: str | None = None
    finished_at: int | None = None
    due_at: int | None = None
    outcome: Report | None = None
    detector: str | None = None
    digest: str | None = None
    idempotency_key: str | None = None
    answered_at: int | None = None
    pinned: bool = False
    passed: tuple[str, ...] = ()
    reopened_at: int | None = None
    refreshed_at: int | None = None
    version: int = 0

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def told(self) -> bool:
        """Whether its state is one that subscribers may be told of."""
        return self.ended or self.state is TaskState.RUNNING

    @property
    def watched(self) -> bool:
        """Created at the provider by somebody else: there is no request of a client, so nothing can be sent (again)."""
        return not self.path


@dataclass(frozen=True, slots=True)
class Placement:
    """One send. `due_at` is the next look; `doubt_at` is when a send without an answer becomes doubtful and when a
    doubtful one is given up. `claimed_at` is set while a worker looks; `misses` counts looks in a row that heard
    nothing, `empty` successes without a video. `account` is the upstream key that created it ("" before keys had
    names), `lost_at` when its answer was given up, `outcome` the upstream's last word, `credential` the sealed upstream
    key of a watcher until the end, where it is not one of ours. `workload` is what kind of video it is, for how long
    such videos take; `expected_at` when the first of them would be done; `hinted_by` what made the next look due now.
    `watched`: it is no send of ours (see `Task.watched`). `denied`: the upstream said no to it, which was not believed
    or not true."""

    id: str
    task: str
    provider: str
    verdict: Verdict
    sent_at: int
    upstream_id: str | None = None
    due_at: int | None = None
    doubt_at: int | None = None
    claimed_at: int | None = None
    heard_at: int | None = None
    looks: int = 0
    misses: int = 0
    empty: int = 0
    reason: str | None = None
    account: str = ""
    lost_at: int | None = None
    outcome: Report | None = None
    credential: bytes | None = None
    workload: str = ""
    expected_at: int | None = None
    hinted_by: str | None = None
    watched: bool = False
    denied: bool = False


def advance(task: Task, report: Report, now: int, detector: str, *, earlier: bool = False) -> Task | None:
    """The task after a report, or None when the report is nothing new (a duplicate, out of order, or late).

    `report` is the upstream's (`earlier`: of a send before the current one); the task keeps it with ids of ours."""
    state = REPORTED.get(report.state)
    if state is None or not (state in NEXT[task.state] or recovers(task, report, earlier=earlier)):
        return None
    return _end(task, state, report, now, detector) if state in ENDED else _moved(task, state, report, now, detector)


def recovers(task: Task, report: Report, *, earlier: bool = False) -> bool:
    """Whether a late result ends a task that we had given up without knowing how it went, or that failed by a later
    send. It is paid for, so it is told: the one exception to "an ended task never changes"."""
    failure = task.outcome.failure if task.outcome else None
    unknown = task.state is TaskState.EXPIRED or (failure is not None and failure.code == OUTCOME_UNKNOWN.code)
    given_up = task.ended and (unknown or (earlier and task.state is TaskState.FAILED))
    return given_up and report.state is State.SUCCEEDED and report.video_url is not None


def end(task: Task, state: TaskState, report: Report, now: int, detector: str) -> Task:
    """The task ended in `state`; the transition must be in `NEXT`."""
    if state not in NEXT[task.state]:
        raise ValueError(f"a task cannot go from {task.state} to {state}")
    return _end(task, state, report, now, detector)


def fail(task: Task, failure: Failure, now: int, detector: str, state: TaskState = TaskState.FAILED) -> Task:
    """The task ended without an upstream's report."""
    return end(task, state, Report(task_id=task.id, state=State.FAILED, failure=failure), now, detector)


def describe(task: Task) -> Report:
    """What a client is told of a task, in no shape yet. Everything that names the task is fixed at its creation."""
    outcome = task.outcome or Report(task_id=task.id, state=State.QUEUED)
    return replace(
        outcome,
        task_id=task.id,
        state=TOLD[task.state],
        created_at=task.created_at,
        finished_at=task.finished_at,
        model=task.model,
        service=task.service,
        request_id=task.request_id,
        trace_id=task.trace_id,
        callback_url=None,
        request=task.body,
    )


def _end(task: Task, state: TaskState, report: Report, now: int, detector: str) -> Task:
    return replace(_moved(task, state, report, now, detector), finished_at=now, due_at=None)


def _moved(task: Task, state: TaskState, report: Report, now: int, detector: str) -> Task:
    outcome = replace(report, task_id=task.id, request=None, callback_url=None, word="", raw=None)
    return replace(task, state=state, outcome=outcome, updated_at=now, detector=detector)
