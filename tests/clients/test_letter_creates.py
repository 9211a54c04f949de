"""Creates to the letter: what the official clients need of a create's reply, path by path."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.clients.stage import KEY, Stage
from tests.world import World, world

pytestmark = pytest.mark.anyio
SYNTHESIS = "services/aigc/video-generation/video-synthesis"
BETWEEN_FRAMES = "services/aigc/image2video/video-synthesis"
NATIVE_PATHS = [f"{prefix}/{path}" for prefix in ("/api/v1", "/wan/api/v1") for path in (SYNTHESIS, BETWEEN_FRAMES)]


def _native(**more: Any) -> dict[str, Any]:
    return {"model": "wan2.7-t2v", "input": {"prompt": "a lighthouse"}} | more


def _flat(**more: Any) -> dict[str, Any]:
    return {"model": "wan2.6-t2v", "prompt": "a lighthouse", "async": True} | more


def _links(node: Any) -> Iterator[str]:
    """Keys that AceData's SDK takes for a finished video."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from [name] if name.endswith("url") and value else _links(value)


async def test_a_native_create_is_exactly_200_with_id_state_and_no_code(tmp_path: Path) -> None:
    """Without X-DashScope-Async too: no client that was seen means anything else."""
    async with world(tmp_path) as it:
        for path in NATIVE_PATHS:
            for slash in ("", "/"):
                reply = await it.client.post(path + slash, json=_native(parameters={}))
                body = reply.json()
                assert (reply.status_code, reply.history) == (200, [])
                assert body["output"]["task_status"] == "PENDING"
                assert UUID(body["output"]["task_id"])
                assert body["request_id"]
                assert not body.get("code")


async def test_a_flat_create_names_the_task_and_no_link(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        happyhorse = {"prompt": "a lighthouse", "callback_url": f"{it.inbox.url}/hook"}
        for path, body in (("/wan/videos", _flat()), ("/happyhorse/videos", happyhorse)):
            for slash in ("", "/"):
                reply = await it.client.post(path + slash, json=body)
                assert (reply.status_code, reply.history) == (200, [])
                assert UUID(reply.json()["task_id"])
                assert list(_links(reply.json())) == []


async def test_what_dashscopes_sdk_always_adds_never_reaches_acedata(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["acedata"]) as it:
        extra = {"prompt": "a lighthouse", "function": "video-synthesis", "extend_prompt": False}
        body = {"model": "wan2.6-t2v", "input": extra, "parameters": {}}
        assert (await it.client.post(f"/api/v1/{SYNTHESIS}", json=body)).status_code == 200
        [create] = it.upstreams.creates
        assert create.body["prompt_extend"] is True, "extend_prompt is another field"
        assert not {"function", "extend_prompt", "parameters", "input"} & create.body.keys()


async def test_an_older_sdks_sample_image_is_no_first_frame(tmp_path: Path) -> None:
    """Up to 2026.8 AceData's SDK put one into every request; the action decides."""
    sample = {"image_url": "https://cdn.acedata.cloud/r9vsv9.png", "action": "text2video"}
    async with world(tmp_path, providers=["dashscope"]) as it:
        reply = await it.client.post("/wan/videos", json=_flat(**sample))
        assert reply.status_code == 200, reply.text
        [create] = it.upstreams.creates
        assert "r9vsv9" not in str(create.body)


@pytest.mark.parametrize("ending", ["", "[sim:fail]"])
async def test_without_async_and_callback_the_connection_is_held_to_the_end(ending: str, tmp_path: Path) -> None:
    """A failed task is 200 as well: on an error status AceData's SDK would POST three times."""
    async with world(tmp_path) as it:
        body = {"model": "wan2.6-t2v", "prompt": f"a lighthouse {ending}"}
        asked = asyncio.create_task(it.client.post("/wan/videos", json=body))
        reply = await _turned_until(it, asked)
        assert reply.status_code == 200
        told = reply.json()
        assert (told["success"], told["state"]) == ((False, "failed") if ending else (True, "completed"))
        assert told.get("error", {}).get("code") == ("api_error" if ending else None)
        query = {"action": "retrieve", "id": told["task_id"]}
        assert (await it.client.post("/wan/tasks", json=query)).json()["response"] == told
        assert it.upstreams.requests["acedata", "create"] == 1


async def _turned_until(it: World, asked: asyncio.Task[httpx.Response]) -> httpx.Response:
    while not asked.done():
        await it.settle(1)
        await asyncio.sleep(0)
    return await asked


async def test_a_callback_url_makes_a_create_asynchronous_by_itself(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        body = {"model": "wan2.6-t2v", "prompt": "p", "callback_url": f"{it.inbox.url}/hook", "async": False}
        reply = await it.client.post("/wan/videos", json=body)
        assert "state" not in reply.json()
        await it.settle(30)
        assert len(it.inbox.bodies("/hook")) == 1


async def test_the_header_of_a_get_subscribes_nobody(tmp_path: Path) -> None:
    """The AI SDK sends its headers with every poll."""
    async with world(tmp_path) as it:
        header = {"x-callback-url": f"{it.inbox.url}/hook"}
        reply = await it.client.post(f"/api/v1/{SYNTHESIS}", json=_native(), headers=header)
        task_id = reply.json()["output"]["task_id"]
        other = {"x-callback-url": f"{it.inbox.url}/other"}
        for _ in range(3):
            assert (await it.client.get(f"/api/v1/tasks/{task_id}", headers=other)).status_code == 200
        await it.settle(30)
        assert [one.path for one in it.inbox.received] == ["/hook"]


async def test_a_callback_is_tried_again_with_the_same_id_and_bytes(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.inbox.answers = [(500, {}), (503, {})]
        body = _flat(prompt="doomed [sim:fail]", callback_url=f"{it.inbox.url}/hook")
        await it.client.post("/wan/videos", json=body)
        await it.settle(1200, step=5)
        first, *again = it.inbox.received
        assert [(one.id, one.raw) for one in again] == [(first.id, first.raw)] * 2
        assert not it.inbox.forged


def test_a_client_that_hangs_up_loses_and_doubles_nothing(stage: Stage) -> None:
    headers = {"authorization": f"Bearer {KEY}", "x-callback-url": f"{stage.inbox.url}/hung-up"}
    body = {"model": "wan2.6-t2v", "prompt": "Hung up on"}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{stage.base}/wan/videos", json=body, headers=headers, timeout=0.3, trust_env=False)
    [told] = stage.inbox.wait("/hung-up")
    assert told.body["success"] is True
    assert len(stage.creates("Hung up on")) == 1
