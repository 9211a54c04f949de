"""A real server around a world's service, and a reader of its event streams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from service.app import create_app
from tests.world import KEY, World, serve

SSE = {"accept": "text/event-stream"}
PATIENCE = 30.0


@dataclass(frozen=True)
class Frame:
    """One server-sent event, in the bytes of its data."""

    id: int | None
    event: str
    data: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.data)


class Reader:
    """An open stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._chunks = response.aiter_raw()
        self._rest = b""

    async def next(self) -> Frame | None:
        """The next frame, without comments; None at the end of the stream."""
        async with asyncio.timeout(PATIENCE):
            while b"\n\n" not in self._rest:
                try:
                    self._rest += await anext(self._chunks)
                except StopAsyncIteration:
                    assert not self._rest.replace(b":\n", b""), self._rest
                    return None
        frame, _, self._rest = self._rest.partition(b"\n\n")
        fields = dict(line.split(b": ", 1) for line in frame.split(b"\n") if not line.startswith(b":"))
        place = int(fields[b"id"]) if b"id" in fields else None
        return Frame(place, fields[b"event"].decode(), fields[b"data"])

    async def some(self, count: int) -> list[Frame]:
        frames = [await self.next() for _ in range(count)]
        return [frame for frame in frames if frame is not None]

    async def rest(self) -> list[Frame]:
        """All that comes until the end of the stream."""
        frames = []
        while (frame := await self.next()) is not None:
            frames.append(frame)
        return frames


@asynccontextmanager
async def online(it: World) -> AsyncIterator[httpx.AsyncClient]:
    """The world's service on a socket, for its first client."""
    headers = {"authorization": f"Bearer {KEY}"}
    async with serve(create_app(it.ringback), "off") as url:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE, limits=limits) as client:
            yield client


@asynccontextmanager
async def reading(client: httpx.AsyncClient, path: str, **headers: str) -> AsyncIterator[Reader]:
    async with client.stream("GET", path, headers=SSE | headers) as response:
        assert response.status_code == 200, await response.aread()
        yield Reader(response)
