"""A small proxy on loopback: tunnels and forwards to wherever a test says that a name leads."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class ForwardProxy:
    """`leads` maps "host:port" to a port of loopback, `says` to a status that is answered instead. `password` is what
    it wants as `user:password`."""

    leads: Mapping[str, int]
    says: dict[str, int] = field(default_factory=dict)
    password: str = ""
    port: int = 0
    asked: list[bytes] = field(default_factory=list)
    raw: bytes = b""

    @property
    def url(self) -> str:
        return f"http://{self.password}{'@' if self.password else ''}127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.asked.append(head)
            await self._answer(head, reader, writer)
        writer.close()

    async def _answer(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        place = target if method == "CONNECT" else _place_in(target)
        status = self.says.get(place) or self._refusal(head, place)
        if self.raw or status:
            writer.write(self.raw or b"HTTP/1.1 %d No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)
            return
        there, thither = await asyncio.open_connection("127.0.0.1", self.leads[place])
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n")
        else:
            path = target.split("/", 3)[3]
            thither.write(head.replace(target.encode(), f"/{path}".encode(), 1))
        try:
            await asyncio.gather(_pipe(reader, thither), _pipe(there, writer))
        finally:
            thither.transport.abort()

    def _refusal(self, head: bytes, place: str) -> int:
        wanted = b"Basic " + base64.b64encode(self.password.encode())
        if self.password and b"Proxy-Authorization: " + wanted not in head:
            return 407
        return 0 if place in self.leads else 502


def _place_in(url: str) -> str:
    host = url.split("/", 3)[2]
    return host if ":" in host else f"{host}:80"


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def proxying(leads: Mapping[str, int], *, password: str = "") -> AsyncIterator[ForwardProxy]:
    proxy = ForwardProxy(leads, password=password)
    tasks: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        task = asyncio.create_task(proxy.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
        for writer in writers:
            writer.transport.abort()
        for _ in range(3):  # what was aborted is told so
            await asyncio.sleep(0)
