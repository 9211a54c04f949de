"""One send of one task to its upstream, and what its answer makes of the task. Money is spent here, and only here.

The row says SUBMITTING before the first byte leaves. From then on there are four ends: accepted; refused; provably not
accepted (sent elsewhere, or again later); or in doubt, which is never sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
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
from service.allowances import Limited
from service.backoff import FIRST_DOUBT, Jitter, next_send
from service.callback_urls import CallbackUrls
from service.clock import Clock
from service.completion import Completion
from service.failover import ACCOUNT_TROUBLE, Failover, Nature, No, read_stored
from service.http import Lost, NotSent
from service.learning import Learned
from service.logs import get_logger
from service.look_times import look_pause
from service.operator import Operator
from service.receive import Receiver
from service.store import Placed, Store
from service.tasks import NOT_ACCEPTED, Placement, Task, Verdict
from service.timing import Timing
from service.upstream import Upstream
from service.upstreams import Upstreams
from service.workload import workload_at

log = get_logger("send")

ACCOUNT_SECONDS = 600.0
"""Before a task that was accepted already is tried again after a refusal that is about the operator's account, and how
long the other accounts of that provider come first."""

KEEP_AGAIN = (1.0, 2.0, 5.0, 10.0, 30.0, *(60.0,) * 10)
"""Seconds between tries to write down what was paid for; together less than a doubt lasts."""

THROTTLED_SECONDS, LONGEST_PAUSE = 2.0, 300.0
"""How long nothing waiting is sent to an account that said that it is too much, at least and at most."""

GIVE_UP_MS = 24 * 3600 * 1000


class Sender:
    """`wake` rouses a queue by name, because it has something that is due sooner than it knows."""

    def __init__(
        self,
        store: Store,
        receiver: Receiver,
        operator: Operator,
        upstreams: Upstreams,
        failover: Failover,
        learned: Learned,
        shapes: Mapping[str, Adapter],
        urls: CallbackUrls,
        clock: Clock,
        timing: Timing,
        jitter: Jitter,
        wake: Callable[[str], None],
        new_id: Callable[[], str],
    ) -> None:
        self._store = store
        self._receiver = receiver
        self._operator = operator
        self._upstreams = upstreams
        self._failover = failover
        self._learned = learned
        self._shapes = shapes
        self._urls = urls
        self._clock = clock
        self._timing = timing
        self._jitter = jitter
        self._wake = wake
        self._new_id = new_id

    async def send(self, task: Task, placement: Placement, heard: Callable[[], bool] = lambda: False) -> Refusal | None:
        """Sends a task that is SUBMITTING and records the outcome; where provably nothing was accepted, to the next
        candidate at once. Returns a definite refusal.

        `heard` says, at that moment, whether the client still waits for this very answer; if so it is told in person
        and its subscribers are not."""
        said: dict[str, No] = {}
        while (no := await self._try(task, placement)) is not None:
            said[task.provider] = no
            if no.nature is Nature.FINAL:
                return await self._refuse((task, placement), no, no.refusal, heard())
            left = await self._left(task, said)
            moved = await self._elsewhere((task, placement), no, left)
            if moved is None:
                return await self._wait_or_end((task, placement), no, said, left, heard)
            task, placement = moved
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
        known = await self._learned.of(upstream.name, kind)
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
            await self._tell_operator("upstream.account_refused", task, no.reason)
        return no

    async def _left(self, task: Task, said: Mapping[str, No]) -> tuple[str, ...]:
        """The candidates that have not refused the task for good, now or in an earlier round."""
        sends = await self._store.lookups.placements(task.id)
        gone = {send.provider for send in sends if send.verdict is Verdict.REFUSED}
        gone |= {provider for provider, no in said.items() if no.verdict is Verdict.REFUSED}
        standing = await self._store.allowances.standing(task.client, self._clock(), moving=task)
        return tuple(provider for provider in self._failover.candidates(task, standing) if provider not in gone)

    async def _elsewhere(self, sent: Placed, no: No, left: Sequence[str]) -> Placed | None:
        """The task on its way to the next of those that are `left`, or None if none of them has room now."""
        task, now = sent[0], self._clock()
        others = [name for name in left if name not in (task.provider, *task.passed)]
        roads = [self._failover.road(task, name, now) for name in others]
        if no.of_account and task.provider in left:
            same = self._failover.road(task, task.provider, now)
            roads.insert(0, replace(same, seats=[seat for seat in same.seats if not seat.last]))
        doubt_at = self._timing.doubt_at(now)
        try:
            moved = await self._store.sends.elsewhere(sent, no.verdict, no.reason, roads, now, doubt_at, self._new_id)
        except Limited:  # somebody else has spent in the meantime
            return None
        if moved is not None:
            self._wake(f"send.{task.provider}")
            log.event("task.elsewhere", task=task.id, provider=moved[0].provider, reason=no.reason)
        return moved

    async def _wait_or_end(
        self, sent: Placed, no: No, said: Mapping[str, No], left: Sequence[str], heard: Callable[[], bool]
    ) -> Refusal | None:
        """Nobody takes the task now. It waits for whoever may be asked soonest; if only accounts in trouble are left,
        who waits for the answer is told, and a task that was accepted before waits for the operator."""
        now = self._clock()
        calm = [name for name in left if not self._in_trouble(name, said, now)]
        if calm:
            soonest = min(calm, key=lambda name: (self._rests(name, said, now), name in said))
            await self._defer(sent, no, said, soonest)
            return None
        told = heard()
        if told or not left:
            definite = [no.refusal for no in said.values() if no.nature is Nature.ELSEWHERE]
            last = definite[-1] if definite else ACCOUNT_TROUBLE
            return await self._refuse(sent, no, last, told)
        await self._defer(sent, no, said, left[0])
        return None

    def _in_trouble(self, provider: str, said: Mapping[str, No], now: int) -> bool:
        """Another of its accounts may only be busy."""
        account = provider in said and said[provider].nature is Nature.ACCOUNT
        return account and self._upstreams.in_trouble(provider, now)

    def _rests(self, provider: str, said: Mapping[str, No], now: int) -> int:
        asked = said[provider].retry_after if provider in said else None
        return max(self._upstreams.rests_until(provider) - now, int((asked or 0.0) * 1000), 0)

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
        for pause in (*KEEP_AGAIN, None):
            try:
                now = self._clock()
                await self._store.tasks.accepted(placement, upstream_id, now, look_at, kind, expected_at)
                return
            except Exception as error:
                log.failure("task.unrecorded", error, task=task.id, upstream_id=upstream_id)
                if pause is None:
                    raise
                await asyncio.sleep(pause)

    async def _defer(self, sent: Placed, no: No, said: Mapping[str, No], provider: str) -> None:
        """The task waits to be sent to `provider`; one that was not asked in this round gets it in its turn."""
        task, placement = sent
        now = due_at = self._clock()
        sends = await self._store.lookups.placements(task.id)
        tried = [send.sent_at for send in sends if send.sent_at >= (task.reopened_at or 0)]
        if now - min(tried, default=now) > GIVE_UP_MS:  # a day in line, for room, is no day of refusals
            await self._end(sent, no, NOT_ACCEPTED, Verdict.NOT_ACCEPTED)
            return
        if provider in said:
            times = sum(send.provider == provider for send in sends)
            wait = ACCOUNT_SECONDS if self._in_trouble(provider, said, now) else said[provider].retry_after
            due_at = next_send(times, now, wait, self._jitter)
        road = None if provider == task.provider else self._failover.road(task, provider, now)
        try:
            await self._store.sends.deferred(placement.id, no.reason, now, due_at, road, no.verdict)
        except Limited as error:  # somebody else has spent in the meantime
            if no.verdict is Verdict.NOT_ACCEPTED:  # where it is the money is reserved
                await self._defer(sent, no, said, task.provider)
            else:
                await self._refuse(sent, no, error.refusal, told=False)
            return
        for each in {task.provider, provider}:
            self._wake(f"send.{each}")
        log.event("task.deferred", task=task.id, provider=provider, reason=no.reason, due_at=due_at)

    async def _doubt(self, task: Task, placement: str, reason: str) -> None:
        now = self._clock()
        if await self._store.tasks.doubted(placement, reason, now, now + FIRST_DOUBT) is not None:
            await self._tell_operator("submission.in_doubt", task, reason)

    async def _refuse(self, sent: Placed, no: No, refusal: Refusal | None, told: bool) -> Refusal | None:
        assert refusal is not None, "a definite no is in somebody's words"
        definite = replace(refusal, status=400) if _invites_retry(refusal.status) else refusal
        ended = await self._end(sent, no, definite.failure, Verdict.REFUSED, tell=not told)
        return definite if ended else None

    async def _end(self, sent: Placed, no: No, failure: Failure, verdict: Verdict, *, tell: bool = True) -> bool:
        """False: another send of the task has been proven or made since, and it goes on by that."""
        task, placement = sent
        if await self._store.sends.went_on(placement.id, no.reason, self._clock(), no.verdict) is not None:
            return False
        ended = await self._receiver.give_up(task, failure, "send", verdict=verdict, placement=placement.id, tell=tell)
        return ended is not None

    async def _tell_operator(self, kind: str, task: Task, reason: str) -> None:
        await self._operator.tell(kind, task.id, task=task.id, provider=task.provider, reason=reason)


def as_sent(submission: Submission, callback_url: str | None) -> Submission:
    """What goes upstream: the client's submission with our own callback URL. Held connections are held by us."""
    return replace(submission, callback_url=callback_url, hold=False, timeout=None)


def _invites_retry(status: int) -> bool:
    """SDKs create the job again on these, whatever the body says (dashscope 2.x, acedatacloud: 408, 409, 429, 5xx)."""
    return status in (408, 409, 429) or status >= 500
