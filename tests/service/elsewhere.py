"""Tasks that somebody created at a provider itself, and clients that want to watch them."""

from __future__ import annotations

from typing import Any

import httpx

from service.domain.allowances import Allowance
from tests.service.asking import NATIVE, SHAPES, body_of
from tests.world import SIMULATOR, World

OWN_KEY = "sk-my-own-upstream-key"


def operators_key(provider: str) -> str:
    """The key of the server's own account."""
    return f"sk-{provider}-key"


async def at_provider(
    it: World, provider: str, marker: str = "seconds=20", *, key: str = OWN_KEY, body: dict[str, Any] | None = None
) -> str:
    """A task that is created past this server; its id there."""
    shape = SHAPES[provider]
    path = {"flat": "/wan/videos", "native": NATIVE, "gateway": f"/wan{NATIVE}"}[shape]
    if body is not None and "happyhorse" in body["model"]:
        path = "/happyhorse/videos"
    headers = {"authorization": f"Bearer {key}", "x-dashscope-async": "enable"}
    transport = httpx.ASGITransport(it.simulator)
    async with httpx.AsyncClient(transport=transport, base_url=f"{SIMULATOR}/{provider}") as direct:
        reply = await direct.post(path, json=body or body_of(shape, f"a cat [sim:{marker}]"), headers=headers)
    assert reply.status_code == 200, reply.text
    told = reply.json()
    task_id: str = told.get("task_id") or told["output"]["task_id"]
    return task_id


async def watch(
    it: World, provider: str, upstream_id: str, *, key: str | None = None, url: str | None = "/hook", **fields: Any
) -> httpx.Response:
    """Asks to be told of a task; `key` is the client's, `upstream_key` comes with the `fields`."""
    told = {"callback_url": it.inbox.url + url} if url else {}
    body = {"provider": provider, "task_id": upstream_id, **told, **fields}
    return await it.client.post("/v1/watch", json=body, headers=it.as_key(key))


async def watched(it: World, provider: str, upstream_id: str, **how: Any) -> str:
    """Our id of a task that is newly watched."""
    response = await watch(it, provider, upstream_id, **how)
    assert response.status_code == 201, response.text
    task_id: str = response.json()["task_id"]
    return task_id


async def grant(it: World, client: str = "env:first", providers: tuple[str, ...] | None = None) -> None:
    """Gives a client key the right to watch with the server's accounts (at these providers)."""
    await it.ringback.store.allowances.keep(Allowance(client, providers=providers, watch=True))


async def credentials(it: World) -> list[bytes | None]:
    """The sealed upstream keys of all placements."""
    found = await it.ringback.store._engine.read(lambda tx: tx.all("SELECT credential FROM placements ORDER BY id"))
    return [row["credential"] for row in found]


def turning(it: World) -> None:
    """A question that must wait for its turn turns the clock instead."""

    async def sleep(seconds: float) -> None:
        it.clock.turn(seconds)

    it.ringback.turns.sleep = sleep
