"""Every client shape, every provider, every model of the catalogue: one video paid for, one verified callback."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapters.catalogue import Model
from adapters.providers import PROVIDERS
from service.simulator.tasks import Create
from tests.service.orders import MODELS, Order, order
from tests.world import KEY, PUBLIC_URL, SIMULATOR, World, world

pytestmark = pytest.mark.anyio
SHAPES = ("flat", "native", "gateway")

FLAT_MEANS: dict[str, dict[str, Any]] = {
    "wan2.6": {"prompt_extend": True, "audio": True, "watermark": False},
    "wan2.7": {"prompt_extend": True, "watermark": False, "resolution": "1080P", "duration": 5},
    "wan3.0": {"prompt_extend": True, "audio": True, "watermark": False},
    "happyhorse": {"watermark": False, "resolution": "1080P", "duration": 5},
}
"""What a field that AceData's client leaves out means by AceData's pages, said to DashScope's family in full. A model
that has the field in its own family only gets what its clients get there."""

NATIVE_MEANS: dict[str, dict[str, Any]] = {
    "wan2.6": {"prompt_extend": True, "audio": True, "duration": 5, "shot_type": "single"},
    "wan3.0": {"prompt_extend": True, "audio": True, "watermark": False, "resolution": "1080P", "ratio": "adaptive"},
    "happyhorse": {"watermark": True, "resolution": "1080P", "duration": 5},
}
"""What a field that DashScope's client leaves out means by Alibaba's pages, said to AceData in full."""


@dataclass(frozen=True)
class Asked:
    order: Order
    fails: bool
    hook: str
    task_id: str


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("shape", SHAPES)
async def test_every_model_ends_in_one_create_and_one_callback(shape: str, provider: str, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        offered = [model for model in MODELS if provider in model.providers]
        asked = await asyncio.gather(
            *(_ask(it, shape, provider, model, fails) for model in offered for fails in (False, True))
        )
        await it.settle(90)
        for one in asked:
            await _check_end(it, one, _check_create(it, one, provider))
        assert not it.inbox.forged
        assert len(it.inbox.received) == len(it.upstreams.creates) == it.upstreams.requests[provider, "create"]


async def _ask(it: World, shape: str, provider: str, model: Model, fails: bool) -> Asked:
    """A native client subscribes by a header in the one case and by a field of the body in the other."""
    hook = f"/{model.name}/{'failure' if fails else 'success'}"
    asked = order(shape, model, f"{hook} [sim:fail=DataInspectionFailed]" if fails else hook)
    url, body, headers = it.inbox.url + hook, asked.body, {"x-ringback-provider": provider}
    if shape == "flat" or fails:
        body = body | {"callback_url": url}
    else:
        headers["x-callback-url"] = url
    reply = await it.client.post(asked.path, json=body, headers=headers)
    assert reply.status_code == 200, (model.name, reply.text)
    return Asked(asked, fails, hook, reply.json().get("output", reply.json())["task_id"])


def _check_create(it: World, asked: Asked, provider: str) -> Create:
    [create] = [one for one in it.upstreams.creates if one.task.order.prompt == asked.order.prompt]
    assert create.provider == provider
    assert create.headers["authorization"] == f"Bearer sk-{provider}-key"
    body, token = dict(create.body), ""
    if provider == "acedata":
        prefix, _, token = str(body.pop("callback_url")).rpartition("/")
        assert (prefix, bool(token)) == (f"{PUBLIC_URL}/callbacks/acedata", True)
    else:
        assert create.headers["x-dashscope-async"] == "enable"
    assert (create.path, body) == _expected(asked.order, PROVIDERS[provider].shape)
    everything = f"{create.headers} {body}"
    assert it.inbox.url not in everything, "whom the client wants to be told is no business of the upstream"
    assert KEY not in everything
    return create


def _expected(asked: Order, shape: str) -> tuple[str, dict[str, Any]]:
    """Path and body of the create as `shape`'s own client would have sent it, with the defaults of the client's."""
    written = order(shape, asked.model, asked.prompt)
    crossing = (asked.shape == "flat") != (shape == "flat")
    meant = _meant(asked.model, FLAT_MEANS if asked.shape == "flat" else NATIVE_MEANS) if crossing else {}
    if shape == "flat":
        return written.path, written.body | meant | {"async": True}
    return written.path, written.body | ({"parameters": meant} if meant else {})


def _meant(model: Model, table: dict[str, dict[str, Any]]) -> dict[str, Any]:
    family = next(family for family in table if model.name.startswith(family))
    meant = dict(table[family])
    if model.mode in ("t2v", "r2v") and family in ("wan2.7", "happyhorse"):
        meant["ratio"] = "16:9"
    if model.mode == "edit":
        meant |= {"audio_setting": "auto", "duration": 0}  # 0: as long as the video that is edited
        if family == "happyhorse":
            del meant["duration"]
    return meant


async def _check_end(it: World, asked: Asked, create: Create) -> None:
    [told] = it.inbox.bodies(asked.hook)
    assert told == await _own_answer(it, asked)
    link = f"{SIMULATOR}/results/{create.task_id}.mp4?"
    check = {"flat": _check_flat, "native": _check_native, "gateway": _check_gateway}[asked.order.shape]
    check(told, asked, link)


async def _own_answer(it: World, asked: Asked) -> Any:
    """What our own query answers now; of a flat record, its `response`."""
    if asked.order.shape == "flat":
        path = f"/{asked.order.model.service}/tasks"
        return (await it.client.post(path, json={"action": "retrieve", "id": asked.task_id})).json()["response"]
    path = "/api/v1/tasks" if asked.order.shape == "native" else "/v1/tasks"
    return (await it.client.get(f"{path}/{asked.task_id}")).json()


def _check_flat(told: Any, asked: Asked, link: str) -> None:
    assert (told["task_id"], told["success"]) == (asked.task_id, not asked.fails)
    if asked.fails:
        assert (told["state"], told["error"]["code"]) == ("failed", "forbidden")
        assert told["error"]["message"]
    else:
        assert told["state"] == "completed"
        assert told["video_url"].startswith(link)


def _check_native(told: Any, asked: Asked, link: str) -> None:
    output = told["output"]
    assert told["request_id"]
    assert output["task_id"] == asked.task_id
    if asked.fails:
        assert (output["task_status"], output["code"]) == ("FAILED", "DataInspectionFailed")
        assert output["message"]
    else:
        assert output["task_status"] == "SUCCEEDED"
        assert output["video_url"].startswith(link)


def _check_gateway(told: Any, asked: Asked, link: str) -> None:
    assert (told["id"], told["task_id"], told["progress"]) == (asked.task_id, asked.task_id, "100%")
    if asked.fails:
        assert told["status"] == "failed"
        assert told["error"]["code"] == "DataInspectionFailed"
        assert told["fail_reason"].startswith("[DataInspectionFailed] ")
    else:
        assert told["status"] == "completed"
        assert told["result_url"].startswith(link)
