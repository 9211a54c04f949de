"""A receiver of some kind, listening on loopback."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.service.hostile.kinds import Kind
from tests.service.hostile.tls import HOST


@asynccontextmanager
async def hostile(kind: Kind, identity: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A receiver of this kind; its URL."""
    open_tasks: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError, RuntimeError):
            await kind.behave(reader, writer)
        writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        open_tasks.add(task)
        task.add_done_callback(open_tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=identity)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"https://{HOST}:{port}/hook" if kind.tls else f"http://127.0.0.1:{port}/hook"
    finally:
        server.close()
        for task in open_tasks:
            task.cancel()
        await asyncio.gather(*open_tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        for _ in range(3):
            await asyncio.sleep(0)
