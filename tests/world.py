"""A world for tests: a clock that is turned, the four simulated upstreams, an inbox that checks signatures, and the
whole service in between, on a real SQLite file. Only the inbox listens on a socket (loopback), because deliveries go
through the real guard and the real transport."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import httpx
import uvicorn
from standardwebhooks.webhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.providers import PROVIDERS
from service.app import Ringback, create_app
from service.looking.certificates import Fetch
from service.settings import Account, Settings
from service.simulator import SimulatorSettings, create_simulator
from service.simulator.world import World as SimulatedWorld
from service.store import Store
from tests.inplace import InPlaceEngine

KEY = "client-key-1"
OTHER_KEY = "client-key-2"
ADMIN = "admin-token"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"
PUBLIC_URL = "https://ringback.test"
SIMULATOR = "http://upstreams.test"


class FakeClock:
    """Milliseconds that stand still until turned."""

    def __init__(self) -> None:
        self.now = int(time.time() * 1000)

    def __call__(self) -> int:
        return self.now

    def seconds(self) -> float:
        return self.now / 1000

    def turn(self, seconds: float) -> None:
        self.now += int(seconds * 1000)


@dataclass(frozen=True)
class Received:
    """One POST at the inbox, its signature already found good."""

    path: str
    id: str
    body: Any
    raw: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Inbox:
    """A receiver of callbacks on loopback. `answers` are the statuses of the next requests; after them 204. `verify`
    judges signatures in the place of the library, which knows shared `secrets` only."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    forged: list[bytes] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    secrets: tuple[str, ...] = (SECRET,)
    verify: Callable[[Mapping[str, str], bytes], bool] | None = None

    async def receive(self, request: Request) -> Response:
        raw = await request.body()
        known = any(_genuine(secret, request, raw) for secret in self.secrets)
        if not (self.verify(request.headers, raw) if self.verify else known):
            self.forged.append(raw)
            return Response(status_code=401)
        headers = dict(request.headers)
        self.received.append(Received(request.url.path, headers["webhook-id"], json.loads(raw), raw, headers))
        status, headers = self.answers.pop(0) if self.answers else (204, {})
        return Response(status_code=status, headers=headers)

    def bodies(self, path: str) -> list[Any]:
        return [one.body for one in self.received if one.path == path]


def _genuine(secret: str, request: Request, raw: bytes) -> bool:
    """By the independent library. Its `verify` reads the real clock, so its `sign` is compared instead."""
    try:
        sent = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
        expected = Webhook(secret).sign(request.headers["webhook-id"], sent, raw.decode())
    except (KeyError, ValueError):
        return False
    return expected in request.headers.get("webhook-signature", "").split(" ")


@asynccontextmanager
async def serve(app: Any, lifespan: Literal["on", "off"] = "on") -> AsyncIterator[str]:
    """A real server on a free loopback port; gives its base URL."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan=lifespan))
    server.capture_signals = nullcontext  # type: ignore[method-assign]
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0)
        if running.done():
            await running
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await running


@asynccontextmanager
async def _inbox() -> AsyncIterator[Inbox]:
    inbox = Inbox()
    app = Starlette(routes=[Route("/{path:path}", inbox.receive, methods=["POST"])])
    async with serve(app) as url:
        inbox.url = url
        yield inbox


def accounts(
    names: Sequence[str], simulator: Callable[[str], str] = lambda name: SIMULATOR, **changes: Any
) -> tuple[Account, ...]:
    """`simulator` is where each provider's simulator is found; `changes` are other fields of all these accounts."""
    return tuple(
        Account.model_validate(
            {
                "provider": PROVIDERS[name], "base_url": f"{simulator(name)}/{name}", "api_key": f"sk-{name}-key",
                "poll_seconds": PROVIDERS[name].look_every_seconds,
            } | changes
        )
        for name in names
    )  # fmt: skip


@dataclass
class World:
    """`client` speaks to the service with the first key. `settle` lets time pass. `between` sees every request to an
    upstream and may answer in its place, by a response or an exception; None lets it pass. `network` is a client for
    real sockets, if the simulator is not to be spoken to in process."""

    clock: FakeClock
    simulator: Starlette
    to_service: httpx.AsyncClient
    inbox: Inbox
    client: httpx.AsyncClient
    settings: dict[str, Any]
    between: Callable[[httpx.Request], Awaitable[httpx.Response | None]] | None = None
    certificates: Fetch | None = None
    network: Callable[[], httpx.AsyncClient] | None = None

    @property
    def upstreams(self) -> SimulatedWorld:
        world: SimulatedWorld = self.simulator.state.world
        return world

    async def start(self, **settings: Any) -> None:
        """The server starts, with the settings it had and these."""
        self.settings |= settings
        upstream = self.network() if self.network else httpx.AsyncClient(transport=_Between(self), base_url=SIMULATOR)
        chosen = Settings.model_validate(self.settings)
        self.ringback = Ringback(
            chosen,
            clock=self.clock,
            jitter=_no_jitter,
            upstream=upstream,
            certificates=self.certificates,
            store=lambda path: Store(InPlaceEngine(path)),
        )
        app = create_app(self.ringback)
        self.to_service._transport = httpx.ASGITransport(app)
        self.client._transport = httpx.ASGITransport(app)
        await self.ringback.recover()

    async def stop(self) -> None:
        """The server stops without waiting for anything; whoever calls it finds nobody."""
        self.to_service._transport = self.client._transport = httpx.MockTransport(_nobody)
        self.ringback.hurry()
        await self.ringback.submitter.close(0)
        await self.ringback.close()

    async def settle(self, seconds: float = 60.0, step: float = 1.0) -> None:
        """Turns the clock in steps; after each, callbacks due are sent and every queue is worked off. Within a step
        queries go on at their account's pace."""
        for _ in range(max(1, int(seconds / step))):
            end = self.clock.now + int(step * 1000)
            while (turn := await self._next_turn()) is not None and turn < end:
                self.clock.now = turn
                await self.tick()
            self.clock.now = end
            await self.upstreams.send_due_callbacks()
            await self.tick()

    async def _next_turn(self) -> int | None:
        """When the first account may be asked again that has more to be asked than its pace allows now."""
        turns = [
            upstream.bucket.free_at
            for upstream in self.ringback.upstreams
            if not upstream.bucket.room(self.clock.now)
            and await self.ringback.workers[f"look.{upstream.label}"]._work.next_due() == upstream.bucket.free_at
        ]
        return min(turns, default=None)

    async def tick(self) -> None:
        while sum([await worker.tick() for worker in self.ringback.workers.values()]):
            pass

    def as_key(self, key: str | None) -> dict[str, str]:
        return {"authorization": f"Bearer {key}"} if key else {}


class _Between(httpx.AsyncBaseTransport):
    """The way to the simulator."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._simulator = httpx.ASGITransport(world.simulator)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        said = await self._world.between(request) if self._world.between else None
        return said or await self._simulator.handle_async_request(request)


def _nobody(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("nobody listens")


@asynccontextmanager
async def world(
    folder: Path,
    *,
    providers: Sequence[str] = tuple(PROVIDERS),
    simulator: SimulatorSettings | None = None,
    certificates: Fetch | None = None,
    network: Callable[[], httpx.AsyncClient] | None = None,
    **settings: Any,
) -> AsyncIterator[World]:
    """Settings are those of `Settings`; by default two client keys, an admin token and a public URL."""
    async with AsyncExitStack() as stack:
        clock = FakeClock()
        clock.now -= (
            clock.now % 60_000
        )  # some looks fall on a grid of the clock; tests do not depend on the time of day
        inbox = await stack.enter_async_context(_inbox())
        away = httpx.MockTransport(_nobody)  # until the server starts; of their own they would load certificates first
        to_service = await stack.enter_async_context(httpx.AsyncClient(transport=away))
        client = httpx.AsyncClient(
            transport=away, base_url="http://localhost", headers={"authorization": f"Bearer {KEY}"}
        )
        await stack.enter_async_context(client)
        chosen = {
            "database": str(folder / "ringback.db"),
            "api_keys": (f"first:{KEY}", f"second:{OTHER_KEY}"),
            "admin_token": ADMIN,
            "webhook_secret": SECRET,
            "secret_keys": ("secret-key",),
            "public_url": PUBLIC_URL,
            "egress_allow": "127.0.0.0/8",
            "accounts": accounts(providers),
        } | settings
        sim = create_simulator(simulator or SimulatorSettings(), clock.seconds, to_service)
        it = World(clock, sim, to_service, inbox, client, chosen, certificates=certificates, network=network)
        await it.start()
        try:
            yield it
        finally:
            await it.stop()


def _no_jitter(low: float, high: float) -> float:
    return (low + high) / 2
