"""Fixtures of the simulator's tests."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette

from service.simulator import SimulatorSettings, create_simulator
from tests.simulator.upstream import Clock, Inbox, Upstream


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
async def simulate(clock: Clock, inbox: Inbox) -> AsyncIterator[Callable[..., Upstream]]:
    """Makes simulators with settings of their own."""
    made: list[Upstream] = []

    def make(**settings: Any) -> Upstream:
        made.append(Upstream(clock, inbox, SimulatorSettings(**settings)))
        return made[-1]

    yield make
    for upstream in made:
        await upstream.close()


@pytest.fixture
def upstream(simulate: Callable[..., Upstream]) -> Upstream:
    """A simulator with nothing but the usual settings."""
    return simulate()


@pytest.fixture
def app(clock: Clock) -> Starlette:
    return create_simulator(SimulatorSettings(), clock)


@pytest.fixture
def base(app: Starlette) -> Iterator[str]:
    """A server in a thread of its own. The socket listens before it starts, so a client need not wait for it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
        thread = threading.Thread(target=asyncio.run, args=(server.serve([listener]),))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()
