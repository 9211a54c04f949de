"""Asking the service for a video in each shape, and looking at what it knows of the task."""

from __future__ import annotations

from typing import Any

import httpx

from tests.world import ADMIN, World

NATIVE = "/api/v1/services/aigc/video-generation/video-synthesis"
SHAPES = {"acedata": "flat", "laozhang": "gateway", "apiyi": "gateway", "dashscope": "native"}
"""The shape that each provider speaks itself."""

ACEDATA = "acedata"
SILENT = ("laozhang", "apiyi", "dashscope")
"""The providers that do not call back."""


def paths(shape: str) -> str:
    return {"flat": "/wan/videos", "native": NATIVE, "gateway": f"/wan{NATIVE}"}[shape]


def body_of(shape: str, prompt: str = "a cat") -> dict[str, Any]:
    if shape == "flat":
        return {"action": "text2video", "model": "wan2.6-t2v", "prompt": prompt, "async": True}
    return {"model": "wan2.6-t2v", "input": {"prompt": prompt}}


async def create(
    it: World, marker: str = "", *, shape: str = "", provider: str = ACEDATA, key: str | None = None, url: str = "/hook"
) -> httpx.Response:
    """Asks for a video of `provider`, in its own shape unless told otherwise. `marker` holds the simulator's words."""
    shape = shape or SHAPES[provider]
    prompt = f"a cat [sim:{marker}]" if marker else "a cat"
    headers = it.as_key(key) | {"x-ringback-provider": provider}
    if url:
        headers["x-callback-url"] = it.inbox.url + url
    return await it.client.post(paths(shape), json=body_of(shape, prompt), headers=headers)


async def created(it: World, marker: str = "", **how: Any) -> str:
    """The id of a task that was accepted."""
    response = await create(it, marker, **how)
    assert response.status_code == 200, response.text
    return id_of(response)


def id_of(response: httpx.Response) -> str:
    body = response.json()
    task_id: str = body.get("task_id") or body["output"]["task_id"]
    return task_id


async def record(it: World, task_id: str) -> dict[str, Any]:
    """Everything the service knows of a task, as the operator sees it."""
    response = await it.client.get(f"/v1/tasks/{task_id}/record", headers=it.as_key(ADMIN))
    assert response.status_code == 200, response.text
    shown: dict[str, Any] = response.json()
    return shown


async def only_task(it: World) -> dict[str, Any]:
    """The record of the one task that there is."""
    listed = await it.client.get("/v1/tasks", headers=it.as_key(ADMIN))
    [task] = listed.json()["tasks"]
    return await record(it, task["task_id"])


async def events(it: World) -> list[str]:
    """The kinds of the operator's events."""
    sql = "SELECT kind FROM operator_events ORDER BY at, id"
    found = await it.ringback.store._engine.read(lambda tx: tx.all(sql))
    return [row["kind"] for row in found]


def told(it: World, path: str = "/hook") -> list[Any]:
    """The bodies that subscribers were POSTed; each message once, however often it came."""
    return list({one.id: one.body for one in it.inbox.received if one.path == path}.values())


def error_code(shape: str, body: Any) -> str:
    """The error code that an error of this shape says."""
    code: str = body["code"] if shape == "native" else body["error"]["code"]
    return code
