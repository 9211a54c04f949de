"""Asking an upstream which of its tasks the sends in doubt are: for all at once that one list can tell of, and within
the account's pace."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from adapters.messages import ENDED, Listing, Query, Report
from service.accounts.silence import Silence
from service.accounts.upstream import Declined, Unheard, Upstream
from service.clock import Clock
from service.domain.proof import SETTLED_MS, Candidate, Doubt, Standing, prove
from service.domain.tasks import Verdict
from service.doubts.questions import Question, Questions, Scope
from service.doubts.survey import WIDEST_MS, Survey, together
from service.keys.callback_urls import CallbackUrls
from service.operator import Operator
from service.store import Store

MOST = 2
BREATH_MS = 200
"""So many questions at once, and so long between two times: the looks at living tasks must not starve, and a provider
that counts by the second finds no burst."""

KEPT_REPORTS = 2000


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found out of `doubts`: what proves them, of which there is nothing to be found, and (the others) what is
    open. Of the `absent` ones (some of `nothing`) it is certain that they made no task. `named` is what was said of
    other sends. `again_at`: the reading goes on then, nothing is decided yet. `left` were not asked for."""

    doubts: Collection[Doubt]
    proven: Mapping[str, Report] = field(default_factory=dict)
    nothing: Collection[str] = ()
    absent: Collection[str] = ()
    named: Mapping[str, Report] = field(default_factory=dict)
    again_at: int | None = None
    left: Collection[Doubt] = ()


class Inquiry:
    """`patience` is how long a doubt may last without a sign, in seconds."""

    def __init__(
        self,
        store: Store,
        operator: Operator,
        questions: Questions,
        urls: CallbackUrls,
        clock: Clock,
        patience: float,
    ) -> None:
        self._store = store
        self._operator = operator
        self._questions = questions
        self._urls = urls
        self._clock = clock
        self._settled_ms = min(SETTLED_MS, int(patience * 1000))
        self._surveys: dict[Scope, Survey] = {}
        self._locks: defaultdict[Scope, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._known: dict[str, Report] = {}  # what ended tasks said: they do not change

    async def ask(self, question: Question) -> Answer:
        """One burst of requests, as large as the account's pace allows."""
        scope = question.scope
        if scope is None:
            return Answer(question.doubts, nothing=[one.id for one in question.doubts] if question.hopeless else ())
        ripe = min(self._settled_at(doubt) for doubt in question.doubts)
        if scope.model and self._clock() < ripe:
            return Answer(question.doubts, again_at=ripe)
        async with self._locks[scope]:
            survey = self._surveys.pop(scope, None)
            if survey is None or not any(doubt.id in survey.doubts for doubt in question.doubts):
                survey = await self._begun(scope, question.doubts)
            left = [doubt for doubt in question.doubts if doubt.id not in survey.doubts]
            return replace(await self._go_on(scope, survey), left=left)

    async def _go_on(self, scope: Scope, survey: Survey) -> Answer:
        doubts = survey.doubts.values()
        try:
            again_at = await self._burst(scope, survey)
        except Unheard as error:
            await self._unheard(scope.upstream, error)
            return Answer(doubts, survey.proven, named=survey.named)
        if again_at is not None:
            self._surveys[scope] = survey
            return Answer(doubts, survey.proven, again_at=again_at)
        if not scope.model:
            nothing = [one for one in doubts if one.id not in survey.proven]
            absent = {one.id for one in nothing if survey.begun_at >= self._settled_at(one)}
            return Answer(doubts, survey.proven, [one.id for one in nothing], absent, survey.named)
        return await self._decided(scope, survey)

    async def _burst(self, scope: Scope, survey: Survey) -> int | None:
        """When to go on with the reading; None: it is done. Raises `Unheard`."""
        upstream = scope.upstream
        now = self._clock()
        if survey.turn is None:
            wanted = min(len(survey.unasked), MOST) if survey.listed else 1
            survey.turn = upstream.bucket.reserve(wanted, now)
        if survey.turn > now:
            return survey.turn
        survey.turn = None
        if survey.listed:
            await asyncio.gather(*(self._look(upstream, survey, each) for each in survey.unasked[:MOST]))
        else:
            await self._page(scope, survey)
        return None if survey.complete else self._clock() + BREATH_MS

    async def _page(self, scope: Scope, survey: Survey) -> None:
        try:
            page = await scope.upstream.list(survey.page)
        except Declined:
            if not survey.declined(scope.lister.usual_page):
                raise
            return
        survey.heard(page)
        if not scope.model:
            for report in page.reports:
                sent_by = self._urls.placement(scope.upstream.provider, report.callback_url)
                if sent_by is not None:
                    (survey.proven if sent_by in survey.doubts else survey.named)[sent_by] = report
        elif survey.listed:
            survey.sift(await self._store.doubts.strangers(scope.upstream.name, survey.rows), self._known)
        if survey.too_long:
            raise Unheard("its list is too long")

    async def _look(self, upstream: Upstream, survey: Survey, task_id: str) -> None:
        report = None
        try:
            report = (await upstream.look(Query((task_id,)))).get(task_id)
        except Unheard as error:
            await self._unheard(upstream, error)
        if report is not None and report.state in ENDED:
            self._known[task_id] = report = replace(report, raw=None)
            while len(self._known) > KEPT_REPORTS:
                del self._known[next(iter(self._known))]
        survey.looked(task_id, report)

    async def _decided(self, scope: Scope, survey: Survey) -> Answer:
        """The sends that could claim a candidate too are read only now: the row of a send is there before its task."""
        candidates: list[Candidate] = list(survey.candidates.values())
        unnamed = await self._store.doubts.unnamed(scope.upstream.name, survey.since, survey.until)
        others = await self._questions.doubts(unnamed) if candidates else []
        settled = [one for one in survey.doubts.values() if survey.begun_at >= self._settled_at(one)]
        found = {doubt.id: prove(doubt, candidates, others) for doubt in settled}
        proven = {each: report for each, report in found.items() if isinstance(report, Report)}
        absent = {each for each, standing in found.items() if standing is Standing.ABSENT}
        nothing = [each for each, standing in found.items() if standing in (Standing.NOTHING, Standing.ABSENT)]
        return Answer(survey.doubts.values(), proven, nothing, absent)

    async def _begun(self, scope: Scope, due: Sequence[Doubt]) -> Survey:
        since, until = min(doubt.since for doubt in due), max(doubt.until for doubt in due)
        unnamed = await self._store.doubts.unnamed(scope.upstream.name, since - WIDEST_MS, until + WIDEST_MS)
        waiting = [one for one in unnamed if one.verdict is Verdict.IN_DOUBT]
        peers = [one for each in await self._questions.of(waiting) if each.scope == scope for one in each.doubts]
        doubts = together(due, peers)
        page = Listing(
            limit=scope.lister.largest_page,
            model=scope.model,
            service=scope.service,
            since=min(doubt.since for doubt in doubts.values()),
            until=max(doubt.until for doubt in doubts.values()),
        )
        return Survey(doubts, page, self._clock(), scope.lister.counts_all)

    def _settled_at(self, doubt: Doubt) -> int:
        lost_at = doubt.placement.lost_at
        return (doubt.placement.sent_at if lost_at is None else lost_at) + self._settled_ms

    async def _unheard(self, upstream: Upstream, error: Unheard) -> None:
        await Silence(upstream, self._store, self._operator, self._clock).unheard(error)
