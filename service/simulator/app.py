"""The simulator as one ASGI application: four vendors, their object storage, and a door of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
from starlette.applications import Starlette

from service.simulator.acedata import AceData
from service.simulator.control import Control
from service.simulator.dashscope import DashScope
from service.simulator.desk import Desk, Sleep
from service.simulator.drops import dropped_quietly
from service.simulator.gateways import Apiyi, LaoZhang
from service.simulator.results import Results
from service.simulator.settings import SimulatorSettings
from service.simulator.world import Clock, World

VENDORS: tuple[type[Desk], ...] = (AceData, LaoZhang, Apiyi, DashScope)


def create_simulator(
    settings: SimulatorSettings | None = None,
    clock: Clock = time.time,
    client: httpx.AsyncClient | None = None,
    sleep: Sleep = asyncio.sleep,
) -> Starlette:
    """All four upstreams on one port, each under its name: `http://host:port/acedata`, `/laozhang`, `/apiyi` and
    `/dashscope` are base URLs. `app.state.world` is the `World`.

    `clock` gives seconds since the epoch, `client` sends AceData's callbacks (None: a client of its own), `sleep` waits
    where a connection is held. While its lifespan runs, callbacks are sent as they become due; without it they go out
    with `await app.state.world.send_due_callbacks()`.
    """
    world = World(settings or SimulatorSettings(), clock, client)
    results = Results(world)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        sender = asyncio.create_task(world.outbox.run())
        with dropped_quietly():
            yield
        sender.cancel()
        with suppress(asyncio.CancelledError):
            await sender
        await world.outbox.close()

    desks = [vendor(world, results, sleep).mount() for vendor in VENDORS]
    app = Starlette(routes=[*desks, results.route(), Control(world).mount()], lifespan=lifespan)
    app.state.world = world
    return app
