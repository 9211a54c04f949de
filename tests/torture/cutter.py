"""A TCP proxy that cuts an exchange at a chosen byte, on its way to a server or on the way back."""

from __future__ import annotations

import asyncio
import socket
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum

WHOLE = 1_000_000
"""More bytes than any reply here has."""


class Ending(StrEnum):
    """How the caller is left."""

    FIN = "fin"  # the connection ends in good order
    RST = "rst"
    SILENCE = "silence"  # it stands, and nothing comes any more


class Framing(StrEnum):
    """How the reply says where its body ends."""

    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"  # not at all: a body that was cut off looks whole


@dataclass(frozen=True, slots=True)
class Cut:
    """After so many bytes of the request went on; or, where that is None, once the server has answered the whole of it
    and so many bytes of its reply came back."""

    ending: Ending
    request: int | None = None
    reply: int = 0
    framing: Framing = Framing.LENGTH


@dataclass
class Cutter:
    """Passes connections on to `target`. The next connections are cut by `cuts`, further ones are passed as they are.
    `seen` has the last request and reply of an exchange that was cut on the way back."""

    url: str = ""
    target: str = ""
    cuts: list[Cut] = field(default_factory=list)
    seen: tuple[bytes, bytes] = b"", b""
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    async def taken(self, by: asyncio.Task[str]) -> None:
        """Waits until the connections for all `cuts` are there, which `by` makes."""
        while self.cuts:
            assert not by.done(), "it was answered without a connection that could be cut"
            await asyncio.sleep(0.001)

    async def accept(self, here: StreamReader, caller: StreamWriter) -> None:
        self._connections.add(connection := asyncio.current_task())  # type: ignore[arg-type]
        cut = self.cuts.pop(0) if self.cuts else None
        host, port = self.target.removeprefix("http://").split(":")
        there, server = await asyncio.open_connection(host, int(port))
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            if cut is None:
                await asyncio.gather(_pass(here, server), _pass(there, caller))
            else:
                await self._exchange(cut, here, caller, there, server)
        await _close(server)
        await _close(caller)
        self._connections.discard(connection)  # type: ignore[arg-type]

    async def _exchange(
        self, cut: Cut, here: StreamReader, caller: StreamWriter, there: StreamReader, server: StreamWriter
    ) -> None:
        if cut.request is not None:
            server.write(await here.readexactly(cut.request))
            await server.drain()
            server.close()
        else:
            request = await _message(here)
            server.write(request)
            reply = framed(await _message(there), cut.framing)
            self.seen = request, reply
            caller.write(reply[: cut.reply])
        await _leave(cut.ending, here, caller)

    async def close(self) -> None:
        """Waits until the last connection ended."""
        await asyncio.gather(*self._connections)


@asynccontextmanager
async def cutting() -> AsyncIterator[Cutter]:
    """A cutter that listens; its `target` is still to be set."""
    cutter = Cutter()
    listening = await asyncio.start_server(cutter.accept, "127.0.0.1", 0)
    cutter.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    async with listening:
        yield cutter
        listening.close()
        await cutter.close()


def framed(reply: bytes, framing: Framing) -> bytes:
    """A reply with a Content-Length, as another proxy might pass it on."""
    if framing is Framing.LENGTH:
        return reply
    head, _, body = reply.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length:")]
    lines.append(b"connection: close" if framing is Framing.CLOSE else b"transfer-encoding: chunked")
    if framing is Framing.CHUNKED:
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


async def _message(reader: StreamReader) -> bytes:
    """One whole request or reply with a Content-Length."""
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n") if b":" in line)
    return head + await reader.readexactly(int(fields[b"content-length"]))


async def _leave(ending: Ending, here: StreamReader, caller: StreamWriter) -> None:
    if ending is Ending.RST:
        sock: socket.socket = caller.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        caller.transport.abort()
        return
    if ending is Ending.FIN:
        caller.write_eof()
    await here.read()  # until the caller hangs up: who closes with bytes unread resets the connection


async def _pass(reader: StreamReader, writer: StreamWriter) -> None:
    while part := await reader.read(65536):
        writer.write(part)
        await writer.drain()
    writer.close()


async def _close(writer: StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
