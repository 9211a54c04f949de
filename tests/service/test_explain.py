"""`POST /v1/explain`: what it says is what a create then sends, and nothing is sent for saying it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from adapters.catalogue import builtin
from adapters.providers import PROVIDERS
from service.openapi import document
from tests.service.asking import NATIVE
from tests.service.orders import MODELS, order
from tests.world import PUBLIC_URL, World, accounts, world

pytestmark = pytest.mark.anyio
PLACEHOLDER = f"{PUBLIC_URL}/callbacks/acedata/<token>"
SDK_HABITS = {"async": False, "audio": False, "watermark": False, "action": "text2video"}


async def explained(it: World, shape: str, body: dict[str, Any], **more: Any) -> dict[str, Any]:
    response = await it.client.post("/v1/explain", json={"shape": shape, "body": body, **more})
    assert response.status_code == 200, response.text
    told: dict[str, Any] = response.json()
    return told


async def candidate(it: World, provider: str, shape: str, body: dict[str, Any]) -> dict[str, Any]:
    [told] = (await explained(it, shape, body, provider=provider))["candidates"]
    assert told["provider"] == provider
    one: dict[str, Any] = told
    return one


def fields(body: dict[str, Any]) -> dict[str, Any]:
    """The fields of a body by wire path, told here once more."""
    nested = {name: body[name] for name in ("input", "parameters") if name in body}
    inner = {f"{name}.{key}": value for name, each in nested.items() for key, value in each.items()}
    return {name: value for name, value in body.items() if name not in nested} | inner


def assert_complete(asked: dict[str, Any], told: dict[str, Any]) -> None:
    """Every field of both bodies is said as it came, or the explanation says what it is."""
    given, said = fields(asked), fields(told["request"]["body"])
    alike = {path for path, value in given.items() if said.get(path) == value}
    renamed = {one["from"]: one["to"] for one in told["renamed"]}
    left_out = {one["name"] for one in told["left_out"]}
    filled = {one["name"]: one["value"] for one in (*told["defaulted"], *told["added"])}
    assert set(given) == alike | renamed.keys() | left_out
    assert set(said) == alike | set(renamed.values()) | filled.keys()
    assert all(said[path] == value for path, value in filled.items())
    assert not left_out & (alike | renamed.keys())
    assert not filled.keys() & (alike | set(renamed.values()))


@pytest.mark.parametrize("shape", ["flat", "native", "gateway"])
async def test_the_body_that_is_told_is_the_body_that_is_sent(shape: str, tmp_path: Path) -> None:
    async with world(tmp_path, accounts=accounts(PROVIDERS, active=0)) as it:
        sent: list[httpx.Request] = []

        async def watch(request: httpx.Request) -> None:
            sent.append(request)

        it.between = watch
        seen = 0
        for model in MODELS:
            asked = order(shape, model, "a cat")
            told = await explained(it, shape, asked.body, path=asked.path)
            assert not sent
            for one in (one for one in told["candidates"] if one["takes"]):
                headers = {"x-ringback-provider": one["provider"]}
                body = asked.body | ({"async": True} if shape == "flat" else {})
                assert (await it.client.post(asked.path, json=body, headers=headers)).status_code == 200
                said, made = one["request"], sent.pop()
                token = json.loads(made.content).get("callback_url")
                given = json.loads(json.dumps(said["body"]).replace(PLACEHOLDER, token)) if token else said["body"]
                assert (made.method, made.url.path) == (said["method"], f"/{one['provider']}{said['path']}")
                assert json.loads(made.content) == given
                assert made.headers.items() >= said["headers"].items()
                assert_complete(asked.body, one)
                seen += 1
        assert seen > 40


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_every_field_is_accounted_for(provider: str, tmp_path: Path) -> None:
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("flat", {"prompt": "p", "callback_url": "https://a.b/c", "timeout": 60, "async": True}),
        ("flat", {"model": "wan2.6-t2v", "prompt": "p", "negative_prompt": "n", "duration": 5.0, **SDK_HABITS}),
        ("native", {"model": "wan2.6-t2v", "input": {"prompt": "p", "audio_url": "https://a.b/c.mp3"}}),
        (
            "native",
            {
                "model": "wan2.6-t2v",
                "callback_url": "https://a.b/c",
                "input": {"prompt": "p", "function": None},
                "parameters": {"duration": 10, "size": "1280*720", "shot_type": "multi"},
            },
        ),
        ("gateway", {"model": "happyhorse-1.0-t2v", "input": {"prompt": "p"}, "parameters": {"seed": 1}}),
    ]
    async with world(tmp_path) as it:
        for shape, body in bodies:
            told = await candidate(it, provider, shape, body)
            assert told["takes"], told["objections"]
            present = {name: value for name, value in body.items() if name != "input" or shape == "flat"}
            if "input" in body:
                present["input"] = {name: value for name, value in body["input"].items() if value is not None}
            assert_complete(present, told)


async def test_what_changes_on_the_way_to_another_family_is_told(tmp_path: Path) -> None:
    body = {"model": "wan2.7-t2v", "prompt": "p", "size": "1280*720", "duration": 4, **SDK_HABITS}
    async with world(tmp_path) as it:
        told = await candidate(it, "dashscope", "flat", body)
    assert told["request"]["path"] == NATIVE
    assert told["request"]["headers"] == {"x-dashscope-async": "enable"}
    renamed = [(one["from"], one["to"]) for one in told["renamed"]]
    assert ("prompt", "input.prompt") in renamed
    assert ("duration", "parameters.duration") in renamed
    assert {to for source, to in renamed if source == "size"} == {"parameters.resolution", "parameters.ratio"}
    assert told["defaulted"] == [{"name": "parameters.prompt_extend", "value": True}]
    left_out = {one["name"]: one["reason"] for one in told["left_out"]}
    assert left_out.keys() == {"action", "async", "audio"}
    assert left_out["audio"] == "wan2.7-t2v always has sound"
    assert told["price"] == {
        "per_second": 0.6,
        "currency": "CNY",
        "resolution": "720P",
        "seconds": 4,
        "amount": 2.4,
        "most_seconds": 4,
        "most": 2.4,
        "source": "APIYI's Wan overview, official price",
    }


async def test_within_a_family_only_the_callback_is_ours(tmp_path: Path) -> None:
    body = {"model": "wan2.6-t2v", "prompt": "p", "async": True, "callback_url": "https://a.b/c", "glitter": {"a": 1}}
    async with world(tmp_path) as it:
        told = await candidate(it, "acedata", "flat", body)
        assert told["request"]["body"] == body | {"callback_url": PLACEHOLDER}
        assert told["added"] == [{"name": "callback_url", "value": PLACEHOLDER}]
        assert [one["name"] for one in told["left_out"]] == ["callback_url"]
        assert told["renamed"] == told["defaulted"] == []


@pytest.mark.parametrize("shape", ["flat", "native"])
async def test_an_alias_is_told_with_what_it_means(shape: str, tmp_path: Path) -> None:
    body = {"flat": {"prompt": "p"}, "native": {"input": {"prompt": "p"}}}[shape] | {"model": "quick"}
    async with world(tmp_path, catalogue=builtin('[aliases]\nquick = "wan2.7-t2v"')) as it:
        told = await candidate(it, "dashscope", shape, body)
    assert told["request"]["body"]["model"] == "wan2.7-t2v"
    assert {"name": "model", "value": "wan2.7-t2v"} in told["added"]
    assert {"name": "model", "reason": "the operator's other name of wan2.7-t2v"} in told["left_out"]
    assert_complete(body, told)


async def test_without_a_public_url_no_callback_is_asked_for(tmp_path: Path) -> None:
    async with world(tmp_path, public_url=None) as it:
        told = await candidate(it, "acedata", "flat", {"prompt": "p", "callback_url": "https://a.b/c"})
    assert "callback_url" not in told["request"]["body"]
    assert told["defaulted"] == [{"name": "model", "value": "wan2.6-t2v"}]


async def test_every_provider_is_told_in_the_order_of_preference_with_its_objections(tmp_path: Path) -> None:
    body = {"model": "wan2.7-t2v", "input": {"prompt": "p"}, "parameters": {"resolution": "480P"}}
    async with world(tmp_path) as it:
        told = await explained(it, "native", body)
    by_name = {one["provider"]: one for one in told["candidates"]}
    assert [one["provider"] for one in told["candidates"]] == ["dashscope", "laozhang", "apiyi", "acedata"]
    assert (told["model"], told["chosen"]) == ("wan2.7-t2v", "laozhang")
    assert [one for one in by_name if by_name[one]["takes"]] == ["laozhang"]
    reason = "480P given, allowed: 720P, 1080P"
    assert by_name["apiyi"]["objections"] == [{"path": "parameters.resolution", "reason": reason}]
    assert by_name["acedata"]["objections"] == [{"path": "model", "reason": "it does not offer wan2.7-t2v"}]
    assert by_name["apiyi"]["request"] is by_name["apiyi"]["price"] is None


@pytest.mark.parametrize(
    ("policy", "named", "order"),
    [
        ("safe", {}, ["dashscope", "laozhang", "apiyi"]),
        ("off", {}, ["dashscope"]),
        ("safe", {"provider": "apiyi"}, ["apiyi"]),
    ],
)
async def test_the_order_in_which_they_would_be_asked_is_told(
    tmp_path: Path, policy: str, named: dict[str, str], order: list[str]
) -> None:
    body = {"model": "wan2.7-t2v", "input": {"prompt": "p"}}
    async with world(tmp_path, failover=policy) as it:
        told = await explained(it, "native", body, **named)
    assert (told["order"], told["chosen"]) == (order, order[0])


async def test_what_cannot_be_said_is_named_in_the_clients_words_and_nobody_is_chosen(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["dashscope"]) as it:
        told = await explained(it, "flat", {"model": "wan2.6-t2v", "prompt": "p", "glitter": 3, "ratio": "1:1"})
    assert told["chosen"] is None
    assert {one["path"] for one in told["candidates"][0]["objections"]} == {"glitter", "ratio"}


@pytest.mark.parametrize(
    ("body", "amount", "per_second"),
    [
        ({"model": "wan2.7-t2v", "prompt": "p"}, 0.7, 0.14),  # five seconds in 1080P, what silence means
        ({"model": "wan3.0-video", "prompt": "p", "resolution": "720P", "duration": -1}, None, 0.0588),
        (
            {
                "model": "wan2.7-r2v",
                "prompt": "p",
                "resolution": "720P",
                "media": [{"type": "reference_video", "url": "https://a.b/c.mp4"}],
            },
            None,  # the reference's length may be billed too
            0.084,
        ),
    ],
)
async def test_a_price_is_as_certain_as_the_length(
    body: dict[str, Any], amount: float | None, per_second: float, tmp_path: Path
) -> None:
    async with world(tmp_path) as it:
        price = (await candidate(it, "apiyi", "flat", body))["price"]
    assert (price["amount"], price["per_second"], price["currency"]) == (amount, per_second, "USD")


async def test_a_price_that_is_not_known_is_null(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        assert (await candidate(it, "acedata", "flat", {"prompt": "p"}))["price"] is None
        assert (await candidate(it, "apiyi", "native", {"model": "wan9-t2v", "input": {"prompt": "p"}}))[
            "price"
        ] is None


async def test_the_reply_is_what_the_openapi_document_promises(tmp_path: Path) -> None:
    described = document()
    reply = described["paths"]["/v1/explain"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    body = {"model": "wan2.7-t2v", "prompt": "p", "resolution": "480P", "audio": False}
    async with world(tmp_path) as it:
        told = await explained(it, "flat", body)
    assert {one["takes"] for one in told["candidates"]} == {True, False}
    Draft202012Validator({**reply, "components": described["components"]}).validate(told)


async def test_nothing_is_sent_and_nothing_is_kept(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await explained(it, "flat", {"prompt": "p", "callback_url": "https://a.b/c"})
        await it.settle(60)
        assert not it.upstreams.requests
        assert (await it.client.get("/v1/tasks")).json()["tasks"] == []


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"shape": "flat", "body": {"prompt": "p"}, "modle": "x"}, "modle"),
        ({}, "shape"),
        ({"shape": "soap", "body": {}}, "shape"),
        ({"shape": ["flat"], "body": {}}, "shape"),
        ({"shape": "flat", "body": []}, "body"),
        ({"shape": "flat", "body": {}, "provider": 5}, "provider"),
        ({"shape": "flat", "body": {"prompt": "p"}, "provider": "nobody"}, "X-Ringback-Provider"),
        ({"shape": "flat", "body": {}, "path": NATIVE}, "path"),
        ({"shape": "native", "body": {}, "path": 7}, "path"),
        ({"shape": "native", "body": {"input": {}}}, "model"),
        ({"shape": "native", "body": {"model": "wan9-t2v", "input": {}}}, "model"),
        ({"shape": "flat", "body": {"model": {}, "prompt": "p"}}, "model"),
        ({"shape": "flat", "body": {"duration": "5"}}, "duration"),
    ],
)
async def test_what_no_create_could_be_is_refused_by_name(asked: object, named: str, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        response = await it.client.post("/v1/explain", json=asked)
    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith(f"{named}: ")


async def test_it_needs_a_key(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        response = await it.client.post("/v1/explain", json={}, headers=it.as_key("nobody's"))
        assert response.status_code == 401


async def test_a_happyhorse_without_a_model_needs_its_path(tmp_path: Path) -> None:
    body = {"action": "generate", "prompt": "p"}
    async with world(tmp_path) as it:
        told = await explained(it, "flat", body, path="/happyhorse/videos")
    assert told["model"] == "happyhorse-1.1-t2v"
    assert told["chosen"] == "acedata"
