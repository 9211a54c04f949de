"""Receivers of the isolation bench, in a process of their own: those that are well, and those that are dead.

Each has an address of its own in 127.0.0.0/8, so each is another host. What is well answers 204 at once; what is dead
takes the connection and never answers (black hole), or sends a byte of a header now and then (drip).
"""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from service.cli.serving import more_files

DRIP_SECONDS = 1.0


@dataclass
class Receivers:
    """`port` is where all of them listen. `first` is when each message came for the first time, by its URL's query."""

    port: int
    first: dict[str, float] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def well(self, number: int) -> str:
        return f"http://127.1.{number // 250}.{number % 250 + 1}:{self.port}/hook"

    def dead(self, number: int) -> str:
        """Every second one drips."""
        return f"http://127.{2 + number % 2}.{number // 250}.{number % 250 + 1}:{self.port}/hook"


@asynccontextmanager
async def receiving() -> AsyncIterator[Receivers]:
    """The process runs inside the block; what came is told line by line."""
    command = [sys.executable, "-m", "scripts.bench.receivers"]
    process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    receivers = Receivers(int(await process.stdout.readline()))
    reading = asyncio.create_task(_read(process.stdout, receivers))
    try:
        yield receivers
    finally:
        process.kill()
        await process.wait()
        reading.cancel()


async def _read(lines: asyncio.StreamReader, receivers: Receivers) -> None:
    async for line in lines:
        at, message = line.decode().split()
        receivers.first.setdefault(message, float(at))
        receivers.news.set()


async def _main() -> None:
    # All of 127.0.0.0/8 at one port, which has no address of its own; it listens for the minutes of the bench.
    server = await asyncio.start_server(_receive, "0.0.0.0", 0, backlog=4096)  # noqa: S104
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


async def _receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    kind = writer.get_extra_info("sockname")[0].split(".")[1]
    try:
        if kind == "1":
            await _answer(reader, writer)
        elif kind == "2":
            await reader.read(-1)
        else:
            await _drip(writer)
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        at = time.time()
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        await reader.readexactly(int(fields.get("content-length", 0)))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        print(at, head.split(" ", 2)[1].partition("?")[2] or "-", flush=True)


async def _drip(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nx-drip: ")
    while not writer.is_closing():
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(DRIP_SECONDS)


if __name__ == "__main__":
    more_files()
    gc.disable()  # it measures when messages come: its own pauses would count as ours
    asyncio.run(_main())
