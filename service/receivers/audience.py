"""Who is to be told of a task, as a request says it: URLs and endpoints that may be told."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

from adapters.messages import Category
from service.clock import Clock
from service.domain.deliveries import Format, Subscription
from service.errors import refused
from service.keys.clients import Client
from service.network.egress import Refused as RefusedUrl
from service.network.guard import EgressGuard
from service.store import Store


@dataclass(frozen=True, slots=True)
class Wanted:
    """Both a `url` and an `endpoint` may be told. `format` and `events` None mean the endpoint's, or the usual ones.
    `fields` are the names that the request has for an endpoint and for events."""

    url: str | None = None
    endpoint: str | None = None
    format: Format | None = None
    events: tuple[str, ...] | None = None
    fields: tuple[str, str] = ("endpoint", "events")


class Audience:
    def __init__(self, store: Store, guard: EgressGuard, clock: Clock) -> None:
        self._store = store
        self._guard = guard
        self._clock = clock

    async def of(self, client: Client, wanted: Wanted, *, default: bool = True) -> list[Subscription]:
        """Subscriptions that belong to no task yet. Who names nobody means the client's default endpoint, or else its
        default URL, if that is so by `default`. Raises `Refused` (400)."""
        url, endpoint = wanted.url, None
        if wanted.endpoint is not None:
            endpoint = await self._store.endpoints.get(wanted.endpoint, None if client.admin else client.id)
            if endpoint is None:
                text = "there is no such endpoint; `ringback endpoints list` shows yours."
                raise refused(400, Category.INVALID_REQUEST, f"{wanted.fields[0]}: {text}")
        elif url is None and default:
            endpoint = await self._store.endpoints.default_of(client.id)
            url = None if endpoint else client.callback_url
        if url is not None:
            await self.check(url)
        if wanted.events is not None and url is None and endpoint is None:
            text = "nobody is to be told of this task; name a callback URL or an endpoint."
            raise refused(400, Category.INVALID_REQUEST, f"{wanted.fields[1]}: {text}")
        now, events = self._clock(), wanted.events
        told = [] if url is None else [Subscription(_id(), "", url, wanted.format or Format.OWN, now, None, events)]
        if endpoint is not None:
            told.append(Subscription(_id(), "", endpoint.url, wanted.format, now, endpoint.id, events))
        return told

    async def check(self, url: str, field: str = "callback_url") -> None:
        """Raises `Refused` (400) for a URL that deliveries may not go to."""
        try:
            await self._guard.check(url)
        except RefusedUrl as error:
            raise refused(400, Category.INVALID_REQUEST, f"{field}: {error}") from error


def _id() -> str:
    return str(uuid4())
