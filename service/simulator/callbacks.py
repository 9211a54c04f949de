"""Callbacks on their way. AceData's are unsigned JSON, posted once and never again (wire notes 1.5)."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

ANSWER_SECONDS = 10.0
LONGEST_NAP = 0.5  # an injected clock may be turned while the sender naps


@dataclass(frozen=True, slots=True)
class Callback:
    """A POST of `body` to `url` at the time `due`."""

    due: float
    url: str = field(repr=False)
    body: Mapping[str, Any]
    task_id: str

    def message(self, now: float) -> tuple[bytes, Mapping[str, str]]:
        """What is sent at `now`: the content and its headers."""
        return json.dumps(self.body).encode(), {"content-type": "application/json"}

    def again(self, now: float) -> Callback | None:
        """What follows one that was not taken: for AceData nothing."""
        return None


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a callback: the receiver's `status`, or None if there was no answer."""

    callback: Callback
    at: float
    status: int | None


class Outbox:
    """The callbacks that were promised (`due`, soonest first) and the ones that were `sent`."""

    def __init__(self, clock: Callable[[], float], client: httpx.AsyncClient | None = None) -> None:
        self.sent: list[Sent] = []
        self._clock = clock
        self._client = client
        self._owns_client = client is None
        self._due: list[tuple[float, int, Callback]] = []
        self._order = itertools.count()
        self._woken = asyncio.Event()

    def promise(self, callback: Callback) -> None:
        """Takes a callback that is to be sent when it is due."""
        heapq.heappush(self._due, (callback.due, next(self._order), callback))
        self._woken.set()

    def clear(self) -> None:
        """Forgets everything promised and sent."""
        self._due.clear()
        self.sent.clear()

    async def send_due(self) -> int:
        """Sends what is due, waits for the answers, and says how many there were."""
        due = self._take_due()
        await asyncio.gather(*map(self.send, due))
        return len(due)

    async def send(self, callback: Callback) -> None:
        """Sends a callback now, whenever it is due. That nobody answers is no error and no reason to try again."""
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=ANSWER_SECONDS)
        try:
            content, headers = callback.message(self._clock())
            reply = await self._client.post(callback.url, content=content, headers=headers)
            status = reply.status_code
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            status = None
        now = self._clock()
        self.sent.append(Sent(callback, now, status))
        taken = status is not None and 200 <= status < 300
        if not taken and (again := callback.again(now)) is not None:
            self.promise(again)

    async def run(self) -> None:
        """Sends what becomes due until it is cancelled. A slow receiver keeps no other callback waiting."""
        async with asyncio.TaskGroup() as group:
            while True:
                for callback in self._take_due():
                    group.create_task(self.send(callback))
                await self._nap()

    async def close(self) -> None:
        """Gives back the connections, if they are its own."""
        if self._owns_client and self._client is not None:
            await self._client.aclose()
            self._client = None

    def _take_due(self) -> list[Callback]:
        now = self._clock()
        due = []
        while self._due and self._due[0][0] <= now:
            due.append(heapq.heappop(self._due)[2])
        return due

    async def _nap(self) -> None:
        left = self._due[0][0] - self._clock() if self._due else LONGEST_NAP
        self._woken.clear()
        try:
            async with asyncio.timeout(min(max(left, 0.0), LONGEST_NAP)):
                await self._woken.wait()
        except TimeoutError:
            return
