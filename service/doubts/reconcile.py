"""Sends in doubt: a send whose answer never came becomes doubtful; a doubtful one is looked for in the upstream's list,
and adopted on proof or given up; one to which the provider said no is sent on, once that list shows no task of it.

Without proof the task ends FAILED `outcome_unknown`, because only a person can find out more; it is never sent again by
itself. But our trouble is never its failure: as long as the list cannot be heard, or a task that may be meant is still
at work, nobody gives up before the upstream has forgotten it. The upstream's callback may prove it too, through `poll`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from adapters.catalogue import Catalogue
from adapters.messages import Report
from service.backoff import FIRST_DOUBT, next_doubt
from service.clock import Clock
from service.domain.proof import SETTLED_MS, Doubt
from service.domain.tasks import OUTCOME_UNKNOWN, Placement, TaskState, Verdict
from service.doubts.inquiry import Inquiry
from service.doubts.overrule import Overruler
from service.doubts.questions import Question, Questions
from service.logs import get_logger
from service.operator import Operator
from service.sending.onward import Onward
from service.sending.timing import Timing
from service.store import Queue, Store
from service.telling.receive import Receiver

log = get_logger("doubt")
LEASE_MS = 5 * 60 * 1000
AT_ONCE = 500
RETENTION_SECONDS = 24 * 3600
"""Of a provider that is not known any more."""


class DoubtQueue:
    def __init__(
        self,
        store: Store,
        receiver: Receiver,
        onward: Onward,
        overruler: Overruler,
        operator: Operator,
        questions: Questions,
        inquiry: Inquiry,
        catalogue: Catalogue,
        clock: Clock,
        timing: Timing,
    ) -> None:
        self._store = store
        self._receiver = receiver
        self._onward = onward
        self._overruler = overruler
        self._operator = operator
        self._questions = questions
        self._inquiry = inquiry
        self._catalogue = catalogue
        self._clock = clock
        self._timing = timing

    async def claim(self, room: int) -> Sequence[Placement | Question]:
        """More than `room` at once: most of them are one question."""
        now = self._clock()
        claimed = await self._store.doubts.claim(now, now + LEASE_MS, AT_ONCE)
        sending = [one for one in claimed if one.verdict is Verdict.SENDING]
        doubtful = [one for one in claimed if one.verdict is Verdict.IN_DOUBT]
        return [*sending, *await self._questions.of(doubtful)]

    async def next_due(self) -> int | None:
        return await self._store.queues.next_due(Queue.DOUBTS)

    async def handle(self, item: Placement | Question) -> None:
        if isinstance(item, Placement):
            await self._doubt(item)
            return
        answer = await self._inquiry.ask(item)
        proven = [(one, answer.proven[one.id]) for one in answer.doubts if one.id in answer.proven]
        settled = {one.id for one, report in proven if await self._adopt(one, report)}
        settled |= {one.id for one in answer.doubts if one.id in answer.absent and await self._denied(one.placement)}
        for placement in await self._store.doubts.denied(answer.named):
            await self._overruler.overrule(placement, answer.named[placement.id], "list")
        rest = [one.placement for one in answer.doubts if one.id not in settled]
        if answer.again_at is None:
            await self._wait(rest, {*answer.nothing, *answer.proven}, hopeless=item.hopeless)
        else:
            await self._again(rest, answer.again_at)
        await self._again([one.placement for one in answer.left], answer.again_at or self._clock())

    async def _doubt(self, placement: Placement) -> None:
        now = self._clock()
        lost_at = min(now, placement.sent_at + int(self._timing.create_timeout * 1000))
        reason = "the server stopped before the answer was recorded"
        due_at = max(now, lost_at + FIRST_DOUBT)
        if await self._store.tasks.doubted(placement.id, reason, now, due_at, lost_at) is None:
            return  # the answer came in the meantime
        await self._operator.tell(
            "submission.in_doubt", placement.task, task=placement.task, provider=placement.provider, reason=reason
        )

    async def _denied(self, placement: Placement) -> bool:
        """The provider had said no, and its list shows that it is true. False: it never said so."""
        task = await self._store.lookups.task(placement.task) if placement.denied else None
        if task is None:
            return False
        await self._onward.absent(task, placement)
        return True

    async def _adopt(self, doubt: Doubt, report: Report) -> bool:
        """False: another placement has the upstream's task, or this one is not in doubt any more."""
        now, placement = self._clock(), doubt.placement
        row = self._catalogue.providers.get(placement.provider)
        look_at = now + int(row.look_every_seconds * 1000) if row else now
        task = await self._store.doubts.adopted(placement.id, report.task_id, now, look_at)
        if task is None:
            return False
        log.event("task.adopted", task=task.id, provider=placement.provider, placement=placement.id)
        await self._receiver.report(task, report, "list", placement=placement.id)
        return True

    async def _wait(self, placements: Sequence[Placement], nothing: Collection[str], *, hopeless: bool) -> None:
        """Those that are over are given up, the others are looked for again, together."""
        now = self._clock()
        waiting = []
        for placement in placements:
            end, last = self._ends(placement)
            if now >= last or (now >= end and placement.id in nothing):
                await self._give_up(placement)
            else:
                waiting.append(placement)
        if waiting:
            ends = [moment for each in waiting for moment in self._ends(each) if moment > now]
            pause = [] if hopeless else [next_doubt(max(_lost_at(each) for each in waiting), now)]
            await self._again(waiting, min([*ends, *pause]))

    async def _again(self, placements: Sequence[Placement], due_at: int) -> None:
        if placements:
            await self._store.doubts.again([each.id for each in placements], due_at)

    def _ends(self, placement: Placement) -> tuple[int, int]:
        """When a doubt without a sign of its task is given up, and when any is: the upstream has forgotten it."""
        row = self._catalogue.providers.get(placement.provider)
        retention = row.retention_seconds if row else RETENTION_SECONDS
        whole = SETTLED_MS if placement.denied else 0  # its list decides, and is to be read when it can be believed
        end = _lost_at(placement) + int(self._timing.in_doubt * 1000) + whole
        return end, max(end, placement.sent_at + retention * 1000)

    async def _give_up(self, placement: Placement) -> None:
        task = await self._store.lookups.task(placement.task)
        ended = None
        if task is not None and task.placement == placement.id:
            ended = await self._receiver.give_up(
                task,
                OUTCOME_UNKNOWN,
                "doubt",
                verdict=Verdict.UNPROVEN,
                only=TaskState.IN_DOUBT,
                placement=placement.id,
            )
        if ended is None:
            await self._store.doubts.left(placement.id)
            return
        await self._operator.tell(
            "submission.unproven", ended.id, task=ended.id, provider=placement.provider, reason=placement.reason or ""
        )


def _lost_at(placement: Placement) -> int:
    return placement.sent_at if placement.lost_at is None else placement.lost_at
