"""Ringback as a deliverer of ended tasks, in real time and on a real disk; and the loop that it is compared with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import httpx

from adapters.messages import Report, State
from service.app import Ringback
from service.domain.deliveries import Format, Subscription
from service.domain.tasks import Task, TaskState
from service.settings import Settings

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"  # noqa: S105 - opens nothing: it signs to this bench only
AT_ONCE = 64
"""Requests that the plain loop has open."""


@dataclass
class Teller:
    """Ends tasks. `ended` is when the ones that are watched had, by their ids."""

    ringback: Ringback
    ended: dict[str, float] = field(default_factory=dict)
    loop: asyncio.Task[None] | None = None

    async def tell(self, url: str, *, watched: bool = True) -> None:
        """A task with a result, whose client wants to be told at this URL, which gets its id for a query."""
        store, now = self.ringback.store, self.ringback.clock()
        task = _task(now)
        subscription = Subscription(str(uuid4()), task.id, f"{url}?{task.id}", Format.EVENT, now)
        await store.tasks.accept(task, None, [subscription])
        report = Report(task.id, State.SUCCEEDED, video_url=f"https://video.example.com/{task.id}.mp4")
        if watched:
            self.ended[task.id] = time.time()
        await self.ringback.receiver.report(task, report, "look")

    def start(self) -> None:
        self.loop = asyncio.create_task(self.ringback.workers["deliver"].run())

    async def stop(self) -> None:
        if self.loop is not None:
            self.loop.cancel()
            await asyncio.gather(self.loop, return_exceptions=True)

    async def tell_all(self, urls: Sequence[str]) -> None:
        room = asyncio.Semaphore(AT_ONCE)

        async def one(url: str) -> None:
            async with room:
                await self.tell(url)

        await asyncio.gather(*map(one, urls))


@asynccontextmanager
async def house() -> AsyncIterator[Teller]:
    """Only its deliverer runs, and only when it is `started`."""
    with TemporaryDirectory(prefix="ringback-bench-") as folder:
        ringback = Ringback(_settings(Path(folder)))
        await ringback.recover()
        teller = Teller(ringback)
        try:
            yield teller
        finally:
            await teller.stop()
            await ringback.submitter.close(0)
            await ringback.close()


async def post_plainly(urls: Sequence[str], body: bytes) -> float:
    """Seconds that a loop takes which keeps nothing: httpx with so many requests open, the same headers, no store."""
    room, started = asyncio.Semaphore(AT_ONCE), time.perf_counter()
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=AT_ONCE)) as client:

        async def post(url: str) -> None:
            async with room:
                headers = {"webhook-id": f"plain_{uuid4().hex}", "content-type": "application/json"}
                (await client.post(url, content=body, headers=headers)).raise_for_status()

        await asyncio.gather(*map(post, urls))
    return time.perf_counter() - started


def _task(now: int) -> Task:
    ids = [str(uuid4()) for _ in range(3)]
    return Task(
        ids[0], "env:bench", "flat", "/wan/videos", "wan2.6-t2v", "acedata", TaskState.QUEUED, {"prompt": "a cat"},
        ids[1], ids[2], now, now, "wan",
    )  # fmt: skip


def _settings(folder: Path) -> Settings:
    return Settings.model_validate(
        {
            "database": str(folder / "ringback.db"),
            "api_keys": ("bench:client-key",),
            "webhook_secret": SECRET,
            "secret_keys": ("secret-key",),
            "egress_allow": "127.0.0.0/8",
        }
    )
