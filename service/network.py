"""TCP and TLS as the HTTP pool wants them, with three things that its stock backend lacks."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
from typing_extensions import override


class TooLong(httpcore.ReadError):
    """The peer sends more than any reply needs."""


class Stream(httpcore.AsyncNetworkStream):
    """A connected stream that still knows its peer after the peer is gone, that reads at most `reply_cap` bytes for
    each request (a flood of 1xx answers has no end otherwise) and that leaves no socket open when TLS fails."""

    def __init__(self, inner: httpcore.AsyncNetworkStream, peer: Any, reply_cap: int | None) -> None:
        self._inner = inner
        self._peer = peer
        self._reply_cap = reply_cap
        self._read = 0

    @override
    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._reply_cap is not None and self._read >= self._reply_cap:
            raise TooLong("the reply is too long")
        data = await self._inner.read(max_bytes, timeout)
        self._read += len(data)
        return data

    @override
    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._read = 0
        await self._inner.write(buffer, timeout)

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()

    @override
    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        try:
            inner = await self._inner.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            await self._inner.aclose()  # the stock backend closes on errors only, not when it is cancelled
            raise
        return Stream(inner, self._peer, self._reply_cap)

    @override
    def get_extra_info(self, info: str) -> Any:
        return self._peer if info == "server_addr" else self._inner.get_extra_info(info)


class Network(httpcore.AsyncNetworkBackend):
    """Dials. Raises `httpcore.ConnectError` and `httpcore.ConnectTimeout`; there are no unix sockets."""

    def __init__(self, reply_cap: int | None = None) -> None:
        self._inner = httpcore.AnyIOBackend()
        self._reply_cap = reply_cap

    @override
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        inner = await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        try:
            peer = inner.get_extra_info("server_addr")
        except OSError as error:
            await inner.aclose()
            raise httpcore.ConnectError("the peer hung up at once") from error
        return Stream(inner, peer, self._reply_cap)

    @override
    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.UnsupportedProtocol("unix sockets are not dialled")

    @override
    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)
