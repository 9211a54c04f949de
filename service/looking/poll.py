"""Tasks due for a look: polling turned into callbacks.

One queue per upstream account. A look is due by time, or because an upstream's callback (only ever a hint) made it due
now. What a look hears goes to `receive`; what it cannot hear delays the next one and never fails a task: it is stalled.
Only when the upstream can no longer know it, it has expired; a late result is welcome even then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from adapters.catalogue import Catalogue
from adapters.messages import ENDED, Query, Report, State
from service.accounts.learning import Learned
from service.accounts.silence import Silence
from service.accounts.upstream import Unheard, Upstream
from service.backoff import LONGEST_LOOK, Jitter
from service.clock import Clock
from service.domain.ledger import NEVER_BILLED
from service.domain.look_times import UNHEARD, LookTimes, look_pause
from service.domain.tasks import TASK_EXPIRED, Placement, Task, Verdict
from service.doubts.overrule import Overruler
from service.keys.callback_urls import CallbackUrls
from service.logs import get_logger
from service.looking.expire import Expiry
from service.operator import Operator
from service.store import Queue, Store
from service.telling.receive import Receiver

log = get_logger("poll")
LEASE_MS = 60_000
AGAIN_SECONDS = 3.0
NOT_KNOWN_SECONDS = 300.0
"""The longest pause before an upstream that is heard, but does not know a task yet, is asked for it again."""

LOOK = "look: "
"""The beginning of a placement's reason where it tells of looks."""


Pair = tuple[Placement, Task, tuple[str, ...]]
"""A placement, its task, and the upstream ids that may be its own."""


@dataclass(frozen=True, slots=True)
class Look:
    """One query to come: placements of one flat service, with their tasks and the upstream ids to ask for."""

    service: str
    pairs: tuple[Pair, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(upstream_id for _, _, ids in self.pairs for upstream_id in ids)


class LookQueue:
    """The tasks of one upstream account that are due for a look, as a worker sees them."""

    def __init__(
        self,
        upstream: Upstream,
        store: Store,
        receiver: Receiver,
        operator: Operator,
        overruler: Overruler,
        learned: Learned,
        catalogue: Catalogue,
        urls: CallbackUrls,
        clock: Clock,
        jitter: Jitter,
    ) -> None:
        self._upstream = upstream
        self._store = store
        self._receiver = receiver
        self._operator = operator
        self._overruler = overruler
        self._expiry = Expiry(store, receiver, operator, clock)
        self._learned = learned
        self._silence = Silence(upstream, store, operator, clock)
        self._times = LookTimes(upstream.provider, upstream.every, clock(), jitter)
        self._catalogue = catalogue
        self._urls = urls
        self._clock = clock

    async def claim(self, room: int, *, hinted: bool = False) -> Sequence[Look]:
        """`hinted`: only at what something says has ended."""
        await self._silence.notice()
        now = self._clock()
        queries = min(room, self._upstream.bucket.room(now))
        if not queries:
            return ()
        batch = self._upstream.provider.batch
        placements = await self._store.placements.claim_looks(
            self._upstream.name, now, now + LEASE_MS, queries * batch, self._upstream.holds, hinted=hinted
        )
        looks = await self._looks(placements, batch) if placements else []
        self._upstream.bucket.take(len(looks), now)
        return looks

    async def next_due(self) -> int | None:
        due = await self._store.queues.next_due(Queue.LOOKS, self._upstream.name, self._upstream.holds)
        return None if due is None else max(due, self._upstream.bucket.free_at)

    async def handle(self, item: Look) -> None:
        query = Query(item.ids, service=item.service, batch=self._upstream.provider.batch > 1)
        try:
            heard = await self._upstream.look(query) if item.ids else {}
        except Unheard as error:
            await self._silence.unheard(error)
            for placement, task, _ in item.pairs:
                await self._unheard(placement, task, error)
            return
        if item.ids:
            self._upstream.health.heard()
        for placement, task, ids in item.pairs:
            await self._hear(placement, task, [heard[upstream_id] for upstream_id in ids if upstream_id in heard])

    async def _looks(self, placements: Sequence[Placement], batch: int) -> list[Look]:
        tasks = {task.id: task for task in await self._store.lookups.tasks_by_id([p.task for p in placements], None)}
        pairs: list[tuple[tuple[str, str], Pair]] = []
        for placement in placements:
            task = tasks[placement.task]
            # Ids that only a callback named are asked for alone: a forged one must not spoil the others' answer.
            alone = placement.id if placement.upstream_id is None else ""
            pairs.append(((self._service(task), alone), (placement, task, await self._ids(placement))))
        looks = []
        for (service, _), group in groupby(sorted(pairs, key=itemgetter(0)), key=itemgetter(0)):
            looks += [Look(service, part) for part in _parts([pair for _, pair in group], batch)]
        return looks

    async def _ids(self, placement: Placement) -> tuple[str, ...]:
        if placement.upstream_id is not None:
            return (placement.upstream_id,)
        return tuple(await self._store.placements.hinted_ids(placement.id))[: self._upstream.provider.batch]

    def _service(self, task: Task) -> str:
        model = self._catalogue.find(task.model)
        return model.service if model else task.service

    async def _hear(self, placement: Placement, task: Task, reports: Sequence[Report]) -> None:
        if placement.upstream_id is None:
            await self._adopt(placement, task, reports)
            return
        report = reports[0] if reports else None
        if report is None or report.state is State.UNKNOWN:
            await self._unknown(placement, task)
            return
        last_word = placement.empty > 0
        detector = placement.hinted_by or "look"
        moved = await self._receiver.report(
            task, report, detector, placement=placement.id, last_word=last_word, denied=placement.denied
        )
        if moved is not None and moved.ended:
            await self._learn(placement, report)
        ended = report.state in ENDED and (report.state is not State.SUCCEEDED or last_word or bool(report.video_url))
        if moved is None and ended and (task.ended or placement.id != task.placement):
            await self._receiver.closed(placement.id, report)
        elif moved is None or not moved.ended:
            await self._again(placement, report)

    async def _adopt(self, placement: Placement, task: Task, reports: Sequence[Report]) -> None:
        """A send in doubt, given up, or denied: believed is only a record that echoes exactly our callback URL."""
        for report in reports:
            if self._urls.placement(self._upstream.provider, report.callback_url) == placement.id:
                if placement.verdict in NEVER_BILLED:
                    await self._overruler.overrule(placement, report, "callback")
                    return
                now = self._clock()
                adopted = await self._store.tasks.accepted(placement.id, report.task_id, now, now)
                log.event("task.adopted", task=task.id, provider=task.provider, placement=placement.id)
                await self._receiver.report(adopted or task, report, "callback", placement=placement.id)
                return
        if placement.verdict not in (Verdict.SENDING, Verdict.IN_DOUBT):  # until another callback comes
            await self._store.placements.looked(placement, None, self._clock(), heard=False)
        else:
            await self._later(placement)

    async def _again(self, placement: Placement, report: Report) -> None:
        empty = report.state is State.SUCCEEDED
        reason = _reason(placement, word=report.word)
        if report.word and reason != placement.reason:
            await self._tell_word(report.word)
        now = self._clock()
        due_at = self._times.again(placement, AGAIN_SECONDS if empty else await self._pause(placement), now)
        await self._store.placements.looked(placement, due_at, now, heard=True, empty=empty, reason=reason)

    async def _unknown(self, placement: Placement, task: Task) -> None:
        """The upstream says that it has no such task: not yet, or, once it may have forgotten it, no more."""
        if self._times.forgotten(placement, self._clock()):
            await self._expiry.expire(placement, task, TASK_EXPIRED, None)
        else:
            await self._later(placement, "the upstream does not know it yet", NOT_KNOWN_SECONDS)

    async def _unheard(self, placement: Placement, task: Task, error: Unheard) -> None:
        now = self._clock()
        if error.throttled and not self._times.forgotten(placement, now):
            await self._store.placements.put_back(placement, self._times.soon(self._upstream.bucket.free_at, now))
        elif self._times.unheard(placement, now):
            await self._expiry.expire(placement, task, UNHEARD, self._times.rarely(now))
        else:
            await self._later(placement, str(error))

    async def _later(self, placement: Placement, trouble: str = "", longest: float = LONGEST_LOOK) -> None:
        now = self._clock()
        due_at = self._times.later(placement, await self._pause(placement, listed=False), now, longest)
        reason = _reason(placement, trouble=trouble)
        await self._store.placements.looked(placement, due_at, now, heard=False, reason=reason)

    async def _tell_word(self, word: str) -> None:
        name, label = self._upstream.name, self._upstream.label
        await self._operator.tell("upstream.unknown_word", f"{label}:{word}", provider=name, word=word)

    async def _pause(self, placement: Placement, *, listed: bool = True) -> float:
        """Seconds to the next look. Whoever will call back is looked at slowly until it has."""
        provider, now = self._upstream.provider, self._clock()
        promised = not placement.watched and self._urls.of(provider, placement.id) is not None
        return look_pause(
            provider,
            self._upstream.every,
            await self._learned.of(provider.name, placement.workload),
            (now - placement.sent_at) / 1000,
            promised=promised and not await self._store.placements.called_back(placement.id),
            listed=listed and self._upstream.is_swept(now),
        )

    async def _learn(self, placement: Placement, report: Report) -> None:
        """How long a video took, by the upstream's own clock where it says it."""
        if report.state is State.SUCCEEDED and not placement.watched:
            ended = min(report.finished_at or self._clock(), self._clock())
            await self._learned.add(self._upstream.name, placement.workload, max(ended - placement.sent_at, 0) / 1000)


def _reason(placement: Placement, *, trouble: str = "", word: str = "") -> str:
    """What the record says of the latest look. Why a send was doubted is not forgotten over trouble with a look."""
    if word:
        return f"{LOOK}unknown word {word}"
    before = placement.reason or ""
    told = f"{LOOK}{trouble}" if trouble else ""
    return told if before.startswith(LOOK) else before or told


def _parts(pairs: Sequence[Pair], most: int) -> list[tuple[Pair, ...]]:
    """In groups of at most `most` ids; a pair is never split."""
    parts: list[list[Pair]] = [[]]
    room = most
    for pair in pairs:
        if parts[-1] and len(pair[2]) > room:
            parts.append([])
            room = most
        parts[-1].append(pair)
        room -= len(pair[2])
    return [tuple(part) for part in parts if part]
