"""Turned time: a clock that moves in steps, a simulated provider, and videos that are asked for at a given rate.

The videos of a load are the same for everybody who watches it: they are asked for at the same moments, of simulators
with the same seed, so they take the same time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

import httpx

from service.simulator import SimulatorSettings, World, create_simulator

START_MS = 1_769_262_721_000
BASE = "http://upstreams.test"
LAG_SECONDS = 1.0
"""How long a new video is unknown to who asks for it (wire.md 3.3: UNKNOWN just after the create)."""


@dataclass(frozen=True)
class Load:
    """`rate` videos a minute, come as they please. Those of the first `warm` seconds are not counted, those of the next
    `counted` seconds are; then others follow until all that count are found, or for `patience` seconds after the last
    of them has ended. Time is turned by `step_ms`: a pace of 20 a second must not fall between two steps."""

    rate: float
    warm: float
    counted: float
    seed: int = 1
    render_seconds: float = 90.0
    patience: float = 300.0
    step_ms: int = 50

    def arrivals(self) -> Iterator[float]:
        """Seconds after the start."""
        chance, at = Random(self.seed), 0.0
        while True:
            at += chance.expovariate(self.rate / 60)
            yield at


class Clock:
    """Milliseconds that stand still until turned."""

    def __init__(self) -> None:
        self.now = START_MS

    def __call__(self) -> int:
        return self.now

    def seconds(self) -> float:
        return self.now / 1000


class Upstreams:
    """The simulated providers. `transport` leads to them, `refused` counts their 429s; what they call back goes to
    `listener`."""

    def __init__(self, clock: Clock, load: Load, *, limits: bool, page_size: int = 100) -> None:
        settings = SimulatorSettings(
            load.seed,
            render_seconds=load.render_seconds,
            limits=limits,
            lag_seconds=LAG_SECONDS,
            page_size=page_size,
        )
        self.listener: httpx.AsyncBaseTransport | None = None
        callbacks = httpx.AsyncClient(transport=_Way(self._call_back))
        app = create_simulator(settings, clock.seconds, callbacks)
        self.world: World = app.state.world
        self.transport = _Way(self._ask)
        self.refused = 0
        self._within = httpx.ASGITransport(app)

    @property
    def queries(self) -> int:
        """All requests so far but creates, refused ones too."""
        return sum(count for (_, kind), count in self.world.requests.items() if kind != "create")

    def ended_at(self, number: int) -> int:
        """When the video that was asked for as the `number`th ends, in milliseconds."""
        return round(self.world.creates[number].task.script.ends_at * 1000)

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        response = await self._within.handle_async_request(request)
        self.refused += response.status_code == httpx.codes.TOO_MANY_REQUESTS
        return response

    async def _call_back(self, request: httpx.Request) -> httpx.Response:
        if self.listener is None:
            raise httpx.ConnectError("nobody listens")
        return await self.listener.handle_async_request(request)


class _Way(httpx.AsyncBaseTransport):
    def __init__(self, handle: Callable[[httpx.Request], Awaitable[httpx.Response]]) -> None:
        self._handle = handle

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._handle(request)


class Watcher(Protocol):
    """Who asks for videos and finds out that they are done."""

    async def create(self, number: int) -> None: ...

    async def step(self) -> None:
        """All that is to be done at this moment."""
        ...

    async def found(self, numbers: range) -> Sequence[int | None]:
        """When each of these videos was found to have ended, in milliseconds; None where it was not."""
        ...


@dataclass(frozen=True)
class Course:
    """What became of the videos that count: their numbers, when they ended (milliseconds), and the seconds from then to
    when that was found (None: not in time). Of the `seconds` in which they came: the queries, and how many videos
    `ended`. `refused` are the 429s of the whole time."""

    counted: range
    ends: tuple[int, ...]
    delays: tuple[float | None, ...]
    queries: int
    ended: int
    seconds: float
    refused: int


async def play(load: Load, clock: Clock, upstreams: Upstreams, watcher: Watcher) -> Course:
    """Turns time until the load is over."""
    reel = _Reel(load, clock, upstreams, watcher)
    await reel.until(load.warm)
    first, before = reel.asked, upstreams.queries
    await reel.until(load.warm + load.counted)
    counted, queries = range(first, reel.asked), upstreams.queries - before
    ends = [upstreams.ended_at(number) for number in range(reel.asked)]
    last = max(ends[first:], default=clock.now) - START_MS
    window = range(START_MS + int(load.warm * 1000), START_MS + int((load.warm + load.counted) * 1000))
    await reel.until(last / 1000)
    found = await watcher.found(counted)
    while None in found and reel.elapsed < last / 1000 + load.patience:
        await reel.until(reel.elapsed + 1)
        found = await watcher.found(counted)
    own = tuple(ends[number] for number in counted)
    delays = tuple(None if at is None else (at - end) / 1000 for end, at in zip(own, found, strict=True))
    return Course(counted, own, delays, queries, sum(end in window for end in ends), load.counted, upstreams.refused)


class _Reel:
    """Time that is turned, with creates as they come."""

    def __init__(self, load: Load, clock: Clock, upstreams: Upstreams, watcher: Watcher) -> None:
        self._load = load
        self._clock = clock
        self._upstreams = upstreams
        self._watcher = watcher
        self._arrivals = load.arrivals()
        self._next = next(self._arrivals)
        self.asked = 0

    @property
    def elapsed(self) -> float:
        return (self._clock.now - START_MS) / 1000

    async def until(self, seconds: float) -> None:
        while self.elapsed < seconds:
            self._clock.now += self._load.step_ms
            while self._next <= self.elapsed:
                await self._watcher.create(self.asked)
                self.asked += 1
                self._next = next(self._arrivals)
            await self._upstreams.world.send_due_callbacks()
            await self._watcher.step()
