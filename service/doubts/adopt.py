"""Adopting: the operator has found the video of a lost submission in the provider's console and says its id.

The upstream is asked once, before anything is changed; then the send has its id, and its reports go the way of all
reports. Nothing new is sent: what is adopted is paid for once, adopted or not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from adapters.base import Adapter
from adapters.catalogue import Catalogue
from adapters.messages import Category, Query, Report, State
from service.accounts.pacing import TooBusy, Turns
from service.accounts.upstream import Unheard, Upstream
from service.accounts.upstreams import Upstreams
from service.clock import Clock
from service.domain.ledger import NEVER_BILLED, Charge, decimal_of
from service.domain.tasks import Placement, Task, TaskState, Verdict
from service.doubts.overrule import Overruler
from service.errors import Refused, refused
from service.keys.callback_urls import CallbackUrls
from service.logs import get_logger
from service.sending.failover import read_stored
from service.store import Store
from service.telling.receive import Receiver

log = get_logger("adopt")

UNNAMED = frozenset({Verdict.IN_DOUBT, Verdict.UNPROVEN})
AGAIN_SECONDS = 10.0
"""After which an upstream that could not be asked may be asked again, unless it says when."""

HOPELESS = frozenset({TaskState.SUCCEEDED, TaskState.CANCELED})
"""The ends that no result would change any more."""


@dataclass(frozen=True, slots=True)
class Find:
    """What the operator has found. The others say which send it is of, where several are in doubt ("": the latest)."""

    upstream_id: str
    provider: str = ""
    account: str = ""
    placement: str = ""

    def may_be(self, send: Placement) -> bool:
        wanted = ((self.provider, send.provider), (self.account, send.account), (self.placement, send.id))
        return all(given in ("", real) for given, real in wanted)


@dataclass(frozen=True, slots=True)
class Adoption:
    """`message` says what that costs."""

    task: Task
    placement: Placement
    message: str


class Adopter:
    """`wake` rouses a queue by name."""

    def __init__(
        self,
        store: Store,
        receiver: Receiver,
        overruler: Overruler,
        upstreams: Upstreams,
        shapes: Mapping[str, Adapter],
        catalogue: Catalogue,
        urls: CallbackUrls,
        clock: Clock,
        turns: Turns,
        wake: Callable[[str], None],
    ) -> None:
        self._store = store
        self._receiver = receiver
        self._overruler = overruler
        self._upstreams = upstreams
        self._shapes = shapes
        self._catalogue = catalogue
        self._urls = urls
        self._clock = clock
        self._turns = turns
        self._wake = wake

    async def adopt(self, task: Task, find: Find) -> Adoption:
        """Raises `Refused`: 409 where there is nothing to adopt, or not that; 503 if the upstream cannot be asked now.
        Then nothing was changed."""
        sends = await self._store.lookups.placements(task.id)
        placement = _meant(task, sends, find)
        upstream = self._upstreams.serving(placement)
        if upstream is None:
            raise refused(409, Category.CONFLICT, "This server has no key for that send's account.", "not_adopted")
        report = await self._ask(upstream, task, find.upstream_id)
        self._check(task, placement, upstream, report)
        now = self._clock()
        if placement.verdict in NEVER_BILLED:
            overruled = await self._overruler.overrule(placement, report, "operator")
            moved = await self._store.lookups.task(task.id) if overruled else None
        else:
            adopt = self._store.doubts.adopted if placement.upstream_id is None else self._store.decisions.revive
            moved = await adopt(placement.id, find.upstream_id, now, now)
        if moved is None:
            raise _refuse("that id belongs to another task, or this send is not in doubt any more")
        log.event("task.adopted", task=task.id, provider=placement.provider, placement=placement.id)
        ended = await self._receiver.report(moved, report, "operator", placement=placement.id)
        self._wake(f"look.{upstream.label}")
        charges = await self._store.charges.of_task(task.id)
        bill = _bill(upstream.provider.title, report, charges.get(placement.id))
        return Adoption(ended or moved, placement, bill)

    async def _ask(self, upstream: Upstream, task: Task, upstream_id: str) -> Report:
        model = self._catalogue.find(task.model)
        service = model.service if model else task.service
        query = Query((upstream_id,), service=service, batch=upstream.provider.batch > 1)
        name = upstream.provider.title
        try:
            await self._turns.take(upstream.bucket)
            report = (await upstream.look(query)).get(upstream_id)
        except (TooBusy, Unheard) as error:
            text = f"{name} could not be asked for it now ({error}). Nothing has changed; try again later."
            later = refused(503, Category.TRANSIENT, text, "not_asked").refusal
            wait = error.seconds if isinstance(error, TooBusy) else error.retry_after
            raise Refused(replace(later, retry_after=wait or AGAIN_SECONDS)) from error
        if report is None or report.state is State.UNKNOWN:
            raise _refuse(f"{name} knows no such task of this account")
        return report

    def _check(self, task: Task, placement: Placement, upstream: Upstream, report: Report) -> None:
        """What the upstream's record says of its origin must not be another one."""
        sent_by = self._urls.placement(upstream.provider, report.callback_url)
        if sent_by not in (None, placement.id):
            raise _refuse("by its callback URL that is another send's video")
        asked = read_stored(task, self._shapes[task.shape])
        ours, theirs = (asked.prompt or "").strip(), (report.prompt or "").strip()
        if ours and theirs and not (ours.startswith(theirs) or theirs.startswith(ours)):
            raise _refuse("by its prompt that is another video")


def _meant(task: Task, sends: Sequence[Placement], find: Find) -> Placement:
    """The send that was found. Raises `Refused` (409)."""
    if task.watched or task.state in HOPELESS:
        raise _refuse("it was not sent from here" if task.watched else f"the task is {task.state}")
    known = [send for send in sends if send.upstream_id == find.upstream_id]
    if known and (task.state is not TaskState.EXPIRED or known[0].verdict is Verdict.ACCEPTED):
        raise _refuse("that id is known already, as the task's record shows")
    unnamed = [send for send in sends if send.upstream_id is None and not send.watched]
    doubtful = known or [send for send in unnamed if send.verdict in UNNAMED]
    doubtful = doubtful or [send for send in unnamed if send.verdict in NEVER_BILLED]  # the provider's no was not true
    meant = [send for send in doubtful if find.may_be(send)]
    if not meant:
        raise _refuse("the sends in doubt are other ones" if doubtful else "no send of this task is in doubt")
    return meant[-1]


def _refuse(why: str) -> Refused:
    return refused(409, Category.CONFLICT, f"Nothing was adopted: {why}.", "not_adopted")


def _bill(name: str, report: Report, charge: Charge | None) -> str:
    if report.state in (State.FAILED, State.CANCELED):
        return f"{name} says that it failed, so it bills nothing. Nothing new was sent."
    bills = "has billed" if report.state is State.SUCCEEDED else "bills"
    return f"{name} {bills} this video once, {_amount(charge)}. Nothing new was sent."


def _amount(charge: Charge | None) -> str:
    if charge is None or charge.per_second is None:
        return "at its own price (the catalogue has none)"
    if charge.amount is not None:
        return f"{decimal_of(charge.amount)} {charge.currency}"
    if charge.estimate is not None:
        return f"at most {decimal_of(charge.estimate)} {charge.currency}"
    return f"{decimal_of(charge.per_second)} {charge.currency} a second"
