"""The world of the simulator's tests: a clock to turn, an inbox for callbacks, and a client in the same process."""

from __future__ import annotations

from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.simulator import SimulatorSettings, World, create_simulator

BASE = "http://upstream.test"


class Clock:
    """Stands at a time until it is turned."""

    def __init__(self) -> None:
        self.now = 1_769_262_721.0

    def __call__(self) -> float:
        return self.now

    def turn(self, seconds: float) -> None:
        self.now += seconds

    async def sleep(self, seconds: float) -> None:
        self.turn(seconds)


class Inbox:
    """Receives callbacks at http://inbox.test/<token> and answers `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.received: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.app = Starlette(routes=[Route("/{token}", self.take, methods=["POST"])])

    async def take(self, request: Request) -> Response:
        self.received.append((request.path_params["token"], dict(request.headers), await request.json()))
        return Response(status_code=self.status)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [body for _, _, body in self.received]


class Upstream:
    """A simulator and a client that talks to it as a program with an account would."""

    def __init__(self, clock: Clock, inbox: Inbox, settings: SimulatorSettings) -> None:
        self.inbox_client = httpx.AsyncClient(transport=httpx.ASGITransport(inbox.app))
        app = create_simulator(settings, clock, self.inbox_client, clock.sleep)
        self.world: World = app.state.world
        self.clock = clock
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE)
        self.headers = {"Authorization": "Bearer sk-test"}

    async def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return await self.client.post(path, json=body, headers=self.headers | headers)

    async def get(self, path: str) -> httpx.Response:
        return await self.client.get(path, headers=self.headers)

    async def flat(self, prompt: str = "a cat", service: str = "wan", **fields: Any) -> httpx.Response:
        """An asynchronous create at AceData."""
        return await self.post(f"/acedata/{service}/videos", {"prompt": prompt, "async": True} | fields)

    async def native(
        self, provider: str, prompt: str = "a cat", model: str = "wan2.7-t2v", **more: Any
    ) -> httpx.Response:
        """A create at DashScope or a gateway; `media` and `parameters` as given."""
        prefix = "/dashscope/api/v1" if provider == "dashscope" else f"/{provider}/wan/api/v1"
        body = {"model": model, "input": {"prompt": prompt}, "parameters": more.pop("parameters", {})}
        body["input"] |= more
        path = f"{prefix}/services/aigc/video-generation/video-synthesis"
        return await self.post(path, body, **{"X-DashScope-Async": "enable"})

    async def create(self, provider: str, prompt: str = "a cat", **more: Any) -> httpx.Response:
        """A plain create in the provider's own shape."""
        if provider == "acedata":
            return await self.flat(prompt, **more)
        return await self.native(provider, prompt, **more)

    async def look(self, provider: str, task_id: str, service: str = "wan") -> httpx.Response:
        """One look at a task in the provider's own shape."""
        if provider == "acedata":
            return await self.post(f"/acedata/{service}/tasks", {"action": "retrieve", "id": task_id})
        return await self.get(
            f"/dashscope/api/v1/tasks/{task_id}" if provider == "dashscope" else f"/{provider}/v1/tasks/{task_id}"
        )

    async def close(self) -> None:
        await self.client.aclose()
        await self.inbox_client.aclose()


def task_id_of(reply: httpx.Response) -> str:
    """The id in an acceptance of any shape."""
    assert reply.status_code == 200, reply.text
    body = reply.json()
    task_id = body.get("output", body)["task_id"]
    assert isinstance(task_id, str)
    return task_id
