"""Who listens to the log of events. A commit wakes the streams that it concerns; nobody asks the database before."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from adapters.messages import Category
from service.domain.deliveries import Format
from service.domain.event_log import Event
from service.domain.tasks import Task
from service.errors import refused

EVERYONE = ""
"""Stands for all clients, for the operator's streams."""

TESTS_KEPT = 16


@dataclass(eq=False, slots=True)
class Stream:
    """One open stream, in some `form`. `owner` is who opened it, `client` whose events it tells (`EVERYONE`: all).
    `news` is set when there may be something new to read, or it is to end. `tests` were sent to whoever listens, and
    are in no log."""

    owner: str
    client: str
    form: Format = Format.EVENT
    news: asyncio.Event = field(default_factory=asyncio.Event)
    tests: deque[Event] = field(default_factory=lambda: deque(maxlen=TESTS_KEPT))

    async def rung(self, seconds: float) -> bool:
        """Waits for news. False: there were none for so long."""
        try:
            async with asyncio.timeout(seconds):
                return await self.news.wait()
        except TimeoutError:
            return False


class Streams:
    """`most` streams may be open at once for each client key."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: defaultdict[str, set[Stream]] = defaultdict(set)
        self._owners: Counter[str] = Counter()
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed

    def join(self, owner: str, client: str | None, form: Format = Format.EVENT) -> Stream:
        """A new stream, to be given back by `leave`; `client` None is everyone. Raises `Refused` (429)."""
        if self._owners[owner] >= self._most:
            text = f"This key has {self._most} event streams open, as many as it may have. Close one first."
            raise refused(429, Category.THROTTLED, text, "too_many_streams")
        stream = Stream(owner, EVERYONE if client is None else client, form)
        self._open[stream.client].add(stream)
        self._owners[owner] += 1
        return stream

    def leave(self, stream: Stream) -> None:
        self._open[stream.client].remove(stream)
        if not self._open[stream.client]:
            del self._open[stream.client]
        self._owners[stream.owner] -= 1
        self._owners += Counter()  # drops those who have none open

    def ring(self, task: Task) -> None:
        """It has moved, on disk."""
        for stream in self._concerned(task.client):
            stream.news.set()

    def test(self, client: str, tests: Mapping[Format, Event]) -> int:
        """Hands what did not happen to this client's own streams, in the form of each. Returns how many hear it."""
        streams = [stream for stream in self._concerned(client) if stream.owner == client]
        for stream in streams:
            stream.tests.append(tests[stream.form])
            stream.news.set()
        return len(streams)

    def close(self) -> None:
        """All streams end now, and so does each that is opened later: the server is about to stop."""
        self._closed = True
        for streams in self._open.values():
            for stream in streams:
                stream.news.set()

    def _concerned(self, client: str) -> list[Stream]:
        return [*self._open.get(client, ()), *self._open.get(EVERYONE, ())]
