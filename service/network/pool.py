"""Connections kept per origin, below `httpx.AsyncClient`.

The stock pool of httpcore 1.0 looks through all of its connections for every request, which is quadratic in what is in
flight: 2.5 ms of CPU per request alone, 37 ms among 64. Here each origin has a lane of its own. Lanes are keyed by host
name, never by address: two hosts behind one address must not share a TLS connection.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from functools import cache, partial
from typing import Protocol, runtime_checkable

import httpcore
import httpx

from service.network.dialling import Network
from service.network.proxy import PROXY_NEEDS_A_PASSWORD, Proxy, trouble_of


class Reuse(Enum):
    """What a request may do with a connection that served another before; the request's extension "reuse".

    A server may close an idle connection at the very moment that we write to it, and then nobody knows whether it saw
    the request. So what must happen once at most (a paid create) takes a connection of its own, and what may happen
    twice (a delivery, a look) is sent again at once.
    """

    NEVER = "never"
    RESEND = "resend"


DEAD = (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError, httpcore.ConnectionNotAvailable)
"""How a kept connection shows that its server had closed it."""

FAILURES = (
    (httpcore.ConnectTimeout, httpx.ConnectTimeout),
    (httpcore.ReadTimeout, httpx.ReadTimeout),
    (httpcore.WriteTimeout, httpx.WriteTimeout),
    (httpcore.ConnectError, httpx.ConnectError),
    (httpcore.ReadError, httpx.ReadError),
    (httpcore.WriteError, httpx.WriteError),
    (httpcore.LocalProtocolError, httpx.LocalProtocolError),
    (httpcore.RemoteProtocolError, httpx.RemoteProtocolError),
    (httpcore.UnsupportedProtocol, httpx.UnsupportedProtocol),
    (httpcore.ConnectionNotAvailable, httpx.ReadError),
    (httpcore.NetworkError, httpx.NetworkError),
)
"""The first that fits counts."""


@cache
def tls() -> ssl.SSLContext:
    """One context for all clients, since each takes 100 ms to make. `SSL_CERT_FILE` may name the operator's own CA."""
    return httpx.create_ssl_context()


class _Lane:
    """The connections to one origin: `slots` limits those in use, `idle` holds the kept ones, the latest last."""

    def __init__(self, width: int) -> None:
        self.slots = asyncio.Semaphore(width)
        self.idle: list[httpcore.AsyncHTTPConnection] = []
        self.users = 0


_Key = tuple[bytes, bytes, int | None]


class OriginTransport(httpx.AsyncBaseTransport):
    """At most `width` requests at once to one origin, at most `keep` idle connections in all, none older than
    `keep_seconds`. `connect_retries` repeats the connection phase only, when nothing has been sent. With a `proxy`,
    `backend` connects to that, and requests name the whole URL.

    A request that fails or is cancelled leaves nothing behind: its connection is closed, its slot is free.
    """

    def __init__(
        self,
        backend: httpcore.AsyncNetworkBackend | None = None,
        *,
        width: int = 64,
        keep: int = 256,
        keep_seconds: float = 15.0,
        connect_retries: int = 0,
        tls_context: ssl.SSLContext | None = None,
        proxy: Proxy | None = None,
    ) -> None:
        self._proxy = proxy
        self._backend = backend or Network()
        self._width = width
        self._keep = keep
        self._keep_seconds = keep_seconds
        self._connect_retries = connect_retries
        self._tls = tls_context or tls()
        self._lanes: dict[_Key, _Lane] = {}
        self._idle: OrderedDict[httpcore.AsyncHTTPConnection, _Key] = OrderedDict()  # the longest idle first
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.scheme not in ("http", "https"):
            raise httpx.UnsupportedProtocol("only http and https are spoken")
        key = (request.url.raw_scheme, request.url.raw_host, request.url.port)
        await self._enter(key, request.extensions.get("timeout", {}).get("pool"))
        try:
            with _translated():
                connection, reply = await self._exchange(key, request)
        except BaseException:
            self._leave(key)
            raise
        assert isinstance(reply.stream, AsyncIterable)
        if self._proxy and reply.status == PROXY_NEEDS_A_PASSWORD:
            try:
                await connection.aclose()
            finally:
                self._leave(key)
            raise trouble_of(reply.status)
        return _Answer(
            reply.status,
            headers=reply.headers,
            stream=_Body(reply.stream, partial(self._give_back, key, connection)),
            extensions=reply.extensions,
        )

    async def aclose(self) -> None:
        """Closes the idle connections; those in use close when their replies do."""
        self._closed = True
        while self._idle:
            await self._drop(next(iter(self._idle)))

    async def _exchange(
        self, key: _Key, request: httpx.Request
    ) -> tuple[httpcore.AsyncHTTPConnection, httpcore.Response]:
        wire = _core_request(request, self._proxy)
        reuse = request.extensions.get("reuse")
        kept = None if reuse is Reuse.NEVER else await self._take_idle(key)
        if kept is not None:
            try:
                return kept, await _send(kept, wire)
            except DEAD:
                if reuse is not Reuse.RESEND or not isinstance(request.stream, httpx.ByteStream):
                    raise
        connection = httpcore.AsyncHTTPConnection(
            wire.url.origin,
            ssl_context=self._tls,
            keepalive_expiry=self._keep_seconds,
            retries=self._connect_retries,
            network_backend=self._backend,
        )
        return connection, await _send(connection, wire)

    async def _enter(self, key: _Key, wait_seconds: float | None) -> None:
        lane = self._lanes.setdefault(key, _Lane(self._width))
        lane.users += 1
        try:
            async with asyncio.timeout(wait_seconds):
                await lane.slots.acquire()
        except BaseException as error:
            self._forget(key)
            if isinstance(error, TimeoutError):
                raise httpx.PoolTimeout("too many requests to this host at once") from error
            raise

    def _leave(self, key: _Key) -> None:
        self._lanes[key].slots.release()
        self._forget(key)

    def _forget(self, key: _Key) -> None:
        lane = self._lanes[key]
        lane.users -= 1
        self._tidy(key)

    def _tidy(self, key: _Key) -> None:
        if not self._lanes[key].users and not self._lanes[key].idle:
            del self._lanes[key]

    async def _take_idle(self, key: _Key) -> httpcore.AsyncHTTPConnection | None:
        """The connection that was used last, if it still stands."""
        idle = self._lanes[key].idle
        while idle:
            connection = idle.pop()
            del self._idle[connection]
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return None

    async def _give_back(self, key: _Key, connection: httpcore.AsyncHTTPConnection) -> None:
        try:
            if self._closed or not connection.is_idle() or _answered_more(connection):
                await connection.aclose()
            else:
                self._lanes[key].idle.append(connection)
                self._idle[connection] = key
                await self._drop_old()
        finally:
            self._leave(key)

    async def _drop_old(self) -> None:
        while self._idle:
            oldest = next(iter(self._idle))
            if len(self._idle) <= self._keep and not oldest.has_expired():
                return
            await self._drop(oldest)

    async def _drop(self, connection: httpcore.AsyncHTTPConnection) -> None:
        key = self._idle.pop(connection)
        self._lanes[key].idle.remove(connection)
        self._tidy(key)
        await connection.aclose()


async def _send(connection: httpcore.AsyncHTTPConnection, request: httpcore.Request) -> httpcore.Response:
    try:
        return await connection.handle_async_request(request)
    except BaseException:
        await connection.aclose()  # httpcore leaves it open when it is cancelled just before the first byte
        raise


class _Answer(httpx.Response):
    """A redirect is an answer like any other. httpx would read where it leads even if nobody follows, and stumble."""

    @property
    def has_redirect_location(self) -> bool:
        return False


class _Body(httpx.AsyncByteStream):
    """A reply's body; closing it, read to the end or not, gives the connection back once.

    It is its own iterator: a generator around another one is left to the garbage collector when nobody reads on.
    """

    def __init__(self, stream: AsyncIterable[bytes], give_back: Callable[[], Awaitable[None]]) -> None:
        self._stream = stream
        self._parts = aiter(stream)
        self._give_back: Callable[[], Awaitable[None]] | None = give_back

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        with _translated():
            return await anext(self._parts)

    async def aclose(self) -> None:
        give_back, self._give_back = self._give_back, None
        if give_back is None:
            return
        try:
            for closable in (self._parts, self._stream):
                if isinstance(closable, _Closable):
                    await closable.aclose()
        finally:
            await give_back()


def _answered_more(connection: httpcore.AsyncHTTPConnection) -> bool:
    """Whether bytes came behind the reply: the next request on this connection would take them for its answer. Only
    the parser has them, and httpcore does not show it; a parser that is not where it was counts as one that has."""
    parser = getattr(getattr(connection, "_connection", None), "_h11_state", None)
    return parser is None or bool(parser.trailing_data[0])


@runtime_checkable
class _Closable(Protocol):
    async def aclose(self) -> None: ...


def _core_request(request: httpx.Request, proxy: Proxy | None) -> httpcore.Request:
    assert isinstance(request.stream, httpx.AsyncByteStream)
    url = request.url
    target = b"%s://%s%s" % (url.raw_scheme, url.netloc, url.raw_path) if proxy else url.raw_path
    return httpcore.Request(
        method=request.method,
        url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=target),
        headers=[*request.headers.raw, *(proxy.headers if proxy else [])],
        content=request.stream,
        extensions=request.extensions,
    )


@contextmanager
def _translated() -> Iterator[None]:
    """httpcore's failures as httpx's, which callers know."""
    try:
        yield
    except Exception as error:
        for core, public in FAILURES:
            if isinstance(error, core):
                raise public(str(error)) from error
        raise
