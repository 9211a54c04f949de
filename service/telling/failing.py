"""What follows when a receiver wants no more, or when nothing but failures happens for days.

An endpoint is disabled, after a warning: nothing is lost, its messages wait until somebody enables it. A bare URL has
nobody to enable it, so what waited there for as long as a whole schedule takes is exhausted; it can be replayed.
"""

from __future__ import annotations

from service.backoff import DELIVERY_DELAYS
from service.clock import Clock
from service.domain.deliveries import Delivery, DisabledBy
from service.domain.lanes import Lane, hopeless, worrying
from service.domain.tell import iso
from service.operator import Operator
from service.store import Store
from service.telling.outcomes import Outcome

SCHEDULE_MS = int(sum(DELIVERY_DELAYS) * 1000)
SAME_MS = 3_600_000
"""Trouble of ours is told of once while it comes again within so long."""
AT_ONCE = 500
"""Messages that are given up in one transaction."""


class Failing:
    def __init__(self, store: Store, operator: Operator, clock: Clock) -> None:
        self._store = store
        self._operator = operator
        self._clock = clock

    async def unwanted(self, delivery: Delivery, outcome: Outcome) -> None:
        """The receiver has asked for no more messages at all."""
        if delivery.endpoint is not None:
            await self._disable(delivery, delivery.endpoint, DisabledBy.GONE, outcome.reason)

    async def hindered(self, outcome: Outcome) -> None:
        """Nothing could be sent, and it is ours to mend."""
        since = self._clock() - SAME_MS
        await self._operator.tell("delivery.hindered", outcome.verdict, since=since, reason=outcome.reason)

    async def failed(self, delivery: Delivery, lane: Lane, outcome: Outcome) -> None:
        """One more failure in a row."""
        now = self._clock()
        if hopeless(lane, now) and await self._is_theirs(lane, outcome):
            if delivery.endpoint is not None:
                await self._disable(delivery, delivery.endpoint, DisabledBy.FAILING, outcome.reason)
            else:
                await self._store.lanes.give_up(lane.id, now - SCHEDULE_MS, AT_ONCE)
        elif worrying(lane, now):
            since = iso(lane.failing_since or now)
            await self._store.lanes.warned(lane.id, now)
            await self._tell("receiver.failing", delivery, begun=since, reason=outcome.reason)

    async def _is_theirs(self, lane: Lane, outcome: Outcome) -> bool:
        """Whether it is the receiver that is down and not our way out: it has answered, or others did meanwhile."""
        return outcome.status is not None or await self._store.lanes.any_success(lane.failing_since or 0)

    async def _disable(self, delivery: Delivery, endpoint: str, by: DisabledBy, reason: str) -> None:
        """What it answered where it led before says nothing of where it leads now."""
        now = self._clock()
        found = await self._store.endpoints.disable(endpoint, None, by, now, delivery.url)
        if found is not None and found.disabled_at == now:
            await self._tell("endpoint.disabled", delivery, by=by, reason=reason)

    async def _tell(self, kind: str, delivery: Delivery, **fields: str) -> None:
        await self._operator.tell(
            kind, delivery.lane, since=None, client=delivery.client, receiver=delivery.receiver, **fields
        )
