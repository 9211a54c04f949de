"""What each vendor refuses at the door, and what it only finds out while it works."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.simulator.upstream import Clock, Upstream, task_id_of

pytestmark = pytest.mark.anyio

NATIVE = "services/aigc/video-generation/video-synthesis"
CREATE = {
    "acedata": "/acedata/wan/videos",
    "laozhang": f"/laozhang/wan/api/v1/{NATIVE}",
    "apiyi": f"/apiyi/wan/api/v1/{NATIVE}",
    "dashscope": f"/dashscope/api/v1/{NATIVE}",
}
BEARERS = [
    ("acedata", 400, "no_token", 401, "invalid_token"),
    ("laozhang", 401, "未提供令牌", 401, "无效的令牌"),
    ("apiyi", 401, "未提供令牌", 401, "无效的令牌"),
    ("dashscope", 401, "No API-key provided.", 401, "Invalid API-key provided."),
]


@pytest.mark.parametrize(("provider", "status", "word", "wrong_status", "wrong_word"), BEARERS)
async def test_a_missing_and_a_wrong_bearer_are_refused_everywhere(
    simulate: Callable[..., Upstream], provider: str, status: int, word: str, wrong_status: int, wrong_word: str
) -> None:
    upstream = simulate(key="sk-right")
    for headers, expected in (({}, (status, word)), ({"Authorization": "Bearer sk-x"}, (wrong_status, wrong_word))):
        upstream.headers = headers
        for reply in (await upstream.create(provider), await upstream.look(provider, "any")):
            assert reply.status_code == expected[0]
            assert expected[1] in reply.text
    assert upstream.world.creates == []
    upstream.headers = {"Authorization": "Bearer sk-right"}
    assert task_id_of(await upstream.create(provider))


@pytest.mark.parametrize("provider", ["laozhang", "apiyi", "dashscope"])
async def test_native_creates_need_the_async_header(upstream: Upstream, provider: str) -> None:
    reply = await upstream.post(CREATE[provider], {"model": "wan2.7-t2v", "input": {"prompt": "a cat"}})
    said = reply.json()
    assert reply.status_code == 403
    assert said.get("error", said)["message"] == "current user api does not support synchronous calls"
    assert said.get("error", said)["code"] == "AccessDenied"
    assert ("request_id" in said) == (provider == "dashscope")


MODELS = [
    ("acedata", "wan2.7-t2v", 400, "api_not_implemented"),
    ("acedata", "happyhorse-1.0-t2v", 400, "api_not_implemented"),  # it is of the other service
    ("laozhang", "wan3.0-video", 503, "Current group Wan has no available channels for model wan3.0-video"),
    ("laozhang", "wan2.6-i2v-flash", 503, "no available channels"),
    ("apiyi", "wan2.7-t2v-2026-04-25", 503, "no available channels"),
    ("dashscope", "wan9.9-t2v", 404, "ModelNotFound"),
]


@pytest.mark.parametrize(("provider", "model", "status", "word"), MODELS)
async def test_models_that_a_vendor_has_not(
    upstream: Upstream, provider: str, model: str, status: int, word: str
) -> None:
    reply = await upstream.create(provider, model=model)
    assert reply.status_code == status
    assert word in reply.text
    assert upstream.world.creates == []


@pytest.mark.parametrize("model", ["wan2.7-t2v-2026-04-25", "wan3.0-video", "happyhorse-1.1-t2v", "wan2.6-t2v"])
async def test_dashscope_has_snapshots_and_the_newest_models(upstream: Upstream, model: str) -> None:
    assert task_id_of(await upstream.native("dashscope", model=model))


async def test_gateways_refuse_a_text_for_a_number_with_the_words_of_go(upstream: Upstream) -> None:
    reply = await upstream.native("apiyi", parameters={"duration": "5"})
    error = reply.json()["error"]
    assert (reply.status_code, error["type"]) == (400, "parse_request_failed")
    assert "cannot unmarshal string into Go struct field" in error["message"]
    assert error["message"].endswith("of type int")


async def test_dashscope_refuses_a_wrong_type_as_an_invalid_parameter(upstream: Upstream) -> None:
    reply = await upstream.native("dashscope", parameters={"watermark": "true"})
    assert (reply.status_code, reply.json()["code"]) == (400, "InvalidParameter")
    assert "parameters.watermark" in reply.json()["message"]


FRAME = {"type": "first_frame", "url": "https://media.test/a.png"}
PICTURE = {"type": "reference_image", "url": "https://media.test/b.png"}
CLIP = {"type": "reference_video", "url": "https://media.test/c.mp4"}
VIDEO = {"type": "video", "url": "https://media.test/d.mp4"}
AUDIO = {"type": "driving_audio", "url": "https://media.test/e.mp3"}

DEFECTS: list[tuple[str, dict[str, Any], str]] = [
    ("wan2.7-i2v", {}, "Field required: input.media"),
    ("wan2.7-r2v", {}, "Field required: input.media"),
    ("wan2.7-videoedit", {}, "Field required: input.media"),
    ("happyhorse-1.0-i2v", {}, "Field required: input.media"),
    ("happyhorse-1.0-video-edit", {}, "Field required: input.media"),
    ("wan2.6-i2v", {}, "Field required: input.img_url"),
    ("wan2.7-t2v", {"media": [FRAME]}, "type is not supported: first_frame"),
    ("wan2.7-i2v", {"media": [AUDIO]}, "do not go together"),
    ("wan2.7-i2v", {"media": [FRAME, FRAME]}, "0 to 1 of first_frame"),
    ("wan2.7-i2v", {"media": [{"type": "first_frame"}]}, "type and url"),
    ("wan2.7-r2v", {"media": [PICTURE] * 6}, "1 to 5"),
    ("wan2.7-r2v", {"media": [CLIP], "parameters": {"duration": 11}}, "with a reference_video"),
    ("wan2.7-videoedit", {"media": [VIDEO, VIDEO]}, "1 to 1 of video"),
    ("happyhorse-1.0-i2v", {"media": [FRAME, AUDIO]}, "type is not supported: driving_audio"),
    ("wan2.7-t2v", {"parameters": {"duration": 16}}, "duration is out of range"),
    ("wan2.7-t2v", {"parameters": {"resolution": "720p"}}, "resolution is not supported"),
    ("wan2.7-t2v", {"parameters": {"ratio": "2:1"}}, "ratio is not supported"),
    ("wan2.6-t2v", {"parameters": {"size": "1280x720"}}, "The size is not match"),
    ("wan2.7-t2v", {"parameters": {"seed": -1}}, "seed is out of range"),
]


@pytest.mark.parametrize("provider", ["laozhang", "dashscope"])
@pytest.mark.parametrize(("model", "more", "problem"), DEFECTS)
async def test_a_native_task_fails_of_its_input_after_it_was_accepted(
    upstream: Upstream, clock: Clock, provider: str, model: str, more: dict[str, Any], problem: str
) -> None:
    task_id = task_id_of(await upstream.native(provider, model=model, **more))
    clock.turn(1)
    said = (await upstream.look(provider, task_id)).json()
    if provider == "dashscope":
        assert (said["output"]["task_status"], said["output"]["code"]) == ("FAILED", "InvalidParameter")
        assert problem in said["output"]["message"]
    else:
        assert said["status"] == "failed"
        assert said["error"]["message"].startswith("[InvalidParameter] ")
        assert problem in said["fail_reason"]
    assert [create.billed for create in upstream.world.creates] == [False]


FINE: list[tuple[str, dict[str, Any]]] = [
    ("wan2.7-i2v", {"media": [FRAME, AUDIO]}),
    ("wan2.7-r2v", {"media": [CLIP, PICTURE, FRAME], "parameters": {"duration": 10}}),
    ("wan2.7-videoedit", {"media": [VIDEO, PICTURE], "parameters": {"duration": 0}}),
    ("happyhorse-1.0-r2v", {"media": [PICTURE] * 9}),
    ("happyhorse-1.0-video-edit", {"media": [VIDEO]}),
    ("wan2.6-i2v", {"img_url": "https://media.test/a.png"}),
    ("wan2.6-r2v", {"reference_video_urls": ["https://media.test/c.mp4"]}),
    ("wan2.7-t2v", {"function": "video-synthesis", "extend_prompt": True, "parameters": {"seed": 7}}),
]


@pytest.mark.parametrize(("model", "more"), FINE)
async def test_a_native_task_with_what_it_needs_succeeds(
    upstream: Upstream, clock: Clock, model: str, more: dict[str, Any]
) -> None:
    task_id = task_id_of(await upstream.native("dashscope", model=model, **more))
    clock.turn(60)
    assert (await upstream.look("dashscope", task_id)).json()["output"]["task_status"] == "SUCCEEDED"


async def test_gateways_take_wan26_media_as_they_take_those_of_wan27(upstream: Upstream, clock: Clock) -> None:
    task_id = task_id_of(await upstream.native("apiyi", model="wan2.6-i2v", media=[FRAME]))
    clock.turn(60)
    assert (await upstream.look("apiyi", task_id)).json()["status"] == "completed"


FLAT_MISTAKES: list[tuple[str, dict[str, Any], str]] = [
    ("happyhorse", {"model": "happyhorse-1.0-t2v", "action": "image_to_video"}, "does not support action"),
    ("happyhorse", {"model": "happyhorse-1.1-i2v", "action": "image_to_video"}, "image_url is required"),
    ("happyhorse", {"model": "happyhorse-1.0-r2v"}, "image_urls is required"),
    ("happyhorse", {"model": "happyhorse-1.0-video-edit"}, "video_url is required"),
    ("happyhorse", {"duration": 2}, "duration is invalid"),
    ("wan", {"model": "wan2.6-i2v"}, "image_url is required"),
    ("wan", {"model": "wan2.6-t2v", "action": "image2video"}, "does not support action"),
    ("wan", {"duration": "5"}, "duration is invalid"),
    ("wan", {"audio": "yes"}, "audio is invalid"),
    ("wan", {"prompt": None}, "prompt is required"),
    ("wan", {"model": "wan3.0-video", "media": [{"type": "poster", "url": "https://a.test/b"}]}, "media is invalid"),
    ("wan", {"callback_url": "inbox.test"}, "callback_url is invalid"),
]


@pytest.mark.parametrize(("service", "fields", "problem"), FLAT_MISTAKES)
async def test_acedata_refuses_a_mistake_at_once(
    upstream: Upstream, service: str, fields: dict[str, Any], problem: str
) -> None:
    reply = await upstream.flat(service=service, **fields)
    body = reply.json()
    assert (reply.status_code, body["success"], body["error"]["code"]) == (400, False, "bad_request")
    assert problem in body["error"]["message"]
    assert body["trace_id"]


@pytest.mark.parametrize("provider", list(CREATE))
@pytest.mark.parametrize("raw", [b"{", b"[]", b"\xff"])
async def test_a_body_that_is_no_object_is_refused_in_the_vendors_shape(
    upstream: Upstream, provider: str, raw: bytes
) -> None:
    headers = upstream.headers | {"X-DashScope-Async": "enable"}
    reply = await upstream.client.post(CREATE[provider], content=raw, headers=headers)
    assert reply.status_code == 400
    assert {"error", "message"} & set(reply.json())


async def test_a_misspelt_marker_is_refused_so_that_no_test_passes_by_mistake(upstream: Upstream) -> None:
    reply = await upstream.native("dashscope", "[sim:crate=429]")
    assert (reply.status_code, reply.json()["message"]) == (400, "unknown simulator marker 'crate=429'")
