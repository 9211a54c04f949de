"""A stage for killing: the service is a process that comes and goes; the simulator, the inbox and the clients stay."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.routing import Route

from service.simulator import SimulatorSettings, create_simulator
from service.simulator.world import World as Upstreams
from tests.world import ADMIN, KEY, SECRET, Inbox, serve

PATIENCE = 60.0
"""Seconds after which a condition that did not come true fails the test."""


async def until(condition: Callable[[], Any] | Callable[[], Awaitable[Any]], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        met = condition()
        if await met if isinstance(met, Awaitable) else met:
            return
        assert time.monotonic() < deadline, f"not in {PATIENCE:g} s: {what}"
        await asyncio.sleep(0.05)


@dataclass
class Stage:
    """`url` is where the service listens while it lives. The simulator keeps answers that it gives late until
    `answering`."""

    folder: Path
    url: str
    upstreams: Upstreams
    inbox: Inbox
    client: httpx.AsyncClient
    process: asyncio.subprocess.Process | None = None
    alive: asyncio.Event = field(default_factory=asyncio.Event)
    answering: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        """A new process on the same database; it may not be ready yet."""
        with (self.folder / "server.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.torture.server", str(self.folder / "settings.json"), stderr=log, stdout=log
            )
        self.alive.set()

    async def ready(self) -> bool:
        assert self.process is not None
        assert self.process.returncode is None, (self.folder / "server.log").read_text()[-3000:]
        try:
            return (await self.client.get("/ready")).status_code == 200
        except httpx.TransportError:
            return False

    async def end(self, kind: signal.Signals) -> int:
        """Ends the process and says how it ended."""
        assert self.process is not None
        self.alive.clear()
        self.process.send_signal(kind)
        return await self.process.wait()

    async def record(self, task_id: str) -> dict[str, Any]:
        response = await self.client.get(f"/v1/tasks/{task_id}/record", headers={"authorization": f"Bearer {ADMIN}"})
        assert response.status_code == 200, response.text
        shown: dict[str, Any] = response.json()
        return shown

    async def log(self) -> list[Any]:
        """All events of the log, with their ids, in its order."""
        told: list[Any] = []
        while True:
            path = f"/v1/events?limit=200&after={told[-1]['id'] if told else 0}"
            page = (await self.client.get(path, headers={"authorization": f"Bearer {ADMIN}"})).json()
            if not page["events"]:
                return told
            told += page["events"]


@asynccontextmanager
async def staged(folder: Path, **settings: Any) -> AsyncIterator[Stage]:
    with _reserved_port() as port:
        async with _stage(folder, port, settings) as stage:
            try:
                yield stage
            finally:
                if stage.process is not None and stage.process.returncode is None:
                    os.kill(stage.process.pid, signal.SIGKILL)
                    await stage.process.wait()


@asynccontextmanager
async def _stage(folder: Path, port: int, settings: dict[str, Any]) -> AsyncIterator[Stage]:
    url = f"http://127.0.0.1:{port}"
    inbox = Inbox()
    receiver = Starlette(routes=[Route("/{path:path}", inbox.receive, methods=["POST"])])
    answering = asyncio.Event()
    answering.set()

    async def late(seconds: float) -> None:
        await asyncio.sleep(seconds)
        await answering.wait()

    simulator = create_simulator(SimulatorSettings(), sleep=late)
    client = httpx.AsyncClient(base_url=url, timeout=PATIENCE, limits=httpx.Limits(max_connections=None))
    client.headers["authorization"] = f"Bearer {KEY}"
    async with client, serve(receiver) as inbox.url, serve(simulator) as simulator_url:
        chosen = {
            "database": str(folder / "ringback.db"),
            "port": port,
            "public_url": url,
            "api_keys": [f"first:{KEY}"],
            "admin_token": ADMIN,
            "webhook_secret": SECRET,
            "secret_keys": ["torture-secret-key"],
            "egress_allow": "127.0.0.0/8",
        }
        written = {"settings": chosen | settings, "simulator": simulator_url}
        (folder / "settings.json").write_text(json.dumps(written))
        yield Stage(folder, url, simulator.state.world, inbox, client, answering=answering)


@contextmanager
def _reserved_port() -> Iterator[int]:
    """A port of loopback that nobody else is given while the service is down. Only Linux lets the service listen where
    something is bound; elsewhere it is a free port, and some luck."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        if sys.platform != "linux":
            holder.close()
        yield port
