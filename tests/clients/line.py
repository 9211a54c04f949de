"""A way to the service that breaks at the worst moment."""

from __future__ import annotations

import asyncio
from contextlib import suppress


class Line:
    """A way to the service that can be cut: whoever is on it then loses the connection, and with it the answer.
    `creates` counts the POSTs of creates that went over it."""

    def __init__(self, port: int) -> None:
        self.url = ""
        self.creates = 0
        self._port = port
        self._open: set[asyncio.StreamWriter] = set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._open |= {writer, far_writer}
        await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))

    def cut(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                self.creates += data.startswith(b"POST ") and b"/tasks" not in data[: data.index(b"\r\n")]
                writer.write(data)
                await writer.drain()
        writer.close()
        self._open.discard(writer)
