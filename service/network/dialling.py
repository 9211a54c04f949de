"""TCP and TLS for the connection pool, with what its stock backend lacks: a say in where a name leads, several
addresses within one time limit, an end to endless replies, and no socket left open when a TLS handshake fails."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any

import httpcore

from service.network import phases
from service.network.addresses import read_address

Choose = Callable[[str, int], Awaitable[Sequence[str]]]
"""Where to dial for a host name and port, the best first. What it raises ends the connection attempt as it is."""

Options = Iterable[httpcore.SOCKET_OPTION] | None
PIECE = 4 * 1024
"""So much of a capped reply is read at once: parsing it is work of ours that everybody else waits for."""


SMALL, FEW = 256, 4
SIP_SECONDS, LONGEST_SIP = 0.5, 4.0
"""After `FEW` small pieces of one capped reply the next ones are waited for in sips, each twice as long: every drop
of a receiver that drips is a wake-up, for which others wait."""


class TooLong(httpcore.ReadError):
    """The peer sends more than any reply needs."""


class Elsewhere(httpcore.NetworkError):
    """A socket that was to lead to one address leads to another. Not a `ConnectError`, which would be retried."""


class Stream(httpcore.AsyncNetworkStream):
    """A connected stream that still knows its peer after the peer is gone, and that reads at most `reply_cap` bytes
    for each request: a flood of 1xx answers has no end otherwise. `peer` is None where only a proxy knows it;
    `measured` says that what it carries is the exchange itself."""

    def __init__(
        self, inner: httpcore.AsyncNetworkStream, peer: Any, reply_cap: int | None, *, measured: bool = True
    ) -> None:
        self._inner = inner
        self._measured = measured
        self._peer = peer
        self._reply_cap = reply_cap
        self._read = 0
        self._drops = 0

    def read(self, max_bytes: int, timeout: float | None = None) -> Coroutine[Any, Any, bytes]:
        return self._count(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> Coroutine[Any, Any, None]:
        return self._pass_on(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> Coroutine[Any, Any, httpcore.AsyncNetworkStream]:
        return self._secured(self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        if info == "server_addr":
            return self._peer
        if info == "is_readable":  # asked of a kept connection, where anything to read means that it is of no more use
            return self._inner.get_extra_info(info) or _holds_something(self._inner.get_extra_info("ssl_object"))
        return self._inner.get_extra_info(info)

    async def _pass_on(self, buffer: bytes, limit: float | None) -> None:
        self._read = self._drops = 0
        if self._measured:
            phases.written(self._peer[:2] if self._peer else None)
        try:
            await self._inner.write(buffer, limit)
        except ssl.SSLError as error:
            raise httpcore.WriteError("TLS ended") from error

    async def _count(self, max_bytes: int, limit: float | None) -> bytes:
        if self._reply_cap is not None:
            if self._read >= self._reply_cap:
                raise TooLong("the reply is too long")
            max_bytes = min(max_bytes, PIECE)
            if self._drops > FEW:
                await asyncio.sleep(min(SIP_SECONDS * 2.0 ** (self._drops - FEW - 1), LONGEST_SIP))
        try:
            data = await self._inner.read(max_bytes, limit)
        except ssl.SSLError as error:  # the stock stream knows those of the handshake only
            raise httpcore.ReadError("TLS ended") from error
        if self._measured:
            phases.heard()
        self._read += len(data)
        self._drops += len(data) < SMALL
        return data

    async def _secured(self, handshake: Awaitable[httpcore.AsyncNetworkStream]) -> httpcore.AsyncNetworkStream:
        try:
            with phases.step("tls"):
                return Stream(await handshake, self._peer, self._reply_cap)
        except BaseException:
            await self._inner.aclose()  # the stock stream closes on errors only, not when it is cancelled
            raise


def _holds_something(tls: ssl.SSLObject | None) -> bool:
    """Whether a record has come that nobody has read yet; the socket below has given it away already."""
    if tls is None:
        return False
    try:
        return bool(tls.read(1))
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:
        return True


class Network(httpcore.AsyncNetworkBackend):
    """Dials where `choose` says, or where the system's resolver does without one. There are no unix sockets.

    Raises `httpcore.ConnectError` and `httpcore.ConnectTimeout`; `Elsewhere` if a socket does not lead to the chosen
    address; what `choose` raises.
    """

    def __init__(
        self,
        choose: Choose | None = None,
        *,
        reply_cap: int | None = None,
        inner: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._choose = choose
        self._reply_cap = reply_cap
        self._inner = inner or httpcore.AnyIOBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Options = None,
    ) -> Coroutine[Any, Any, httpcore.AsyncNetworkStream]:
        return self._connect(host, port, timeout, socket_options)

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Options = None
    ) -> Coroutine[Any, Any, httpcore.AsyncNetworkStream]:
        raise httpcore.UnsupportedProtocol("unix sockets are not dialled")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)

    async def _connect(
        self, host: str, port: int, limit: float | None, options: Options
    ) -> httpcore.AsyncNetworkStream:
        if self._choose is None:
            return await self._dial(host, port, limit, options)
        phases.connecting()
        try:
            async with asyncio.timeout(limit) as due:
                with phases.step("dns"):
                    addresses = await self._choose(host, port)
                with phases.step("connect"):
                    return await self._dial_first(addresses, port, due.when(), options)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout("no connection in time") from error

    async def _dial_first(
        self, addresses: Sequence[str], port: int, due: float | None, options: Options
    ) -> httpcore.AsyncNetworkStream:
        """The first address that answers. Each gets an equal share of the time that is left, so that one which
        swallows packets does not use up the turn of the others."""
        failure: Exception = httpcore.ConnectError("no address")
        for place, address in enumerate(addresses):
            left = None if due is None else max(0.0, due - asyncio.get_running_loop().time())
            share = None if left is None else left / (len(addresses) - place)
            phases.dialling((address, port))
            try:
                stream = await self._dial(address, port, share, options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            return await _verified(stream, address, port)
        raise failure

    async def _dial(self, host: str, port: int, limit: float | None, options: Options) -> httpcore.AsyncNetworkStream:
        inner = await self._inner.connect_tcp(host, port, limit, None, options)
        try:
            peer = inner.get_extra_info("server_addr")
        except OSError:
            peer = None
        if peer is None:
            await inner.aclose()
            raise httpcore.ConnectError("the peer hung up at once")
        return Stream(inner, peer, self._reply_cap)


async def _verified(stream: httpcore.AsyncNetworkStream, address: str, port: int) -> httpcore.AsyncNetworkStream:
    """The socket's own word on where it leads: a second line of defence."""
    host, connected_port, *_ = stream.get_extra_info("server_addr")
    if (read_address(host), connected_port) != (read_address(address), port):
        await stream.aclose()
        raise Elsewhere("the connection led elsewhere than to the chosen address")
    return stream
