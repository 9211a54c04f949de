"""A stage for clients that know nothing of us: the simulated upstreams, Ringback and an inbox, each a real server on a
loopback port, with real time, in one thread of its own. No name resolves there, so nothing leaves the machine."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.providers import PROVIDERS
from service.app import Ringback, create_app
from service.settings import Account, Settings
from service.simulator import SimulatorSettings, create_simulator
from service.simulator.tasks import Create

KEY = "sk-a-key-that-a-program-already-has"
OTHER_KEY = "sk-somebody-elses-key"
ADMIN = "operators-token"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"
PATIENCE = 30.0


@dataclass(frozen=True)
class Received:
    """One POST at the inbox that verified, `at` seconds since the epoch. `answer` is what its task's own GET said at
    that very moment, if asked."""

    path: str
    at: float
    raw: bytes
    answer: Any = None

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


class Inbox:
    """Receives callbacks and believes only what `standardwebhooks` verifies, by the real clock and one of `secrets`.
    `looks` maps a path to a URL that is read with the client's key before the callback there is answered; `{}` in it is
    the task's id."""

    def __init__(self) -> None:
        self.url = ""
        self.secrets = [SECRET]
        self.forged: list[bytes] = []
        self.looks: dict[str, str] = {}
        self._received: list[Received] = []
        self._news = threading.Condition()
        self.app = Starlette(routes=[Route("/{path:path}", self.receive, methods=["POST"])])

    async def receive(self, request: Request) -> Response:
        at, path = time.time(), request.url.path
        raw, headers = await request.body(), dict(request.headers)
        if not any(_genuine(secret, raw, headers) for secret in self.secrets):
            self.forged.append(raw)
            return Response(status_code=401)
        answer = await self._look(path, json.loads(raw))
        with self._news:
            self._received.append(Received(path, at, raw, answer))
            self._news.notify_all()
        return Response(status_code=204)

    def wait(self, path: str, words: str = "") -> list[Received]:
        """What came to `path` with `words` in its body, once there is something; fails the test after a while."""

        def found() -> list[Received]:
            return [one for one in self._received if one.path == path and words.encode() in one.raw]

        with self._news:
            assert self._news.wait_for(found, PATIENCE), f"nothing came to {path}"
            return found()

    async def _look(self, path: str, body: Any) -> Any:
        url = self.looks.get(path)
        if url is None:
            return None
        task_id = body.get("task_id") or body["output"]["task_id"]
        async with httpx.AsyncClient(headers={"authorization": f"Bearer {KEY}"}, trust_env=False) as client:
            return (await client.get(url.format(task_id))).json()


def _genuine(secret: str, raw: bytes, headers: dict[str, str]) -> bool:
    try:
        Webhook(secret).verify(raw, headers)
    except WebhookVerificationError:
        return False
    return True


class Stage:
    """`base` is all that a client needs to know; `simulator` is where the videos really come from."""

    def __init__(self, folder: Path) -> None:
        self.inbox = Inbox()
        self._folder = folder
        self._sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
        self.simulator, self.base, self.inbox.url = (
            f"http://127.0.0.1:{each.getsockname()[1]}" for each in self._sockets
        )
        self._upstreams = create_simulator(SimulatorSettings(render_seconds=0.6))

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
        """Makes a key that a program already sends known here, and the inbox what its tasks tell by default."""
        body = {"name": "programs", "key": key, "callback_url": self.inbox.url + path}
        headers = {"authorization": f"Bearer {ADMIN}"}
        reply = httpx.post(f"{self.base}/v1/keys", json=body, headers=headers, trust_env=False)
        assert reply.status_code == 201, reply.text
        self.inbox.secrets.append(reply.json()["webhook_secret"])

    @contextmanager
    def open(self) -> Iterator[Stage]:
        with ExitStack() as stack:
            for listener in self._sockets:
                stack.enter_context(listener)
            running = _Thread(self._serve)
            running.start()
            stack.callback(running.stop)
            yield self

    async def _serve(self, stopped: asyncio.Event) -> None:
        ringback = Ringback(self._settings(), resolve=_nowhere)
        apps = (self._upstreams, create_app(ringback), self.inbox.app)
        servers = [uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)) for app in apps]
        pairs = zip(servers, self._sockets, strict=True)
        running = [asyncio.create_task(server.serve([listener])) for server, listener in pairs]
        await stopped.wait()
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*running)

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
        return Account(provider=PROVIDERS[name], base_url=url, api_key=f"sk-{name}", poll_seconds=0.2)  # type: ignore[arg-type]


class _Thread(threading.Thread):
    """Runs `main` in an event loop of its own until stopped. The listening sockets are there before it starts."""

    def __init__(self, main: Any) -> None:
        super().__init__(name="stage")
        self._main = main
        self._ready = threading.Event()

    def run(self) -> None:
        asyncio.run(self._until_stopped())

    def stop(self) -> None:
        self._ready.wait()
        self._loop.call_soon_threadsafe(self._stopped.set)
        self.join()

    async def _until_stopped(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        await self._main(self._stopped)


async def _nowhere(name: str, port: int) -> list[Any]:
    return []
