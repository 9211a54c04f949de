"""Receivers that hang up, stall or speak at the wrong moment."""

from __future__ import annotations

import asyncio

from tests.service.hostile.kinds import Kind, asked, drips, reset, says_and_closes, says_and_resets, stay

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LARGE = 16 * 1024 * 1024
"""More than the buffers of a socket hold."""

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


async def closes_at_once(reader: Reader, writer: Writer) -> None:
    writer.close()


async def resets_at_once(reader: Reader, writer: Writer) -> None:
    reset(writer)


async def half_closes_at_once(reader: Reader, writer: Writer) -> None:
    writer.write_eof()
    await stay(reader)


async def never_speaks(reader: Reader, writer: Writer) -> None:
    await stay(reader)


async def never_reads(reader: Reader, writer: Writer) -> None:
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(10_000)


async def reads_drop_by_drop(reader: Reader, writer: Writer) -> None:
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    while True:
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        if not await reader.read(1024):
            return
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(4)


async def closes_after_the_head(reader: Reader, writer: Writer) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def resets_after_the_head(reader: Reader, writer: Writer) -> None:
    await reader.readuntil(b"\r\n\r\n")
    reset(writer)


async def half_closes_after_the_head(reader: Reader, writer: Writer) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write_eof()
    await stay(reader)


async def resets_in_the_body(reader: Reader, writer: Writer) -> None:
    await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(10)
    reset(writer)


async def closes_after_the_request(reader: Reader, writer: Writer) -> None:
    await asked(reader)


async def resets_after_the_request(reader: Reader, writer: Writer) -> None:
    await asked(reader)
    reset(writer)


async def speaks_first(reader: Reader, writer: Writer) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    await stay(reader)


async def answers_before_the_request(reader: Reader, writer: Writer) -> None:
    while True:
        writer.write(OK)
        await asked(reader)


async def refuses_before_the_body(reader: Reader, writer: Writer) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()
    await stay(reader)


async def refuses_before_the_body_and_closes(reader: Reader, writer: Writer) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()
    writer.write_eof()
    await stay(reader)


BROKE_OFF = "the connection broke off"
LATE = "no complete answer in time"

STAGES = (
    Kind("closes at once", closes_at_once, reason=BROKE_OFF),
    Kind("resets at once", resets_at_once, reason=f"{BROKE_OFF}|hung up|failed"),
    Kind("half-closes at once", half_closes_at_once, reason=BROKE_OFF),
    Kind("never speaks", never_speaks, reason=LATE),
    Kind("never reads", never_reads, reason=LATE, body=LARGE),
    Kind("reads drop by drop", reads_drop_by_drop, reason=LATE, body=LARGE),
    Kind("closes after the head", closes_after_the_head, reason=BROKE_OFF),
    Kind("resets after the head", resets_after_the_head, reason=BROKE_OFF),
    Kind("half-closes after the head", half_closes_after_the_head, reason=BROKE_OFF),
    Kind("resets in the body", resets_in_the_body, reason=BROKE_OFF, body=LARGE),
    Kind("closes after the request", closes_after_the_request, reason=BROKE_OFF),
    Kind("resets after the request", resets_after_the_request, reason=BROKE_OFF),
    Kind("speaks first, and no HTTP", speaks_first, reason=LATE),
    Kind("answers before it was asked", answers_before_the_request, status=200),
    Kind("refuses before the body", refuses_before_the_body, status=413, body=LARGE),
    Kind("refuses before the body and half-closes", refuses_before_the_body_and_closes, status=413, body=LARGE),
    Kind("closes in the status line", says_and_closes(b"HTTP/1.1 2"), reason="not HTTP|broke off"),
    Kind("resets in the status line", says_and_resets(b"HTTP/1.1 2"), reason=BROKE_OFF),
    Kind("closes in the head", says_and_closes(b"HTTP/1.1 200 OK\r\nX: a"), reason="not HTTP|broke off"),
    Kind("resets in the head", says_and_resets(b"HTTP/1.1 200 OK\r\nX: a"), reason=BROKE_OFF),
    Kind("closes in the body", says_and_closes(HEAD + b"half"), status=200),
    Kind("resets in the body of its reply", says_and_resets(HEAD + b"half"), status=200),
    Kind("closes in a chunk", says_and_closes(CHUNKED + b"ff\r\nhalf"), status=200),
    Kind("closes before the last chunk", says_and_closes(CHUNKED + b"2\r\nok\r\n"), status=200),
    Kind("resets after its reply", says_and_resets(OK), status=200),
    Kind("closes after its reply", says_and_closes(OK), status=200),
    Kind("drips its head", drips(b"", b"HTTP/1.1 200 OK\r\n"), reason=LATE),
    Kind("drips its headers", drips(b"HTTP/1.1 200 OK\r\n", b"X: " + b"x" * 99), reason=LATE),
    Kind("drips its body", drips(HEAD, b"x" * 20), status=200),
    Kind("drips its chunks", drips(CHUNKED, b"1\r\nx\r\n" * 9), status=200),
    Kind("drips 1xx answers", drips(b"", b"HTTP/1.1 102 P\r\n\r\n" * 2), reason=LATE),
    Kind("stalls after the status line", drips(b"HTTP/1.1 200 OK\r\n", b"X"), reason=LATE),
    Kind("stalls after the head", drips(HEAD, b"x"), status=200),
    Kind("stalls in a chunk's size", drips(CHUNKED + b"f", b"f"), status=200),
    Kind("stalls in the trailer", drips(CHUNKED + b"0\r\nX: ", b"x"), status=200),
)
