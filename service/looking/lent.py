"""Looks with keys that watchers lent. Every key is an account with a pace of its own; one worker a provider serves them
all, because they come and go with the tasks that are watched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from adapters.providers import Provider
from service.accounts.upstream import Upstream, lent_label
from service.accounts.upstreams import Upstreams
from service.clock import Clock
from service.looking.poll import Look, LookQueue
from service.operator import Operator
from service.store import Store
from service.store.watches import Lent


@dataclass(frozen=True, slots=True)
class _Lender:
    """One lent key in use."""

    upstream: Upstream
    queue: LookQueue


class LentLooks:
    """`queue_of` makes the queue of one account."""

    def __init__(
        self,
        provider: Provider,
        upstreams: Upstreams,
        store: Store,
        operator: Operator,
        clock: Clock,
        queue_of: Callable[[Upstream], LookQueue],
    ) -> None:
        self._provider = provider
        self._upstreams = upstreams
        self._store = store
        self._operator = operator
        self._clock = clock
        self._queue_of = queue_of
        self._lenders: dict[str, _Lender] = {}
        self._unreadable: set[str] = set()

    async def claim(self, room: int) -> Sequence[tuple[LookQueue, Look]]:
        lent = await self._store.watches.lent(self._provider.name)
        found = {one.account: await self._lender(one) for one in lent}
        self._lenders = {account: lender for account, lender in found.items() if lender is not None}
        looks: list[tuple[LookQueue, Look]] = []
        for one in lent:
            lender = self._lenders.get(one.account)
            if lender is None or len(looks) >= room:
                continue
            if one.due_at <= self._clock() or lender.upstream.health.turned:  # its queue then wakes what is stalled
                looks += [(lender.queue, look) for look in await lender.queue.claim(room - len(looks))]
        return looks

    async def handle(self, item: tuple[LookQueue, Look]) -> None:
        queue, look = item
        await queue.handle(look)

    async def next_due(self) -> int | None:
        lent = await self._store.watches.lent(self._provider.name)
        known = [(one, lender) for one in lent if (lender := self._lenders.get(one.account))]
        return min((max(one.due_at, lender.upstream.bucket.free_at) for one, lender in known), default=None)

    async def _lender(self, lent: Lent) -> _Lender | None:
        """None: its key cannot be opened, which is told once a run."""
        if lent.account in self._lenders or lent.account in self._unreadable:
            return self._lenders.get(lent.account)
        placement = await self._store.lookups.placement(lent.placement)
        if placement is None or placement.credential is None:  # it has just ended
            return None
        upstream = self._upstreams.serving(placement)
        if upstream is None:
            self._unreadable.add(lent.account)
            await self._operator.tell(
                "watch.key_unreadable", lent_label(self._provider), provider=self._provider.name, task=placement.task
            )
            return None
        return _Lender(upstream, self._queue_of(upstream))
