"""Deliveries due: signed, POSTed through the guard, recorded, and done, later, or given up.

The body's bytes were fixed when the task ended; timestamp and signature are fresh for every attempt. A 2xx is success,
anything else is tried again by the schedule; 410 Gone ends it. Redirects are never followed.
"""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from service.backoff import Jitter
from service.clients import Clients
from service.clock import Clock
from service.egress import Refused
from service.http import Unreached, post_once
from service.logs import get_logger
from service.store import Queue, Store
from service.tasks import Delivery

log = get_logger(__name__)
DEADLINE_SECONDS = 20.0
LEASE_MS = 60_000
GONE = 410
REPLY_KEPT = 2_000


class DeliveryQueue:
    def __init__(self, store: Store, clients: Clients, client: httpx.AsyncClient, clock: Clock, jitter: Jitter) -> None:
        self._store = store
        self._clients = clients
        self._client = client
        self._clock = clock
        self._jitter = jitter

    async def claim(self, room: int) -> Sequence[Delivery]:
        now = self._clock()
        return await self._store.deliveries.claim(now, now + LEASE_MS, room)

    async def next_due(self) -> int | None:
        return await self._store.queues.next_due(Queue.DELIVERIES)

    async def handle(self, item: Delivery) -> None:
        started = self._clock()
        request = await self._signed(item, started)
        try:
            reply = await post_once(self._client, request, DEADLINE_SECONDS)
        except Refused as error:
            await self._failed(item, started, "refused", f"not dialled: {error}")
        except Unreached as error:
            await self._failed(item, started, error.kind, str(error))
        else:
            await self._answered(item, started, reply)
