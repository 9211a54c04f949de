"""Which question to an upstream can prove a send in doubt. What one can prove is told by what its adapter can do.

In a list that echoes what was sent our own callback URL is looked for: found is proven. Where a list only says which
tasks there are, the unknown ones are asked how they ended (`service.domain.proof`). Without a list nothing can be
proven.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapters.base import Adapter, ListAdapter
from adapters.catalogue import Catalogue
from adapters.messages import Submission, Unreadable, Unsupported
from service.accounts.upstream import Upstream
from service.accounts.upstreams import Upstreams
from service.clock import Clock
from service.domain.proof import Doubt, can_be_proven, span_of
from service.domain.tasks import Placement, Task
from service.keys.callback_urls import CallbackUrls
from service.sending.failover import read_stored
from service.sending.send import as_sent
from service.store import Store


@dataclass(frozen=True, slots=True)
class Scope:
    """What one list tells of: the tasks of an account, of one flat service or of one model."""

    upstream: Upstream
    lister: ListAdapter
    service: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """Doubts that one list may tell of. `scope` None: their account is not configured now; `hopeless`: no answer could
    prove them."""

    doubts: tuple[Doubt, ...]
    scope: Scope | None = None
    hopeless: bool = False


class Questions:
    def __init__(
        self,
        store: Store,
        upstreams: Upstreams,
        shapes: Mapping[str, Adapter],
        catalogue: Catalogue,
        urls: CallbackUrls,
        clock: Clock,
    ) -> None:
        self._store = store
        self._upstreams = upstreams
        self._shapes = shapes
        self._catalogue = catalogue
        self._urls = urls
        self._clock = clock

    async def of(self, placements: Sequence[Placement]) -> list[Question]:
        grouped: defaultdict[tuple[Scope | None, bool], list[Doubt]] = defaultdict(list)
        for doubt, service in await self._with_services(placements):
            hopeless = not self._provable(doubt)
            scope = None if hopeless else self._scope(doubt, service)
            grouped[scope, hopeless].append(doubt)
        return [Question(tuple(doubts), scope, hopeless) for (scope, hopeless), doubts in grouped.items()]

    async def doubts(self, placements: Sequence[Placement]) -> list[Doubt]:
        """Sends of which nobody knows what they became, with what they asked for."""
        return [doubt for doubt, _ in await self._with_services(placements)]

    def _provable(self, doubt: Doubt) -> bool:
        """Whether the upstream could prove it at all; one that is unknown today may be able to tomorrow."""
        row = self._catalogue.providers.get(doubt.placement.provider)
        if row is None:
            return True
        echo = self._urls.of(row, doubt.id) is not None
        return can_be_proven(self._shapes[row.shape], doubt.asked, echo=echo)

    def _scope(self, doubt: Doubt, service: str) -> Scope | None:
        upstream = self._upstreams.serving(doubt.placement)
        lister = upstream.adapter if upstream else None
        if upstream is None or not isinstance(lister, ListAdapter):
            return None
        if lister.lists_requests:
            return Scope(upstream, lister, service=service)
        return Scope(upstream, lister, model=doubt.asked.model if doubt.asked else "")

    async def _with_services(self, placements: Sequence[Placement]) -> list[tuple[Doubt, str]]:
        """The sends as doubts, with their flat services."""
        now = self._clock()
        tasks = {task.id: task for task in await self._store.lookups.tasks_by_id([p.task for p in placements], None)}
        found = []
        for placement in placements:
            task = tasks[placement.task]
            model = self._catalogue.find(task.model)
            doubt = Doubt(placement, self._asked(placement, task), *span_of(placement, now))
            found.append((doubt, model.service if model else task.service))
        return found

    def _asked(self, placement: Placement, task: Task) -> Submission | None:
        """What went over the wire, read back: with the defaults of the client's shape, under the model's real name."""
        row = self._catalogue.providers.get(placement.provider)
        if row is None:
            return None
        shape, adapter = self._shapes[task.shape], self._shapes[row.shape]
        try:
            sent = adapter.write_submission(as_sent(read_stored(task, shape), None))
            return adapter.read_submission(sent)
        except (Unreadable, Unsupported):  # the catalogue has changed since
            return None
