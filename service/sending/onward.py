"""What follows a provider's no, by which provably nothing was accepted: the next candidate at once, a place in the
line, or the end. In a world that writes nothing down (a full disk) it is tried again until it is on disk: what is known
not to be sent shall not become a doubt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from adapters.messages import Failure, Refusal
from service.accounts.upstreams import Upstreams
from service.backoff import Jitter, next_send
from service.clock import Clock
from service.domain.allowances import Limited
from service.domain.tasks import NOT_ACCEPTED, Placement, Task, Verdict
from service.logs import get_logger
from service.operator import Operator
from service.sending.failover import ACCOUNT_TROUBLE, Failover, Nature, No
from service.sending.timing import Timing
from service.store import Placed, Store
from service.telling.receive import Receiver

log = get_logger("send")
T = TypeVar("T")

ACCOUNT_SECONDS = 600.0
"""Before a task that was accepted already is tried again after a refusal that is about the operator's account, and how
long the other accounts of that provider come first."""

KEEP_AGAIN = (1.0, 2.0, 5.0, 10.0, 30.0, *(60.0,) * 10)
"""Seconds between tries to write down what must not be lost; together less than a doubt lasts."""

GIVE_UP_MS = 24 * 3600 * 1000

FETCH_AGAIN = (10.0, 60.0)
"""Seconds before a provider that could not download the input is asked once more (wire notes 6: a few times, delayed).
"""


class Onward:
    """`wake` rouses a queue by name, because it has something that is due sooner than it knows."""

    def __init__(
        self,
        store: Store,
        receiver: Receiver,
        operator: Operator,
        upstreams: Upstreams,
        failover: Failover,
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
        self._clock = clock
        self._timing = timing
        self._jitter = jitter
        self._wake = wake
        self._new_id = new_id

    async def after(
        self, sent: Placed, no: No, said: Mapping[str, No], heard: Callable[[], bool]
    ) -> Placed | Refusal | None:
        """The next send of the task, which is to be made now; else it waits (None), or it has ended: by this refusal.
        `said` is what other providers said to the task in this round, `heard` as for `Sender.send`."""
        return await patiently(lambda: self._after(sent, no, said, heard), task=sent[0].id)

    async def absent(self, task: Task, placement: Placement) -> None:
        """The provider's list shows that nothing was accepted of a send in doubt: its task waits for the next one."""
        no = No(Nature.BUSY, placement.reason or "not in its list")
        said = {placement.provider: no}
        await self._wait_or_end((task, placement), no, said, await self._left(task, said), lambda: False)

    async def _after(
        self, sent: Placed, no: No, said: Mapping[str, No], heard: Callable[[], bool]
    ) -> Placed | Refusal | None:
        task = sent[0]
        if no.nature is Nature.ACCOUNT:
            await self._operator.tell(
                "upstream.account_refused", task.id, task=task.id, provider=task.provider, reason=no.reason
            )
        no = await self._often_enough(task, no)
        said = {**said, task.provider: no}
        if no.nature is Nature.FINAL:
            return await self._refuse(sent, no, no.refusal, heard())
        left = await self._left(task, said)
        moved = await self._elsewhere(sent, no, left)
        return moved or await self._wait_or_end(sent, no, said, left, heard)

    async def _often_enough(self, task: Task, no: No) -> No:
        """Who could not download the input a few times refuses the task for good."""
        if no.nature is not Nature.FETCH:
            return no
        sends = await self._store.lookups.placements(task.id)
        failed = [each for each in sends if each.provider == task.provider and each.reason == no.reason]
        return replace(no, nature=Nature.ELSEWHERE) if len(failed) >= len(FETCH_AGAIN) else no

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
            due_at = next_send(times, now, self._pause(provider, said, now, times), self._jitter)
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

    def _pause(self, provider: str, said: Mapping[str, No], now: int, times: int) -> float | None:
        if self._in_trouble(provider, said, now):
            return ACCOUNT_SECONDS
        no = said[provider]
        return FETCH_AGAIN[min(times, len(FETCH_AGAIN)) - 1] if no.nature is Nature.FETCH else no.retry_after

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
        if ended is None:
            await self._store.sends.denied(placement.id, no.reason, no.verdict)
        return ended is not None


async def patiently(write: Callable[[], Awaitable[T]], **about: str) -> T:
    """Does what must be written down, until it is. Raises what is in its way after a quarter of an hour."""
    for pause in KEEP_AGAIN:
        try:
            return await write()
        except Exception as error:
            log.failure("task.unrecorded", error, **about)
        await asyncio.sleep(pause)
    return await write()


def _invites_retry(status: int) -> bool:
    """SDKs create the job again on these, whatever the body says (dashscope 2.x, acedatacloud: 408, 409, 429, 5xx)."""
    return status in (408, 409, 429) or status >= 500
