"""Rights of a client key to providers and models: held when a task is submitted, told in the client's own shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.catalogue import builtin
from service.domain.allowances import Allowance
from tests.service.asking import SHAPES, body_of, created, error_code, paths, record
from tests.world import OTHER_KEY, World, world

pytestmark = pytest.mark.anyio
ALIASES = '[aliases]\nquick = "wan2.7-t2v"'
CODES = {"flat": "api_not_implemented", "native": "Model.AccessDenied", "gateway": "Model.AccessDenied"}


async def allow(it: World, **rights: Any) -> None:
    await it.ringback.store.allowances.keep(Allowance("env:first", **rights))


def native(model: str) -> dict[str, Any]:
    return {"model": model, "input": {"prompt": "a cat"}}


@pytest.mark.parametrize("shape", ["flat", "native", "gateway"])
async def test_a_model_without_the_right_is_forbidden_in_the_clients_shape(tmp_path: Path, shape: str) -> None:
    async with world(tmp_path) as it:
        await allow(it, models=("wan2.7-t2v",))
        reply = await it.client.post(paths(shape), json=body_of(shape))
        assert (reply.status_code, error_code(shape, reply.json())) == (403, CODES[shape])
        assert "this key may not use the model; it may use wan2.7-t2v." in reply.text
        assert not it.upstreams.requests
        other = await it.client.post(paths(shape), json=body_of(shape), headers=it.as_key(OTHER_KEY))
        assert other.status_code == 200, "nothing is kept from other keys"


@pytest.mark.parametrize(
    ("allowed", "asked", "status"),
    [
        ("wan2.7-t2v", "wan2.7-t2v", 200),
        ("wan2.7-t2v", "wan2.7-t2v-2026-04-25", 200),
        ("wan2.7-t2v", "quick", 200),
        ("quick", "quick", 200),
        ("quick", "wan2.7-t2v", 403),
        ("wan2.7-t2v-2026-04-25", "wan2.7-t2v", 403),
        ("wan2.7-t2v-2026-04-25", "wan2.7-t2v-2026-04-25", 200),
        ("wan2.7-r2v", "quick", 403),
    ],
)
async def test_an_alias_counts_as_its_model_and_by_its_own_name_and_a_snapshot_as_its_model(
    tmp_path: Path, allowed: str, asked: str, status: int
) -> None:
    async with world(tmp_path, catalogue=builtin(ALIASES)) as it:
        await allow(it, models=(allowed,))
        assert (await it.client.post(paths("native"), json=native(asked))).status_code == status


async def test_a_task_goes_to_the_providers_that_its_key_may_use(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await allow(it, providers=("dashscope",))
        reply = await it.client.post("/wan/videos", json=body_of("flat"))
        assert reply.status_code == 200
        assert (await record(it, reply.json()["task_id"]))["provider"] == "dashscope"


@pytest.mark.parametrize("provider", SHAPES)
async def test_a_named_provider_without_the_right_is_forbidden(tmp_path: Path, provider: str) -> None:
    async with world(tmp_path) as it:
        await allow(it, providers=tuple(name for name in SHAPES if name != provider))
        shape = SHAPES[provider]
        named = {"x-ringback-provider": provider}
        reply = await it.client.post(paths(shape), json=body_of(shape), headers=named)
        assert (reply.status_code, error_code(shape, reply.json())) == (403, CODES[shape])
        assert "this key may not use it" in reply.text
        unknown = await it.client.post(paths(shape), json=native("wan9-t2v"), headers=named)
        assert unknown.status_code == 403, "a model that nobody knows is no way around it"
        assert not it.upstreams.requests


async def test_what_the_allowed_provider_cannot_take_is_told_before_the_right(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await allow(it, providers=("dashscope",))
        body = {"model": "wan2.7-t2v", "input": {"prompt": "x"}, "parameters": {"duration": 16}}
        reply = await it.client.post(paths("native"), json=body)
        assert reply.status_code == 400
        assert reply.json()["message"] == "parameters.duration: 16 given, allowed: 2 to 15."


async def test_without_any_provider_that_is_allowed_and_offers_the_model_both_reasons_are_told(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await allow(it, providers=("acedata",))
        reply = await it.client.post(paths("native"), json=native("wan2.7-t2v"))
        assert reply.status_code == 403
        assert "AceData: it does not offer wan2.7-t2v." in reply.json()["message"]
        assert "Alibaba DashScope, LaoZhang, APIYI: this key may not use it." in reply.json()["message"]


async def test_explain_tells_the_rights_too(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await allow(it, providers=("apiyi",))
        told = (await it.client.post("/v1/explain", json={"shape": "native", "body": native("wan2.7-t2v")})).json()
        assert told["chosen"] == "apiyi"
        forbidden = {"path": "authorization", "reason": "this key may not use it"}
        assert [one["provider"] for one in told["candidates"] if one["objections"] == [forbidden]] == [
            "dashscope",
            "laozhang",
            "acedata",
        ]


async def test_a_running_server_takes_a_change_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await created(it)
        await allow(it, models=())
        reply = await it.client.post("/wan/videos", json=body_of("flat"))
        assert reply.status_code == 403
        await allow(it)
        await created(it)
