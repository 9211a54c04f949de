"""A way to the service that loses an answer which the service has handed over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from urllib.parse import urlsplit

from anyio.from_thread import start_blocking_portal


class Swallowing:
    """Carries requests to the service and its answers back, all but the first answer: whoever waits for that one loses
    the connection instead. `posts` counts the POSTs, `swallowed` the lost answers."""

    def __init__(self, base: str) -> None:
        self.url = ""
        self.posts = self.swallowed = 0
        self._far = urlsplit(base)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._far.hostname, self._far.port)
        asking = asyncio.create_task(self._ask(reader, far_writer))
        with suppress(ConnectionError):
            while answer := await far_reader.read(65536):
                if not self.swallowed:
                    self.swallowed += 1
                    break
                writer.write(answer)
                await writer.drain()
        writer.transport.abort()
        await asking

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while request := await reader.read(65536):
                self.posts += request.startswith(b"POST ")
                writer.write(request)
                await writer.drain()
        writer.close()


@contextmanager
def swallowing(base: str) -> Iterator[Swallowing]:
    """One that runs meanwhile, in a thread of its own."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(_serving(Swallowing(base))) as running:
        yield running


@asynccontextmanager
async def _serving(way: Swallowing) -> AsyncIterator[Swallowing]:
    async with await asyncio.start_server(way.carry, "127.0.0.1", 0) as server:
        way.url = "http://127.0.0.1:{1}".format(*server.sockets[0].getsockname())
        yield way
