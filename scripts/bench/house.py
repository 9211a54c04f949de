"""The whole service in turned time, driven by what everybody may use: creates over HTTP, its queues, its records."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import httpx
from pydantic import SecretStr

from adapters.providers import PROVIDERS
from scripts.bench.turned import BASE, Clock, Course, Load, Upstreams, play
from scripts.bench.wires import Wire
from service.app import Ringback, create_app
from service.domain.tasks import Task
from service.settings import Account, Settings
from service.simulator.eventbridge import certificate

MEMORY = Path("/dev/shm")  # noqa: S108 - each database is in a folder that tempfile makes there
FOLDER = MEMORY if MEMORY.is_dir() else None
"""Where databases are made: turned time knows no disk."""

PUBLIC_URL = "https://ringback.test"
KEY = "client-key"


@dataclass(frozen=True)
class Way:
    """One way to find out. `marker` is for the simulator, `pushes`: EventBridge is set up."""

    title: str
    wire: Wire
    pushes: bool = False
    page_size: int = 100
    marker: str = ""


@dataclass(frozen=True)
class Watched:
    """What became of a load, and how many of the videos that count each detector found."""

    course: Course
    detectors: Counter[str] = field(default_factory=Counter)


class House:
    """Ringback as a watcher of a load."""

    def __init__(self, way: Way, ringback: Ringback, client: httpx.AsyncClient, chance: Random) -> None:
        self._way = way
        self._chance = chance
        self._ringback = ringback
        self._client = client
        self._ids: list[str] = []

    async def create(self, number: int) -> None:
        self._ids.append(await self._way.wire.create(self._client, f"video {number} {self._way.marker}"))

    async def step(self) -> None:
        """The queues run side by side in the server, and none of them is always first; so it is here. As there, one
        that nothing wakes sleeps until something is due."""
        workers = list(self._ringback.workers.values())
        self._chance.shuffle(workers)
        while sum([await worker.step() for worker in workers]):
            pass

    async def found(self, numbers: range) -> Sequence[int | None]:
        return [task.finished_at for task in await self.tasks(numbers)]

    async def tasks(self, numbers: range) -> list[Task]:
        ids = [self._ids[number] for number in numbers]
        return await self._ringback.store.lookups.tasks_by_id(ids, None)


async def play_house(way: Way, load: Load) -> Watched:
    """The load watched by Ringback, under the provider's limits."""
    clock = Clock()
    upstreams = Upstreams(clock, load, limits=True, page_size=way.page_size)
    with TemporaryDirectory(dir=FOLDER, prefix="ringback-bench-") as folder:
        async with _open(way, load, clock, upstreams, Path(folder)) as house:
            course = await play(load, clock, upstreams, house)
            counted = await house.tasks(course.counted)
    return Watched(course, Counter(task.detector for task in counted if task.detector and task.ended))


@asynccontextmanager
async def _open(way: Way, load: Load, clock: Clock, upstreams: Upstreams, folder: Path) -> AsyncIterator[House]:
    chance = Random(load.seed)
    ringback = Ringback(
        _settings(way, folder),
        clock=clock,
        jitter=chance.uniform,
        upstream=httpx.AsyncClient(transport=upstreams.transport, base_url=BASE),
        certificates=_certificate,
    )
    upstreams.listener = within = httpx.ASGITransport(create_app(ringback))
    headers = {"authorization": f"Bearer {KEY}"}
    await ringback.recover()
    if way.pushes:
        upstreams.world.bridge.subscribe(ringback.pushes.url(PROVIDERS[way.wire.provider]))
    try:
        async with httpx.AsyncClient(transport=within, base_url="http://localhost", headers=headers) as client:
            yield House(way, ringback, client, chance)
    finally:
        await ringback.submitter.close(0)
        await ringback.close()


def _settings(way: Way, folder: Path) -> Settings:
    provider = PROVIDERS[way.wire.provider]
    account = Account(
        provider=provider,
        base_url=f"{BASE}/{provider.name}",
        api_key=SecretStr("sk-account"),
        poll_seconds=provider.look_every_seconds,
    )
    given = {
        "database": str(folder / "ringback.db"),
        "api_keys": (f"bench:{KEY}",),
        "secret_keys": ("secret-key",),
        "public_url": PUBLIC_URL,
        "accounts": (account,),
    }
    return Settings.model_validate(given)


async def _certificate(url: str) -> bytes:
    return certificate()
