"""What Ringback is compared with: a loop that looks at every video every five seconds."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import httpx

from scripts.bench.turned import BASE, Clock, Course, Load, Upstreams, play
from scripts.bench.wires import Wire

EVERY_MS = 5_000


class PlainLoop:
    """`per_second` is the account's limit, which it keeps by asking in turn: whoever is due longest is next. None: it
    asks as it likes."""

    def __init__(self, wire: Wire, clock: Clock, upstreams: Upstreams, step_ms: int, per_second: float | None) -> None:
        self._wire = wire
        self._clock = clock
        headers = {"authorization": "Bearer sk-plain"}
        self._client = httpx.AsyncClient(transport=upstreams.transport, base_url=BASE, headers=headers)
        self._step_ms = step_ms
        self._interval = 0.0 if per_second is None else 1000 / per_second
        self._free_at = 0.0
        self._due: list[tuple[int, int]] = []
        self._ids: list[str] = []
        self._found: dict[int, int] = {}

    async def create(self, number: int) -> None:
        prefix = f"/{self._wire.provider}"
        self._ids.append(await self._wire.create(self._client, f"video {number}", prefix))
        heapq.heappush(self._due, (self._clock.now + EVERY_MS, number))

    async def step(self) -> None:
        now = self._clock.now
        while self._due and self._due[0][0] <= now and self._free_at <= now:
            _, number = heapq.heappop(self._due)
            # What became free since the last step is used from then on, or a full second would hold fewer queries.
            since = self._free_at if self._free_at > now - self._step_ms else now
            self._free_at = since + self._interval
            if await self._wire.is_done(self._client, self._ids[number]):
                self._found[number] = now
            else:
                heapq.heappush(self._due, (now + EVERY_MS, number))

    async def found(self, numbers: range) -> Sequence[int | None]:
        return [self._found.get(number) for number in numbers]


async def play_plain(wire: Wire, load: Load, *, limits: bool) -> Course:
    """The load watched by the loop, with or without the provider's limits."""
    clock = Clock()
    upstreams = Upstreams(clock, load, limits=limits)
    loop = PlainLoop(wire, clock, upstreams, load.step_ms, wire.queries_per_second if limits else None)
    return await play(load, clock, upstreams, loop)
