"""Creates whose answers are lost, other programs on the same upstream account, and what became of it all."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from tests.service.asking import NATIVE, SHAPES, id_of, paths, record
from tests.world import SIMULATOR, World

MODEL = "wan2.6-t2v"
Between = Callable[[httpx.Request], Awaitable[httpx.Response | None]]


async def lost(it: World, prompt: str, marker: str = "", provider: str = "dashscope", **parameters: Any) -> str:
    """A task that the upstream accepted without anybody hearing so. `marker` holds the simulator's words."""
    task_id = await asked(it, f"{prompt} [sim:create=lost {marker}]", provider, **parameters)
    assert (await record(it, task_id))["state"] == "IN_DOUBT"
    return task_id


async def asked(it: World, prompt: str, provider: str = "dashscope", **parameters: Any) -> str:
    shape = SHAPES[provider]
    body: dict[str, Any] = {"model": MODEL, "input": {"prompt": prompt}, "parameters": parameters}
    if shape == "flat":
        body = {"action": "text2video", "model": MODEL, "prompt": prompt, "async": True, **parameters}
    headers = {"x-ringback-provider": provider, "x-callback-url": it.inbox.url + "/hook"}
    response = await it.client.post(paths(shape), json=body, headers=headers)
    assert response.status_code == 200, response.text
    return id_of(response)


async def elsewhere(it: World, prompt: str, model: str = MODEL, **parameters: Any) -> str:
    """The upstream id of a task that another program creates with the same DashScope account."""
    headers = {"authorization": "Bearer sk-dashscope-key", "x-dashscope-async": "enable"}
    body = {"model": model, "input": {"prompt": prompt}, "parameters": parameters}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(it.simulator), base_url=SIMULATOR) as client:
        return id_of(await client.post(f"/dashscope{NATIVE}", json=body, headers=headers))


async def outcome(it: World, task_id: str) -> tuple[str, str | None, str | None]:
    """State, error code, and the upstream id of the only send."""
    task = await record(it, task_id)
    [placement] = task["placements"]
    return task["state"], task["error"] and task["error"]["code"], placement["upstream_id"]


async def proven(it: World, task_id: str, upstream_id: str | None = None) -> bool:
    """Whether the task ended with the video of this upstream task (None: of the only one)."""
    expected = upstream_id or it.upstreams.creates[0].task_id
    return await outcome(it, task_id) == ("SUCCEEDED", None, expected)


async def unproven(it: World, task_id: str) -> bool:
    return await outcome(it, task_id) == ("FAILED", "outcome_unknown", None)


def is_list(request: httpx.Request) -> bool:
    """Whether a request to AceData or DashScope asks which tasks there are."""
    if not request.url.path.rstrip("/").endswith("/tasks"):
        return False
    return request.method == "GET" or not {"id", "ids"} & set(json.loads(request.content))


async def unlisted(request: httpx.Request) -> httpx.Response | None:
    """No list shows anything, as if it lagged behind by hours."""
    return httpx.Response(200, json={"items": [], "data": [], "count": 0, "total": 0}) if is_list(request) else None


def counting(lists: list[httpx.Request], answer: httpx.Response | None = None) -> Between:
    """Notes every list; answers it in the upstream's place, if told how."""

    async def between(request: httpx.Request) -> httpx.Response | None:
        if not is_list(request):
            return None
        lists.append(request)
        return answer

    return between
