"""A late attempt whose link to the result has expired carries a fresh one, if the upstream still gives it.

The one exception to "the bytes of a message never change": a link that leads nowhere tells nobody anything. The task's
own link is replaced in the same transaction, so a GET, the events and every message of the task tell the same.
"""

from __future__ import annotations

from dataclasses import replace

from adapters.catalogue import Catalogue
from adapters.messages import Query, State
from service.accounts.pacing import TooBusy, Turns
from service.accounts.upstream import Unheard
from service.accounts.upstreams import Upstreams
from service.clock import Clock
from service.domain.deliveries import Delivery
from service.domain.links import carries, expires_at, with_link
from service.domain.tasks import Placement, Task
from service.domain.tell import iso
from service.logs import get_logger
from service.store import Store

log = get_logger("refresh")
LATE_MS = 3600 * 1000
"""No link ends so soon: younger messages are sent as they are, without a look at their task."""

SOON_MS = 60_000
"""A link that ends before anybody can use it has ended."""


class Refresher:
    def __init__(self, store: Store, upstreams: Upstreams, catalogue: Catalogue, turns: Turns, clock: Clock) -> None:
        self._store = store
        self._upstreams = upstreams
        self._catalogue = catalogue
        self._turns = turns
        self._clock = clock

    async def fresh(self, delivery: Delivery) -> tuple[Delivery, str | None]:
        """The message as it is to be sent now, and what its attempt's record says of a link that has expired."""
        now = self._clock()
        task = await self._store.lookups.task(delivery.task) if now - delivery.created_at >= LATE_MS else None
        link = task.outcome.video_url if task and task.outcome else None
        if task is None or task.outcome is None or link is None or not carries(delivery.body, link):
            return delivery, None
        if expires_at(link, task.outcome.finished_at or task.finished_at or now) > now + SOON_MS:
            return delivery, None
        new, why = await self._ask(task, now)
        if new is None or new == link:
            return delivery, f"the link to its video has expired and {why or 'the provider gives no other'}"
        at = iso(now)
        await self._store.links.replaced(task, new, now, lambda body: with_link(body, link, new, at))
        log.event("task.link_refreshed", task=task.id, provider=task.provider)
        return replace(delivery, body=with_link(delivery.body, link, new, at)), None

    async def _ask(self, task: Task, now: int) -> tuple[str | None, str]:
        """The link that the upstream gives now; None, and why there is none."""
        placement = await self._store.lookups.placement(task.placement) if task.placement else None
        upstream = self._upstreams.serving(placement) if placement else None
        if placement is None or placement.upstream_id is None or upstream is None:
            return None, "its provider cannot be asked any more"
        if now > placement.sent_at + upstream.provider.retention_seconds * 1000:
            return None, "its provider has forgotten it"
        try:
            await self._turns.take(upstream.bucket)
            found = (await upstream.look(self._query(task, placement, batch=upstream.provider.batch > 1))).get(
                placement.upstream_id
            )
        except (TooBusy, Unheard) as error:
            return None, f"its provider could not be asked ({error})"
        fresh = found.video_url if found is not None and found.state is State.SUCCEEDED else None
        if fresh is not None and expires_at(fresh, now) <= now + SOON_MS:
            fresh = None
        return fresh, ""

    def _query(self, task: Task, placement: Placement, *, batch: bool) -> Query:
        model = self._catalogue.find(task.model)
        return Query((placement.upstream_id or "",), service=model.service if model else task.service, batch=batch)
