"""Trying a receiver: an event that did not happen is signed and POSTed by the way of those that do, once, or handed to
the streams that are open. Nothing of it is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace

from adapters.messages import Category
from service.clock import Clock
from service.domain.deliveries import Delivery, Format, Subscription
from service.domain.event_log import STREAMED, Event, forwarded_id
from service.domain.header_rules import wrong_headers
from service.domain.tell import Teller
from service.errors import refused
from service.keys.clients import Client, Clients
from service.keys.signing import sign
from service.keys.vault import Unopenable
from service.logs import get_logger
from service.network.egress import Refused
from service.network.guard import EgressGuard
from service.network.http import Client as HttpClient
from service.network.http import NoReply, send_once
from service.receivers.audience import Audience
from service.receivers.shares import Share
from service.receivers.trial import trial
from service.store import Store
from service.telling.streams import Streams

log = get_logger("trials")
DEADLINE_SECONDS = 20.0
MOST_OPEN = 4
"""Tests that one client may have under way."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Without a `url` and an `endpoint` the client's streams are told. `format` None is the endpoint's, or `event`;
    `shape` is that of the task which does not exist."""

    type: str
    url: str | None = None
    endpoint: str | None = None
    format: Format | None = None
    shape: str = "flat"


@dataclass(frozen=True, slots=True)
class Tried:
    """What was sent and what came of it; `listeners` of those that were told is None where one URL was."""

    message: Delivery
    listeners: int | None = None
    status: int | None = None
    reason: str = ""
    elapsed_ms: int = 0

    @property
    def delivered(self) -> bool:
        return bool(self.listeners) or (self.status is not None and 200 <= self.status < 300)


class Trials:
    def __init__(
        self,
        store: Store,
        clients: Clients,
        audience: Audience,
        teller: Teller,
        streams: Streams,
        guard: EgressGuard,
        http: HttpClient,
        clock: Clock,
    ) -> None:
        self._store = store
        self._clients = clients
        self._audience = audience
        self._teller = teller
        self._streams = streams
        self._guard = guard
        self._http = http
        self._clock = clock
        self._share = Share(MOST_OPEN, "tests", "too_many_tests")

    async def send(self, client: Client, wish: Wish) -> Tried:
        """Raises `Refused` (400: a URL that may not be called, or no such endpoint; 429: too many are under way)."""
        if wish.url is None and wish.endpoint is None:
            return self._stream(client, wish)
        with self._share.taken(client.id):
            owner, to = await self._to(client, wish)
            return await self._post(trial(self._teller, wish.type, wish.shape, to, owner, self._clock()))

    def _stream(self, client: Client, wish: Wish) -> Tried:
        now = self._clock()
        messages = {
            form: trial(self._teller, wish.type, wish.shape, Subscription("", "", "", form, now), client.id, now)
            for form in STREAMED
        }
        events = {form: Event(each.task, client.id, each.type, now, each.body) for form, each in messages.items()}
        told = messages[Format.EVENT]
        named = replace(told, id=forwarded_id(told.task, told.type))
        return Tried(named, listeners=self._streams.test(client.id, events))

    async def _to(self, client: Client, wish: Wish) -> tuple[str, Subscription]:
        now = self._clock()
        if wish.url is not None:
            await self._audience.check(wish.url, "url")
            return client.id, Subscription("", "", wish.url, wish.format or Format.EVENT, now)
        endpoint = await self._store.endpoints.get(wish.endpoint or "", None if client.admin else client.id)
        if endpoint is None:
            raise refused(400, Category.INVALID_REQUEST, "endpoint: there is no such endpoint.")
        return endpoint.client, Subscription("", "", endpoint.url, wish.format or endpoint.format, now, endpoint.id)

    async def _post(self, message: Delivery) -> Tried:
        began = self._clock()
        try:
            tried = await self._attempt(message)
        except Refused as error:
            tried = Tried(message, reason=f"not dialled: {error.reason}")
        except Unopenable as error:
            tried = Tried(message, reason=f"not sent: the webhook secret cannot be read: {error}")
        except NoReply as error:
            tried = Tried(message, reason=error.reason, elapsed_ms=self._clock() - began)
        log.event("test.sent", client=message.client, type=message.type, host=message.receiver, reason=tried.reason)
        return tried

    async def _attempt(self, message: Delivery) -> Tried:
        url = self._guard.policy.check_url(message.url)  # where it leads is judged at the connection
        way = await self._clients.way_of(message)
        if way is None:
            return Tried(message, reason="not sent: its endpoint was deleted")
        if (said := wrong_headers(way.headers)) is not None:
            return Tried(message, reason=f"not sent: headers of the endpoint: {said}")
        signed = sign(way.secrets, message.id, self._clock() // 1000, message.body)
        headers = {**way.headers, "content-type": message.content_type, **signed}
        request = self._http.build_request("POST", url, content=message.body, headers=headers)
        reply = await send_once(self._http, request, deadline_seconds=way.timeout_seconds or DEADLINE_SECONDS)
        return Tried(message, None, reply.status, _sentence(reply.status), reply.phases.total_ms)


def _sentence(status: int) -> str:
    if 300 <= status < 400:
        return f"answered {status}: redirects are not followed; change the URL"
    return f"answered {status}" if 200 <= status < 300 else f"answered {status}; a 2xx is needed"
