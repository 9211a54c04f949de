"""How long each step of an exchange takes: measured where names are looked up, sockets opened and bytes moved.

Those places know nothing of requests and requests nothing of sockets (a kept connection is opened for another one), so
the measure travels with the task that makes the exchange.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

Step = Literal["dns", "connect", "tls", "first_byte"]
Peer = tuple[str, int]
"""An address and a port."""


@dataclass(frozen=True, slots=True)
class Phases:
    """Milliseconds. None is a step that was not needed (a kept connection has neither name nor handshake) or not
    reached; one that did not end counts until the exchange was given up. `first_byte` runs from the first byte of the
    request to the first of the reply, `total` from the wait for a connection to the end of the reply's body."""

    dns_ms: int | None = None
    connect_ms: int | None = None
    tls_ms: int | None = None
    first_byte_ms: int | None = None
    total_ms: int = 0


class Stopwatch:
    """The measure of one exchange. `peer` is where it was dialled last."""

    def __init__(self) -> None:
        self._clock = asyncio.get_running_loop().time
        self._started = self._clock()
        self._began: dict[Step, float] = {}
        self._took: dict[Step, float] = {}
        self.peer: Peer | None = None

    def begin(self, step: Step) -> None:
        self._began.setdefault(step, self._clock())

    def end(self, step: Step) -> None:
        if step in self._began:
            self._took.setdefault(step, self._clock() - self._began[step])

    def restart(self) -> None:
        """For an exchange that begins again, on a connection of its own."""
        self._began.clear()
        self._took.clear()

    def read(self) -> Phases:
        return Phases(
            self._milliseconds("dns"),
            self._milliseconds("connect"),
            self._milliseconds("tls"),
            self._milliseconds("first_byte"),
            round((self._clock() - self._started) * 1000),
        )

    def _milliseconds(self, step: Step) -> int | None:
        if step not in self._began:
            return None
        return round(self._took.get(step, self._clock() - self._began[step]) * 1000)


_running: ContextVar[Stopwatch | None] = ContextVar("stopwatch", default=None)


@contextmanager
def measured() -> Iterator[Stopwatch]:
    """Measures the one exchange that is made inside, by this very task."""
    stopwatch = Stopwatch()
    token = _running.set(stopwatch)
    try:
        yield stopwatch
    finally:
        _running.reset(token)


@contextmanager
def step(name: Step) -> Iterator[None]:
    """What runs inside is this step of the exchange, if somebody measures one."""
    stopwatch = _running.get()
    if stopwatch is None:
        yield
        return
    stopwatch.begin(name)
    try:
        yield
    finally:
        stopwatch.end(name)


def connecting() -> None:
    """A connection is opened for the exchange."""
    if stopwatch := _running.get():
        stopwatch.restart()


def dialling(peer: Peer) -> None:
    """Whoever is dialled last is who answers, or does not."""
    if stopwatch := _running.get():
        stopwatch.peer = peer


def written(peer: Peer | None) -> None:
    """Bytes of the request go to this peer; None is one that only a proxy knows."""
    if stopwatch := _running.get():
        stopwatch.peer = peer
        stopwatch.begin("first_byte")


def heard() -> None:
    """Bytes of the reply have come."""
    if stopwatch := _running.get():
        stopwatch.end("first_byte")
