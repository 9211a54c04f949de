"""Deliveries through the operator's own proxy, which resolves names, dials, and guards in our place.

https goes through a tunnel (CONNECT), so that TLS is between us and the receiver; http is asked of the proxy by its
whole URL. What is the proxy's fault is `ProxyTrouble`: the receiver has nothing to do with it.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import httpcore

from service.network import phases
from service.network.dialling import Stream
from service.network.egress import Refused, Target
from service.settings import Settings, SettingsError

WANTED = "use http://host:port or http://user:password@host:port"
FORBIDDEN = (403, 451)
"""The proxy's own guard says no."""

PROXY_NEEDS_A_PASSWORD = 407
NOT_FOUND = 404
"""Like any 5xx, how a proxy says that it cannot reach whom it was asked for."""


class ProxyTrouble(Exception):
    """The proxy cannot be used. `reason` is half a sentence without any secret. It is no kind of
    `httpcore.ConnectError`, which would be the receiver's."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Proxy:
    """`authorization` is the value of Proxy-Authorization."""

    host: str
    port: int
    authorization: bytes | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return [(b"Proxy-Authorization", self.authorization)] if self.authorization else []


def parse_proxy(text: str) -> Proxy:
    """Raises `ValueError`, which quotes nothing: the text may hold a password."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(WANTED) from None
    if parts.scheme != "http" or not host or not port or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(WANTED)
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError(f"{WANTED}; other characters must be percent-encoded")
    if parts.username is None:
        return Proxy(host, port)
    credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    return Proxy(host, port, b"Basic " + base64.b64encode(credentials))


def proxy_of(settings: Settings) -> Proxy | None:
    """Raises `SettingsError`."""
    if settings.egress_proxy is None:
        return None
    try:
        return parse_proxy(settings.egress_proxy.get_secret_value())
    except ValueError as error:
        raise SettingsError([f"RINGBACK_EGRESS_PROXY: {error}."]) from None


class ProxiedNetwork(httpcore.AsyncNetworkBackend):
    """Connections of one URL scheme, all through a proxy; `allow` raises for a target that must not be asked for.

    A connection's peer is unknown (None), so that no reply of it is quoted. Raises `ProxyTrouble`, `Refused`,
    `httpcore.ConnectError` and `httpcore.ConnectTimeout`.
    """

    def __init__(
        self, proxy: Proxy, scheme: str, allow: Callable[[Target], Awaitable[object]], *, reply_cap: int | None
    ) -> None:
        self._proxy = proxy
        self._scheme = scheme
        self._allow = allow
        self._reply_cap = reply_cap
        self._inner = httpcore.AnyIOBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> Coroutine[Any, Any, httpcore.AsyncNetworkStream]:
        return self._connect(Target(self._scheme, host, port), timeout)

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> Coroutine[Any, Any, httpcore.AsyncNetworkStream]:
        raise httpcore.UnsupportedProtocol("unix sockets are not dialled")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)

    async def _connect(self, target: Target, limit: float | None) -> httpcore.AsyncNetworkStream:
        await self._allow(target)
        phases.connecting()
        with phases.step("connect"):
            stream = await self._dial_proxy(limit)
            if self._scheme == "https":
                try:
                    await self._tunnel(stream, target, limit)
                except BaseException:
                    await stream.aclose()
                    raise
        return Stream(stream, None, self._reply_cap)

    async def _dial_proxy(self, limit: float | None) -> httpcore.AsyncNetworkStream:
        try:
            return await self._inner.connect_tcp(self._proxy.host, self._proxy.port, limit)
        except httpcore.ConnectTimeout as error:
            raise ProxyTrouble("no connection to the proxy in time") from error
        except httpcore.ConnectError as error:
            raise ProxyTrouble("the proxy cannot be reached") from error

    async def _tunnel(self, stream: httpcore.AsyncNetworkStream, target: Target, limit: float | None) -> None:
        authority = _authority(target)
        origin = httpcore.Origin(b"http", self._proxy.host.encode(), self._proxy.port)
        request = httpcore.Request(
            "CONNECT",
            httpcore.URL(scheme=origin.scheme, host=origin.host, port=origin.port, target=authority),
            headers=[(b"Host", authority), *self._proxy.headers],
        )
        capped = Stream(stream, None, 64 * 1024, measured=False)
        try:
            async with asyncio.timeout(limit):
                reply = await httpcore.AsyncHTTP11Connection(origin, capped).handle_async_request(request)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout("the proxy made no connection in time") from error
        except (httpcore.ProtocolError, httpcore.NetworkError) as error:
            raise ProxyTrouble("the proxy gave no answer that is HTTP") from error
        if not 200 <= reply.status < 300:
            _complain(reply.status, target)


def _authority(target: Target) -> bytes:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"{host}:{target.port}".encode()


def _complain(status: int, target: Target) -> None:
    if status in FORBIDDEN:
        raise Refused(f"The operator's proxy does not let deliveries go there (it answered {status}).")
    if status == NOT_FOUND or status >= 500:
        raise httpcore.ConnectError(f"the proxy could not connect: {status}") from CannotReach(status)
    raise trouble_of(status)


class CannotReach(Exception):
    """What a proxy answered when it could not reach a receiver."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


def trouble_of(status: int) -> ProxyTrouble:
    if status == PROXY_NEEDS_A_PASSWORD:
        return ProxyTrouble("the proxy does not accept its user name and password (it answered 407)")
    return ProxyTrouble(f"the proxy answered {status}")
