"""What a kind of receiver is, and the moves that they are made of."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""All that a receiver does with one connection, from the moment that it was accepted. Returning closes it."""

MUCH = 64 * 1024 * 1024
"""What an endless receiver sends in the end if nobody stops it."""


@dataclass(frozen=True)
class Kind:
    """`status` is what an attempt must report, or else `reason` (a pattern) why there is no answer. `body` is the size
    of what is posted, `tls` the identity of a receiver that speaks TLS (see `tls.py`)."""

    name: str
    behave: Behave
    status: int | None = None
    reason: str = ""
    body: int = 20
    tls: str = ""


async def asked(reader: asyncio.StreamReader) -> bytes:
    """Reads one request whole; its head."""
    head = await reader.readuntil(b"\r\n\r\n")
    [length] = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    await reader.readexactly(int(length.partition(b":")[2]))
    return head


def reset(writer: asyncio.StreamWriter) -> None:
    """Closes with RST instead of FIN."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def stay(reader: asyncio.StreamReader) -> None:
    """Holds the connection, reading, until the other side closes it."""
    while await reader.read(65536):
        pass


async def flood(writer: asyncio.StreamWriter, piece: bytes) -> None:
    for _ in range(MUCH // len(piece)):
        writer.write(piece)
        await writer.drain()
    raise AssertionError("nobody stopped the flood")


async def drip(writer: asyncio.StreamWriter, data: bytes, seconds: float = 4.0) -> None:
    """A byte every few seconds: never long enough for a limit on a single read."""
    for byte in data:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(seconds)


def says(reply: bytes) -> Behave:
    """Answers every request of a connection with these bytes."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await asked(reader)
            writer.write(reply)

    return behave


def says_and_closes(reply: bytes) -> Behave:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(reply)

    return behave


def says_and_resets(reply: bytes) -> Behave:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(reply)
        await writer.drain()
        await asyncio.sleep(0.1)  # a reset overtakes what was sent right before it
        reset(writer)

    return behave


def says_for_ever(begin: bytes, piece: bytes) -> Behave:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(begin)
        await flood(writer, piece)

    return behave


def drips(begin: bytes, rest: bytes) -> Behave:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(begin)
        await drip(writer, rest)
        await stay(reader)

    return behave
