"""One send of one task to its upstream, and what its answer makes of the task. Money is spent here, and only here.

The row says SUBMITTING before the first byte leaves. From then on there are four ends: accepted; refused; provably not
accepted (sent elsewhere, or again later); or in doubt, which is never sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from adapters.base import Adapter
from adapters.messages import (
    Acceptance,
    Category,
    Failure,
    Refusal,
    Request,
    Response,
    Submission,
    Unreadable,
    Unsupported,
)
from adapters.providers import Rejected
from service.accounts.learning import Learned
from service.accounts.upstream import Upstream
from service.accounts.upstreams import Upstreams
from service.backoff import FIRST_DOUBT, Jitter
from service.clock import Clock
from service.domain.completion import Completion
from service.domain.look_times import look_pause
from service.domain.proof import SETTLED_MS, can_be_proven
from service.domain.tasks import Placement, Task
from service.keys.callback_urls import CallbackUrls
from service.logs import get_logger
from service.network.http import Lost, NotSent
from service.operator import Operator
from service.sending.failover import Nature, No, read_stored
from service.sending.onward import ACCOUNT_SECONDS, Onward, patiently
from service.sending.timing import Timing
from service.sending.workload import workload_at
from service.store import Store

log = get_logger("send")

THROTTLED_SECONDS, LONGEST_PAUSE = 2.0, 300.0
"""How long nothing waiting is sent to an account that said that it is too much, at least and at most."""


class Sender:
    """`wake` rouses a queue by name, because it has something that is due sooner than it knows."""

    def __init__(
        self,
        store: Store,
        operator: Operator,
        upstreams: Upstreams,
        onward: Onward,
        learned: Learned,
        shapes: Mapping[str, Adapter],
        urls: CallbackUrls,
        clock: Clock,
        timing: Timing,
        jitter: Jitter,
        wake: Callable[[str], None],
    ) -> None:
        self._store = store
        self._operator = operator
        self._upstreams = upstreams
        self._onward = onward
        self._learned = learned
        self._shapes = shapes
        self._urls = urls
        self._clock = clock
        self._timing = timing
        self._jitter = jitter
        self._wake = wake

    async def send(self, task: Task, placement: Placement, heard: Callable[[], bool] = lambda: False) -> Refusal | None:
        """Sends a task that is SUBMITTING and records the outcome; where provably nothing was accepted, to the next
        candidate at once. Returns a definite refusal.

        `heard` says, at that moment, whether the client still waits for this very answer; if so it is told in person
        and its subscribers are not."""
        said: dict[str, No] = {}
        while (no := await self._try(task, placement)) is not None:
            said[task.provider] = no
            step = await self._onward.after((task, placement), no, said, heard)
            if not isinstance(step, tuple):
                return step
            task, placement = step
        return None

    async def _try(self, task: Task, placement: Placement) -> No | None:
        """One send. None: it was accepted, or it is in doubt."""
        upstream = self._upstreams.serving(placement)
        assert upstream is not None, "only configured accounts are given anything to send"
        try:
            submission = read_stored(task, self._shapes[task.shape])
            request = self._write(submission, placement.id, upstream)
            kind = workload_at(upstream, submission)  # before the create: after it nothing may keep its id from the row
        except (Unreadable, Unsupported) as error:  # the catalogue changed since the task was accepted
            refusal = Refusal(400, Failure(Category.INVALID_REQUEST, "", str(error)))
            return No(Nature.ELSEWHERE, "it has no words for the request", refusal)
        known = await self._known(upstream, kind)
        try:
            response = await upstream.create(request, self._timing.create_timeout)
        except NotSent as error:
            return No(Nature.BUSY, f"not sent: {error}")
        except Lost as error:
            await self._doubt(task, placement.id, f"answer lost: {error}")
            return None
        try:
            acceptance = upstream.adapter.read_acceptance(response)
        except Unreadable:
            return await self._refused(task, placement, upstream, response)
        await self._accept(task, placement.id, upstream, acceptance, kind, known)
        return None

    async def _known(self, upstream: Upstream, kind: str) -> Completion | None:
        """How long such videos take. No trouble with that may keep a task from being sent."""
        try:
            return await self._learned.of(upstream.name, kind)
        except Exception as error:
            log.failure("send.unlearned", error)
            return None

    def _write(self, submission: Submission, placement: str, upstream: Upstream) -> Request:
        callback = self._urls.of(upstream.provider, placement)
        return upstream.adapter.write_submission(as_sent(submission, callback))

    async def _refused(self, task: Task, placement: Placement, upstream: Upstream, response: Response) -> No | None:
        refusal = upstream.adapter.read_refusal(response)
        if refusal.failure.category is Category.AMBIGUOUS:
            await self._doubt(task, placement.id, f"HTTP {response.status} without a task id")
            return None
        now, no = self._clock(), No.said(response.status, refusal)
        if refusal.failure.category is Category.THROTTLED:
            pause = min(max(refusal.retry_after or 0.0, THROTTLED_SECONDS), LONGEST_PAUSE)
            upstream.rest(now + int(pause * 1000))
        if no.nature is Nature.ACCOUNT:
            upstream.avoid(now + int(ACCOUNT_SECONDS * 1000))
        meant = self._meant(upstream, placement, task)
        if refusal.failure.category is Category.REJECTED and meant is not Rejected.NO:
            await self._doubt(task, placement.id, no.reason, denied=meant is Rejected.ASK)
            return None
        return no

    def _meant(self, upstream: Upstream, placement: Placement, task: Task) -> Rejected:
        """What the upstream's own error 500 or 503 means; where its list can tell, that is asked for more."""
        asked = read_stored(task, self._shapes[task.shape])
        echo = self._urls.of(upstream.provider, placement.id) is not None
        if upstream.rejected_5xx is not Rejected.NO and can_be_proven(upstream.adapter, asked, echo=echo):
            return Rejected.ASK
        return Rejected.DOUBT if upstream.rejected_5xx is Rejected.DOUBT else Rejected.NO

    async def _accept(
        self,
        task: Task,
        placement: str,
        upstream: Upstream,
        acceptance: Acceptance,
        kind: str,
        known: Completion | None,
    ) -> None:
        now = self._clock()
        provider = upstream.provider
        promised, listed = self._urls.of(provider, placement) is not None, upstream.is_swept(now)
        first = look_pause(provider, upstream.every, known, 0.0, promised=promised, listed=listed)
        look_at = now + int(first * 1000)
        expected_at = now + int(known.soonest * 1000) if known else None
        await self._keep(task, placement, acceptance.task_id, look_at, kind, expected_at)
        upstream.avoid(0)
        self._wake(f"look.{upstream.label}")
        log.event("task.placed", task=task.id, provider=task.provider, placement=placement)

    async def _keep(
        self, task: Task, placement: str, upstream_id: str, look_at: int, kind: str, expected_at: int | None
    ) -> None:
        """The task is paid for and its id is only here: a full disk, say, is waited out, and the log tells the id."""

        async def keep() -> None:
            await self._store.tasks.accepted(placement, upstream_id, self._clock(), look_at, kind, expected_at)

        await patiently(keep, task=task.id, upstream_id=upstream_id)

    async def _doubt(self, task: Task, placement: str, reason: str, *, denied: bool = False) -> None:
        """`denied`: the provider said no, which its list is to show before it is believed."""
        now = self._clock()
        settled = min(SETTLED_MS, int(self._timing.in_doubt * 1000))
        due_at = now + (settled if denied else FIRST_DOUBT)
        doubted = await self._store.tasks.doubted(placement, reason, now, due_at, denied=denied)
        if doubted is not None and not denied:
            fields = {"task": task.id, "provider": task.provider, "reason": reason}
            await self._operator.tell("submission.in_doubt", task.id, since=None, **fields)


def as_sent(submission: Submission, callback_url: str | None) -> Submission:
    """What goes upstream: the client's submission with our own callback URL. Held connections are held by us."""
    return replace(submission, callback_url=callback_url, hold=False, timeout=None)
