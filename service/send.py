"""One send of one task to its upstream, and what its answer makes of the task. Money is spent here, and only here.

The row says SUBMITTING before the first byte leaves. From then on there are four ends: accepted; refused; provably not
accepted (sent again later); or in doubt, which is never sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

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
from service.backoff import Jitter, next_send, spread
from service.callback_urls import CallbackUrls
from service.clock import Clock
from service.http import Lost, NotSent
from service.logs import get_logger
from service.operator import Operator
from service.receive import Receiver
from service.store import Queue, Store
from service.tasks import NOT_ACCEPTED, Task, Verdict
from service.upstream import Upstream
from service.upstreams import Upstreams

log = get_logger("send")

SEND_AGAIN = frozenset({Category.THROTTLED, Category.REJECTED})
"""Refusals after which nothing was accepted and the same create may be taken later."""

OPERATOR = frozenset({Category.AUTH, Category.BILLING})
"""Refusals that are about the operator's upstream account, not about the client's request."""

ACCOUNT_SECONDS = 600.0
"""Before a task that was accepted already is tried again after such a refusal."""

KEEP_AGAIN = (1.0, 2.0, 5.0, 10.0, 30.0, *(60.0,) * 10)
"""Seconds between tries to write down what was paid for; together less than a doubt lasts."""

THROTTLED_SECONDS, LONGEST_PAUSE = 2.0, 300.0
"""How long nothing waiting is sent to an account that said that it is too much, at least and at most."""

GIVE_UP_MS = 24 * 3600 * 1000
ACCOUNT_TROUBLE = Refusal(
    403,
    Failure(
        Category.OURS,
        "upstream_account",
        "This server's account at the provider cannot submit tasks at the moment. Nothing was sent or billed; its "
        "operator has been told.",
    ),
)


@dataclass(frozen=True, slots=True)
class Timing:
    """In seconds: how long a create's answer may take, how long a doubtful one is waited for, and how long an identical
    create counts as a retry of one whose answer was lost, or of any."""

    create_timeout: float = 120.0
    in_doubt: float = 900.0
    repeat: float = 600.0
    repeat_answered: float = 0.0

    @property
    def repeats(self) -> tuple[int, int]:
        """`repeat` and `repeat_answered` in milliseconds."""
        return int(self.repeat * 1000), int(self.repeat_answered * 1000)

    def doubt_at(self, now: int) -> int:
        """When a send without any recorded outcome must be doubted: its own time-out and some room to write it."""
        return now + int((self.create_timeout + 60) * 1000)


class Sender:
    """`wake` rouses a queue by name, because it has something that is due sooner than it knows."""

    def __init__(
        self,
        store: Store,
        receiver: Receiver,
        operator: Operator,
        upstreams: Upstreams,
        shapes: Mapping[str, Adapter],
        urls: CallbackUrls,
        clock: Clock,
        timing: Timing,
        jitter: Jitter,
        wake: Callable[[str], None],
    ) -> None:
        self._store = store
        self._receiver = receiver
        self._operator = operator
        self._upstreams = upstreams
        self._shapes = shapes
        self._urls = urls
        self._clock = clock
        self._timing = timing
        self._jitter = jitter
        self._wake = wake

    async def send(self, task: Task, heard: Callable[[], bool] = lambda: False) -> Refusal | None:
        """Sends a task that is SUBMITTING and records the outcome. Returns a definite refusal.

        `heard` says, at that moment, whether the client still waits for this very answer; if so it is told in person
        and its subscribers are not."""
        placement = task.placement
        assert placement is not None, "a task that is sent has a placement"
        upstream = self._upstreams.pool(task.provider)[0]
        try:
            request = self._write(task, placement, upstream)
        except (Unreadable, Unsupported) as error:  # the catalogue changed since the task was accepted
            return await self._refuse(task, Refusal(400, Failure(Category.INVALID_REQUEST, "", str(error))), heard())
        try:
            response = await upstream.create(request, self._timing.create_timeout)
        except NotSent as error:
            await self._defer(task, placement, f"not sent: {error}", None)
        except Lost as error:
            await self._doubt(task, placement, f"answer lost: {error}")
        else:
            return await self._answered(task, placement, upstream, response, heard)
        return None

    def _write(self, task: Task, placement: str, upstream: Upstream) -> Request:
        shape = self._shapes[task.shape]
        submission = shape.read_submission(Request("POST", task.path, task.body, headers=task.headers))
        callback = self._urls.of(upstream.provider, placement)
        return upstream.adapter.write_submission(as_sent(submission, callback))

    async def _answered(
        self, task: Task, placement: str, upstream: Upstream, response: Response, heard: Callable[[], bool]
    ) -> Refusal | None:
        try:
            await self._accept(task, placement, upstream, upstream.adapter.read_acceptance(response))
            return None
        except Unreadable:
            refusal = upstream.adapter.read_refusal(response)
        category = refusal.failure.category
        if category is Category.AMBIGUOUS:
            await self._doubt(task, placement, f"HTTP {response.status} without a task id")
        elif category in SEND_AGAIN:
            if category is Category.THROTTLED:
                pause = min(max(refusal.retry_after or 0.0, THROTTLED_SECONDS), LONGEST_PAUSE)
                upstream.sends.pause(self._clock() + int(pause * 1000))
            await self._defer(task, placement, f"HTTP {response.status} {refusal.failure.code}", refusal.retry_after)
        elif category in OPERATOR:
            return await self._account_refused(task, placement, refusal, heard())
        else:
            definite = replace(refusal, status=400) if _invites_retry(refusal.status) else refusal
            return await self._refuse(task, definite, heard())
        return None

    async def _accept(self, task: Task, placement: str, upstream: Upstream, acceptance: Acceptance) -> None:
        now = self._clock()
        provider = upstream.provider
        called_back = self._urls.of(provider, placement) is not None
        told = called_back or upstream.is_swept(now)
        first = provider.slow_look_seconds if told else min(provider.first_look_seconds, upstream.every)
        look_at = now + spread(first, self._jitter)
        await self._keep(task, placement, acceptance.task_id, look_at)
        self._wake(f"look.{task.provider}")
        log.event("task.placed", task=task.id, provider=task.provider, placement=placement)

    async def _keep(self, task: Task, placement: str, upstream_id: str, look_at: int) -> None:
        """The task is paid for and its id is only here: a full disk, say, is waited out, and the log tells the id."""
        for pause in (*KEEP_AGAIN, None):
            try:
                await self._store.tasks.accepted(placement, upstream_id, self._clock(), look_at)
                return
            except Exception as error:
                log.failure("task.unrecorded", error, task=task.id, upstream_id=upstream_id)
                if pause is None:
                    raise
                await asyncio.sleep(pause)

    async def _defer(self, task: Task, placement: str, reason: str, retry_after: float | None) -> None:
        now = self._clock()
        if now - (task.reopened_at or task.created_at) > GIVE_UP_MS:
            await self._receiver.give_up(task, NOT_ACCEPTED, "send", verdict=Verdict.NOT_ACCEPTED)
            return
        sends = len(await self._store.lookups.placements(task.id))
        due_at = next_send(sends, now, retry_after, self._jitter)
        await self._store.tasks.deferred(placement, reason, now, due_at)
        self._wake(f"send.{task.provider}")
        log.event("task.deferred", task=task.id, provider=task.provider, reason=reason, due_at=due_at)

    async def _doubt(self, task: Task, placement: str, reason: str) -> None:
        now = self._clock()
        until = now + int(self._timing.in_doubt * 1000)
        if await self._store.tasks.doubted(placement, reason, now, until) is not None:
            await self._tell_operator("submission.in_doubt", task, reason)

    async def _refuse(self, task: Task, refusal: Refusal, told: bool) -> Refusal:
        await self._receiver.give_up(task, refusal.failure, "send", verdict=Verdict.REFUSED, tell=not told)
        return refusal

    async def _account_refused(self, task: Task, placement: str, refusal: Refusal, told: bool) -> Refusal | None:
        """Who waits is told. A task that was accepted before must not fail by it: it waits for the operator."""
        reason = f"HTTP {refusal.status} {refusal.failure.code}"
        await self._tell_operator("upstream.account_refused", task, reason)
        if told:
            return await self._refuse(task, ACCOUNT_TROUBLE, told)
        await self._defer(task, placement, reason, ACCOUNT_SECONDS)
        return None

    async def _tell_operator(self, kind: str, task: Task, reason: str) -> None:
        await self._operator.tell(kind, task.id, task=task.id, provider=task.provider, reason=reason)


def as_sent(submission: Submission, callback_url: str | None) -> Submission:
    """What goes upstream: the client's submission with our own callback URL. Held connections are held by us."""
    return replace(submission, callback_url=callback_url, hold=False, timeout=None)


def _invites_retry(status: int) -> bool:
    """SDKs create the job again on these, whatever the body says (dashscope 2.x, acedatacloud: 408, 409, 429, 5xx)."""
    return status in (408, 409, 429) or status >= 500


class SendQueue:
    """The tasks that wait to be sent (again) to one upstream account, as a worker sees them. They leave at a pace, so
    that an upstream that comes back is not met by all of them at once."""

    def __init__(
        self,
        upstream: Upstream,
        store: Store,
        sender: Sender,
        clock: Clock,
        timing: Timing,
        new_id: Callable[[], str],
    ) -> None:
        self._upstream = upstream
        self._store = store
        self._sender = sender
        self._clock = clock
        self._timing = timing
        self._new_id = new_id

    async def claim(self, room: int) -> Sequence[Task]:
        now = self._clock()
        limit = min(room, self._upstream.sends.room(now))
        if not limit:
            return ()
        doubt_at = self._timing.doubt_at(now)
        tasks = await self._store.tasks.claim_sends(now, doubt_at, limit, self._new_id, self._upstream.name)
        self._upstream.sends.take(len(tasks), now)
        return tasks

    async def handle(self, item: Task) -> None:
        await self._sender.send(item)

    async def next_due(self) -> int | None:
        due = await self._store.queues.next_due(Queue.SENDS, self._upstream.name)
        return None if due is None else max(due, self._upstream.sends.free_at)
