"""The two HTTP clients, and how a request is sent so that its fate is known.

Upstream: what we pay for. A create is sent once, on a connection of its own, and a failure says whether the request can
have been seen. Egress: what others asked us to call. Each request has one absolute deadline (httpx's own time-outs run
per read: a receiver that drips a byte now and then never meets them), its reply is read to a cap, redirects are not
followed, and the guard decides on every connection.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from http.cookiejar import CookieJar
from typing import Any, cast

import httpx

from adapters import messages
from service.jsondoor import salvage_json
from service.network.egress import egress_policy
from service.network.guard import EgressGuard, Resolve, guarded_network
from service.network.phases import Peer, Phases, Stopwatch, measured
from service.network.pool import OriginTransport, Reuse
from service.network.proxy import ProxiedNetwork, Proxy, ProxyTrouble, proxy_of
from service.network.reasons import late, reason_of
from service.settings import Settings

AGENT = "Ringback/0.1"
EXCERPT = 16 * 1024
UPSTREAM_CAP = 8 * 1024 * 1024
REPLY_CAP = 64 * 1024  # a reply's head and more of its body than anybody keeps
MOST_PARTS = 1000  # of a body that comes in small pieces: each is work, however small
MAX_HEADERS, MAX_HEADER = 64, 1024
BODY_SECONDS = 2.0
"""How long the body of a delivery's reply is waited for: it decides nothing."""
NO_PHASES = Phases()

Client = httpx.AsyncClient
URL = httpx.URL
"""What `upstream_client` and `egress_client` make."""


class NoReply(Exception):
    """The exchange ended without a reply. `reason` is half a sentence for people; it holds no URL and no secret.
    Of a delivery, `phases` is how far it came and `peer` the (address, port) that was dialled last."""

    def __init__(self, reason: str, phases: Phases = NO_PHASES, peer: Peer | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.phases = phases
        self.peer = peer


class NotSent(NoReply):
    """Provably not a byte of the request was written: it may be sent again, or elsewhere."""


class Hindered(NotSent):
    """The operator's own proxy is in the way: nothing was sent, and nothing is known of the receiver."""


class Lost(NoReply):
    """The peer may have seen the request and acted on it."""


class _NoCookies(CookieJar):
    """One receiver's cookie must never reach another, so none is read and none is sent."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        pass

    def add_cookie_header(self, request: Any) -> None:
        pass


def upstream_client(
    *, mounts: Mapping[str, httpx.AsyncBaseTransport] | None = None, tls_context: ssl.SSLContext | None = None
) -> httpx.AsyncClient:
    """The client for providers. `mounts` routes hosts to other transports, as `httpx.AsyncClient` does."""
    return _client(
        OriginTransport(connect_retries=2, tls_context=tls_context),
        httpx.Timeout(connect=5.0, read=120.0, write=60.0, pool=5.0),
        mounts or {},
    )


def egress_of(
    settings: Settings, resolve: Resolve | None = None, *, reply_cap: int | None = REPLY_CAP
) -> tuple[EgressGuard, httpx.AsyncClient]:
    """The guard and the client for URLs that others gave us, as the operator wants them. Raises `SettingsError`."""
    proxy = proxy_of(settings)
    guard = EgressGuard(egress_policy(settings), resolve, proxied=proxy is not None)
    return guard, egress_client(guard, proxy=proxy, reply_cap=reply_cap)


def egress_client(
    guard: EgressGuard,
    *,
    proxy: Proxy | None = None,
    reply_cap: int | None = REPLY_CAP,
    tls_context: ssl.SSLContext | None = None,
) -> httpx.AsyncClient:
    """The client for URLs that others gave us. It reads at most `reply_cap` bytes for a request, head included. With
    a `proxy` everything goes through it."""

    def transport(scheme: str) -> OriginTransport:
        if proxy is None:
            network = guarded_network(guard, scheme, reply_cap=reply_cap)
            return OriginTransport(network, width=64, tls_context=tls_context)
        proxied = ProxiedNetwork(proxy, scheme, guard.vet, reply_cap=reply_cap)
        asked = proxy if scheme == "http" else None
        return OriginTransport(proxied, width=64, tls_context=tls_context, proxy=asked)

    return _client(
        transport("https"),
        httpx.Timeout(connect=10.0, read=30.0, write=30.0, pool=30.0),
        {"http://": transport("http")},
    )


def _client(
    transport: OriginTransport, timeout: httpx.Timeout, mounts: Mapping[str, httpx.AsyncBaseTransport]
) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=transport,
        mounts=dict(mounts),
        timeout=timeout,
        trust_env=False,  # a proxy of the environment would connect for us, past the guard
        follow_redirects=False,
        cookies=_NoCookies(),
        headers={"user-agent": AGENT, "accept-encoding": "identity"},
    )


@dataclass(frozen=True, slots=True)
class Reply:
    """What a receiver answered. `headers` has lower-case names, `body` is its first bytes as they came, `truncated`
    says that there was more, or that the rest did not come in time. `peer` is the (address, port) that was connected
    to, for `EgressPolicy.may_quote`; None if no socket was involved."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool
    phases: Phases
    peer: Peer | None = None


async def send_once(
    client: httpx.AsyncClient, request: httpx.Request, *, deadline_seconds: float, body_cap: int = EXCERPT
) -> Reply:
    """Sends a delivery. A kept connection that proves dead is replaced at once, so the receiver may see it twice.

    The status is the answer: a body that drips, breaks off or does not end only shortens what is kept of it.
    Raises `NotSent`, `Hindered` or `Lost`, and what the guard or a proxy forbids (`service.network.egress.Refused`).
    """
    with measured() as stopwatch:
        wire = _Wire(request, Reuse.RESEND, stopwatch)
        kept = bytearray()
        response = None
        whole = False
        try:
            async with asyncio.timeout(deadline_seconds) as due:
                response = await client.send(request, stream=True, follow_redirects=False)
                due.reschedule(min(due.when() or 0.0, asyncio.get_running_loop().time() + BODY_SECONDS))
                whole = await _read(response, response.aiter_raw(), kept, body_cap, MOST_PARTS)
        except ProxyTrouble as error:
            raise Hindered(error.reason, stopwatch.read()) from error
        except (httpx.HTTPError, OSError) as error:
            if response is None:
                raise wire.failure(error) from error
        phases = stopwatch.read()
    return Reply(response.status_code, _headers(response), bytes(kept), not whole, phases, _peer(response))


def upstream_request(
    client: httpx.AsyncClient, base_url: str, request: messages.Request, headers: Mapping[str, str]
) -> httpx.Request:
    """An adapter's request for one account: below `base_url`, which may end in a path, with `headers` (credentials)."""
    content = None
    sent = {**request.headers, **headers}
    if request.body is not None:
        content = json.dumps(request.body, ensure_ascii=False, separators=(",", ":")).encode()
        sent = {"content-type": "application/json", **sent}
    return client.build_request(
        request.method,
        base_url.rstrip("/") + request.path,
        params=dict(request.query) or None,
        content=content,
        headers=sent,
    )


async def send_upstream(
    client: httpx.AsyncClient, request: httpx.Request, read_timeout: float, *, fresh: bool = False
) -> messages.Response:
    """Sends to a provider and reads the whole reply, in `read_timeout` seconds altogether.

    `fresh` is for what must not happen twice: it gets a connection of its own and is never resent. Anything else is a
    look and is resent once if a kept connection proves dead. A body that is not JSON becomes None; one that breaks off
    behind its last bracket is whole, for it may name what was paid for. Raises `NotSent` or `Lost`; for a `fresh`
    request `Lost` means that the task may exist.
    """
    wire = _Wire(request, Reuse.NEVER if fresh else Reuse.RESEND)
    request.extensions["timeout"] = {**request.extensions.get("timeout", {}), "read": read_timeout}
    kept = bytearray()
    response = None
    try:
        async with asyncio.timeout(read_timeout):
            response = await client.send(request, stream=True, follow_redirects=False)
            if not await _read(response, response.aiter_bytes(), kept, UPSTREAM_CAP):
                raise Lost("the reply is too long")
    except (httpx.HTTPError, TimeoutError) as error:
        if response is None or not isinstance(salvage_json(bytes(kept)), dict | list):
            raise wire.failure(error) from error
    return messages.Response(response.status_code, salvage_json(bytes(kept)), dict(response.headers.items()))


async def _read(
    response: httpx.Response, parts: AsyncIterator[bytes], kept: bytearray, cap: int, most: int | None = None
) -> bool:
    """Moves the body into `kept`, up to `cap` bytes and `most` parts, and closes the reply; whether that was all."""
    number = 0
    try:
        async with aclosing(cast("AsyncGenerator[bytes, None]", parts)):
            async for part in parts:
                number += 1
                room = cap - len(kept)
                kept += part[:room]
                if len(part) > room or number == most:
                    return False
    finally:
        await response.aclose()
    return True


def _headers(response: httpx.Response) -> dict[str, str]:
    return {name: _printable(value[:MAX_HEADER]) for name, value in list(response.headers.items())[:MAX_HEADERS]}


def _printable(text: str) -> str:
    """For screens and logs: what could steer them is shown as a question mark in a lozenge."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _peer(response: httpx.Response) -> Peer | None:
    stream = response.extensions.get("network_stream")
    address = stream.get_extra_info("server_addr") if stream else None
    return (str(address[0]), int(address[1])) if address else None


class _Wire:
    """Watches one request through httpcore's "trace" extension, to know whether a byte of it can have left."""

    BEFORE = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)

    def __init__(self, request: httpx.Request, reuse: Reuse, stopwatch: Stopwatch | None = None) -> None:
        self._stopwatch = stopwatch
        self._connecting = False
        self._writing = False
        request.extensions = {**request.extensions, "reuse": reuse, "trace": self._see}

    async def _see(self, event: str, info: object) -> None:
        self._connecting |= event == "connection.connect_tcp.started"
        self._writing |= event.endswith("send_request_headers.started")

    def failure(self, error: Exception) -> NoReply:
        """`Lost` unless the opposite is proven. Where nothing is traced, the kind of error must prove it."""
        proven = not self._writing and (self._connecting or isinstance(error, self.BEFORE))
        phases, peer = (self._stopwatch.read(), self._stopwatch.peer) if self._stopwatch else (NO_PHASES, None)
        reason = late(phases) if proven and isinstance(error, TimeoutError) else reason_of(error, phases)
        return (NotSent if proven else Lost)(reason, phases, peer)
