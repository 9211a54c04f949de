"""The demo's world in one process, on loopback: the simulated providers, the service, and an inbox for callbacks.

Nothing of it comes from the environment and nothing of it stays: secrets, keys and ports are made here, the database
and the log are in a temporary folder.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory

from adapters.providers import PROVIDERS
from service import logs
from service.app import Ringback, create_app
from service.cli.demo_inbox import Inbox
from service.cli.serving import bind, port_of, served, url_of
from service.cli.sim import base_url
from service.keys.signing import new_secret
from service.settings import Account, Settings
from service.simulator import SimulatorSettings, create_simulator

HOST = "127.0.0.1"
LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class House:
    """Where everything is. `key` is the demo's own client key; `log` is what the service wrote."""

    url: str
    simulator_url: str
    inbox_url: str
    inbox: Inbox
    log: Path
    key: str = field(repr=False)


@asynccontextmanager
async def open_house(port: int, render_seconds: float) -> AsyncIterator[House]:
    """Everything listens inside the block. `port` is the service's (0: any free one). Raises `Failed` if it is taken.

    All ports are taken before anything runs: each part must know where it will be called.
    """
    sockets = [bind(HOST, each) for each in (port, 0, 0)]
    service, simulator, inbox = (url_of(HOST, port_of(each)) for each in sockets)
    secret, key = new_secret(), f"demo-{token_hex(8)}"
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="ringback-demo-")))
        house = House(service, simulator, inbox, Inbox([secret]), folder / "log", key)
        logs.configure(stream=stack.enter_context(house.log.open("w", buffering=1)))
        stack.callback(logs.configure)  # what is said after the file is closed
        settings = _settings(folder, sockets, house, secret)
        simulated = create_simulator(SimulatorSettings(render_seconds=render_seconds))
        await stack.enter_async_context(served(simulated, sockets[1], lifespan="on"))
        await stack.enter_async_context(served(house.inbox, sockets[2]))
        ringback = Ringback(settings)
        await stack.enter_async_context(ringback.running())
        await stack.enter_async_context(served(create_app(ringback), sockets[0], leaving=ringback.hurry))
        yield house


def _settings(folder: Path, sockets: list[list[socket.socket]], house: House, secret: str) -> Settings:
    """Deliveries may go to the inbox and to nothing else on this machine."""
    return Settings.model_validate(
        {
            "database": str(folder / "ringback.db"),
            "host": HOST,
            "port": port_of(sockets[0]),
            "public_url": house.url,
            "api_keys": f"demo:{house.key}",
            "webhook_secret": secret,
            "egress_allow": f"{HOST}/32:{port_of(sockets[2])}",
            "accounts": [
                Account.model_validate(
                    {
                        "provider": provider,
                        "base_url": base_url(house.simulator_url, name),
                        "api_key": token_hex(8),
                        "poll_seconds": LOOK_SECONDS,
                    }
                )
                for name, provider in PROVIDERS.items()
            ],
        }
    )
