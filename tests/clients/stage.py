"""A stage for clients that know nothing of us: the simulated upstreams, Ringback and an inbox, each a real server on a
loopback port, with real time, in one thread of its own. No name resolves there, so nothing leaves the machine."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from anyio.from_thread import start_blocking_portal

from adapters.providers import PROVIDERS
from service.app import Ringback, create_app
from service.settings import Account, Settings
from service.simulator import SimulatorSettings, create_simulator
from service.simulator.tasks import Create
from tests.clients.inbox import Inbox
from tests.clients.line import Line

KEY = "sk-a-key-that-a-program-already-has"
OTHER_KEY = "sk-somebody-elses-key"
ADMIN = "operators-token"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"


class Stage:
    """`base` is all that a client needs to know; `simulator` is where the videos really come from. `line` leads to the
    service too, and is cut when an upstream takes its time with a create (`[sim:create=delay:S]`)."""

    def __init__(self, folder: Path) -> None:
        self.inbox = Inbox(KEY, SECRET)
        self._folder = folder
        self._registered: set[str] = set()
        self._sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
        ports = [each.getsockname()[1] for each in self._sockets]
        self.line = Line(ports[1])
        urls = (f"http://127.0.0.1:{port}" for port in ports)
        self.simulator, self.base, self.inbox.url, self.line.url = urls
        self._upstreams = create_simulator(SimulatorSettings(render_seconds=0.6), sleep=self._dawdle)

    def creates(self, words: str) -> list[Create]:
        """The creates that the upstreams accepted, of prompts with `words` in them."""
        return [one for one in self._upstreams.state.world.creates if words in one.task.order.prompt]

    def asked(self, provider: str, kind: str) -> int:
        """How many requests of a kind ("create", "query") a provider has seen, refused ones included."""
        count: int = self._upstreams.state.world.requests[provider, kind]
        return count

    def misbehave(self, **plan: Any) -> None:
        """How the next creates behave whose prompts cannot be chosen: {"behaviour", "times", "provider", "model"}."""
        assert httpx.post(f"{self.simulator}/_sim/behaviour", json=plan, trust_env=False).status_code == 200

    def register(self, key: str, path: str) -> None:
        """Makes a key that a program already sends known here, and the inbox what its tasks tell by default; once."""
        if key in self._registered:  # the tests of one file may come to a process in several parts
            return
        body = {"name": "programs", "key": key, "callback_url": self.inbox.url + path}
        headers = {"authorization": f"Bearer {ADMIN}"}
        reply = httpx.post(f"{self.base}/v1/keys", json=body, headers=headers, trust_env=False)
        assert reply.status_code == 201, reply.text
        self.inbox.secrets.append(reply.json()["webhook_secret"])
        self._registered.add(key)

    @contextmanager
    def open(self) -> Iterator[Stage]:
        with start_blocking_portal() as portal, portal.wrap_async_context_manager(self._serving()):
            yield self

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        *sockets, line = self._sockets
        apps = (self._upstreams, create_app(Ringback(self._settings(), resolve=_nowhere)), self.inbox.app)
        async with AsyncExitStack() as stack:
            for app, listener in zip(apps, sockets, strict=True):
                await stack.enter_async_context(_served(app, listener))
            await stack.enter_async_context(await asyncio.start_server(self.line.carry, sock=line))
            yield

    async def _dawdle(self, seconds: float) -> None:
        self.line.cut()
        await asyncio.sleep(seconds)

    def _settings(self) -> Settings:
        return Settings.model_validate(
            {
                "database": str(self._folder / "ringback.db"),
                "api_keys": (f"program:{KEY}", f"stranger:{OTHER_KEY}"),
                "admin_token": ADMIN,
                "webhook_secret": SECRET,
                "public_url": self.base,
                "egress_allow": "127.0.0.0/8",
                "accounts": tuple(self._account(name) for name in PROVIDERS),
            }
        )

    def _account(self, name: str) -> Account:
        url = f"{self.simulator}/{name}"
        fields = {"provider": PROVIDERS[name], "base_url": url, "api_key": f"sk-{name}", "poll_seconds": 0.2}
        return Account.model_validate(fields)


@asynccontextmanager
async def _served(app: Any, listener: socket.socket) -> AsyncIterator[None]:
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    running = asyncio.create_task(server.serve([listener]))
    while not server.started and not running.done():
        await asyncio.sleep(0)
    if running.done():
        await running
    try:
        yield
    finally:
        server.should_exit = True
        await running


async def _nowhere(name: str, port: int) -> list[Any]:
    return []
