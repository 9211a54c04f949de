"""Errors to the letter: JSON in the caller's own shape, whatever is wrong, and never a reason to POST again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.world import World, world

pytestmark = pytest.mark.anyio
CREATES = {
    "flat": "/wan/videos",
    "native": "/api/v1/services/aigc/video-generation/video-synthesis",
    "gateway": "/wan/api/v1/services/aigc/video-generation/video-synthesis",
}
QUERIES = {"native": "/api/v1/tasks/1", "gateway": "/v1/tasks/1", "flat": "/wan/tasks"}
NOWHERE = {"flat": "/wan/nothing", "native": "/api/v1/nothing", "gateway": "/wan/api/v1/services/nothing"}
SHAPES = tuple(CREATES)

MALFORMED = [
    b"",
    b"{",
    b'{"model": "wan2.7-t2v", "model": "wan2.7-t2v"}',
    b'{"model": NaN}',
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"prompt": "\\ud800"}',
    b'{"seed": 99999999999999999999}',
]


def _code(shape: str, reply: httpx.Response) -> str:
    """The code of an error that has everything which the shape's clients read."""
    assert reply.headers["content-type"].startswith("application/json")
    body: dict[str, Any] = reply.json()
    if shape == "flat":
        assert body["success"] is False
        assert body["trace_id"]
        place = body["error"]
    else:
        assert body["request_id"]
        place = body["error"] if shape == "gateway" else body
        if shape == "gateway":
            assert place["type"] == "task_error"
    assert isinstance(place["message"], str)
    assert place["message"]
    code: str = place["code"]
    return code


def _check(shape: str, reply: httpx.Response, status: int, flat: str, native: str) -> None:
    assert reply.status_code == status, reply.text
    assert _code(shape, reply) == (flat if shape == "flat" else native)


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_key_that_is_nobodys_is_401(shape: str, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        del it.client.headers["authorization"]
        query = "POST" if shape == "flat" else "GET"
        for headers in ({}, *({"authorization": f"Bearer {key}".encode()} for key in ("", "nobody", "é"))):
            for method, path in (("POST", CREATES[shape]), (query, QUERIES[shape])):
                reply = await it.client.request(method, path, headers=headers)
                _check(shape, reply, 401, "invalid_token", "InvalidApiKey")


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_path_that_is_not_there_is_404(shape: str, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        _check(shape, await it.client.get(NOWHERE[shape]), 404, "no_api", "NotFound")


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_wrong_method_is_405(shape: str, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        for path in (CREATES[shape], QUERIES[shape]):
            reply = await it.client.put(path)  # DELETE of a task is our own API
            _check(shape, reply, 405, "bad_request", "BadRequest.IllegalInput")
            assert reply.headers["allow"]


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_body_that_is_too_large_is_413(shape: str, tmp_path: Path) -> None:
    async with world(tmp_path, create_bytes=1000) as it:
        reply = await it.client.post(CREATES[shape], json={"model": "wan2.7-t2v", "prompt": "x" * 2000})
        _check(shape, reply, 413, "bad_request", "BadRequest.TooLarge")


@pytest.mark.parametrize("shape", SHAPES)
async def test_what_is_not_json_is_400(shape: str, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        for body in MALFORMED:
            reply = await it.client.post(CREATES[shape], content=body, headers={"content-type": "application/json"})
            _check(shape, reply, 400, "bad_request", "InvalidParameter")
        assert not it.upstreams.requests


@pytest.mark.parametrize("shape", SHAPES)
async def test_json_that_is_no_object_is_400(shape: str, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        for body in ("text", 5, None, True, ["wan2.7-t2v"], [{"model": "wan2.7-t2v"}]):
            _check(shape, await it.client.post(CREATES[shape], json=body), 400, "bad_request", "InvalidParameter")
        assert not it.upstreams.requests


async def test_a_flat_query_that_asks_nothing_is_400(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        for body in ("text", None, [], {"action": "delete", "id": "1"}, {"action": "retrieve"}, {"id": 5}, {"ids": 5}):
            _check("flat", await it.client.post("/wan/tasks", json=body), 400, "bad_request", "")


WRONG: dict[str, list[tuple[dict[str, Any], str]]] = {
    "flat": [
        ({"model": "wan2.6-t2v", "prompt": "p", "duration": "5"}, "duration"),
        ({"model": "wan2.6-t2v", "prompt": "p", "duration": 99}, "duration"),
        ({"model": "wan2.6-t2v", "prompt": 5}, "prompt"),
        ({"model": "wan2.6-t2v", "prompt": "p", "callback_url": "ftp://a.b.com"}, "callback_url"),
        ({"model": "wan2.6-t2v", "prompt": "p", "callback_url": "https://192.168.1.1/"}, "callback_url"),
    ],
    "native": [
        ({"input": {"prompt": "p"}}, "model"),
        ({"model": "wan2.7-t2v", "input": "p"}, "input"),
        ({"model": "wan2.7-t2v", "input": {"prompt": "p"}, "parameters": {"duration": "5"}}, "parameters.duration"),
        ({"model": "wan2.7-i2v", "input": {"prompt": "p"}}, "input.media"),
        ({"model": "wan2.7-i2v", "input": {"media": [{"url": "https://a.b.com/c.png"}]}}, "input.media[0].type"),
    ],
}
WRONG["gateway"] = WRONG["native"]


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_wrong_field_is_named_in_the_clients_own_words(shape: str, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        for body, named in WRONG[shape]:
            reply = await it.client.post(CREATES[shape], json=body)
            _check(shape, reply, 400, "bad_request", "InvalidParameter")
            assert named in reply.text, (body, reply.text)
        assert not it.upstreams.requests


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_refusal_of_the_upstream_comes_in_the_clients_shape(shape: str, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        for provider in ("acedata", "laozhang", "apiyi", "dashscope"):
            prompt = "[sim:create=refuse:DataInspectionFailed]"
            flat = {"model": "wan2.6-t2v", "prompt": prompt}
            native = {"model": "wan2.6-t2v", "input": {"prompt": prompt}}
            named = {"x-ringback-provider": provider}
            reply = await it.client.post(CREATES[shape], json=flat if shape == "flat" else native, headers=named)
            assert reply.status_code in (400, 403), reply.text
            assert _code(shape, reply) == ("forbidden" if shape == "flat" else "DataInspectionFailed")
        assert it.upstreams.creates == []


@pytest.mark.parametrize("shape", SHAPES)
async def test_no_trouble_of_the_operators_invites_another_post(shape: str, tmp_path: Path) -> None:
    """SDKs POST again on 408, 409, 429 and 5xx: another job, paid twice."""
    async with world(tmp_path) as it:
        for trouble in ("429", "503", "500", "dropped", "lost", "502html", "noid"):
            reply = await _create(it, shape, f"[sim:create={trouble} times=1]")
            assert reply.status_code == 200, (trouble, reply.text)


@pytest.mark.parametrize("shape", SHAPES)
async def test_accounts_in_trouble_everywhere_invite_no_other_post_either(shape: str, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        for trouble in ("401", "refuse:Arrearage", "refuse:CommodityNotPurchased"):
            reply = await _create(it, shape, f"[sim:create={trouble}]")
            assert reply.status_code == 403, (trouble, reply.text)
            assert _code(shape, reply) == "upstream_account"


async def _create(it: World, shape: str, prompt: str) -> httpx.Response:
    if shape == "flat":
        return await it.client.post(CREATES[shape], json={"model": "wan2.6-t2v", "prompt": prompt, "async": True})
    return await it.client.post(CREATES[shape], json={"model": "wan2.7-t2v", "input": {"prompt": prompt}})
