"""What crosses from one family to another, field by field, and what cannot: refused before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.providers import PROVIDERS
from tests.service.orders import MEDIA, MODELS, NATIVE, order
from tests.service.test_matrix import SHAPES
from tests.world import World, world

pytestmark = pytest.mark.anyio
IMAGE, OTHER_IMAGE, VIDEO, SOUND = (f"{MEDIA}{name}" for name in ("one.png", "two.png", "three.mp4", "four.mp3"))
GATEWAY = f"/wan{NATIVE}"

UNSAYABLE = [
    (shape, model, provider)
    for shape in SHAPES
    for model in MODELS
    for provider in PROVIDERS
    if provider not in model.providers
]


async def _post(it: World, path: str, body: Any, provider: str) -> httpx.Response:
    return await it.client.post(path, json=body, headers={"x-ringback-provider": provider})


def _said(shape: str, reply: httpx.Response) -> str:
    """The message of a refusal with 400 that has everything the shape's own errors have."""
    body = reply.json()
    assert reply.status_code == 400, body
    if shape == "flat":
        assert body["success"] is False
        assert body["error"]["code"] == "bad_request"
        assert body["trace_id"]
        message: str = body["error"]["message"]
    elif shape == "native":
        assert body["code"] == "InvalidParameter"
        assert body["request_id"]
        message = body["message"]
    else:
        assert (body["error"]["type"], body["error"]["code"]) == ("task_error", "InvalidParameter")
        message = body["error"]["message"]
    return message


async def test_a_model_that_a_provider_does_not_offer_is_refused_before_any_create(tmp_path: Path) -> None:
    assert {model.name for _, model, provider in UNSAYABLE if provider == "acedata"} >= {"wan2.7-t2v", "wan2.7-r2v"}
    async with world(tmp_path) as it:
        for shape, model, provider in UNSAYABLE:
            asked = order(shape, model, "never sent")
            message = _said(shape, await _post(it, asked.path, asked.body, provider))
            assert model.name in message
        assert not it.upstreams.requests


REFUSED: list[tuple[str, str, dict[str, Any], str]] = [
    (
        "flat",
        "/wan/videos",
        {"model": "wan2.6-r2v", "prompt": "p", "media": [{"type": "reference_image", "url": IMAGE}]},
        "media",
    ),
    (
        "native",
        NATIVE,
        {"model": "wan2.6-r2v", "input": {"prompt": "p", "reference_urls": [IMAGE]}},
        "input.reference_urls",
    ),
    (
        "gateway",
        GATEWAY,
        {"model": "wan2.6-r2v", "input": {"prompt": "p", "reference_urls": [VIDEO, IMAGE]}},
        "input.reference_urls",
    ),
    (
        "native",
        NATIVE,
        {"model": "wan2.6-i2v", "input": {"img_url": IMAGE, "template": "squish"}},
        "input.template",
    ),
    (
        "native",
        NATIVE,
        {"model": "wan2.6-t2v", "input": {"prompt": "p"}, "parameters": {"seed": 7}},
        "parameters.seed",
    ),
    (
        "native",
        NATIVE,
        {"model": "wan2.6-t2v", "input": {"prompt": "p"}, "parameters": {"new_knob": 7}},
        "parameters.new_knob",
    ),
    (
        "gateway",
        GATEWAY,
        {"model": "happyhorse-1.0-t2v", "input": {"prompt": "p", "negative_prompt": "blur"}},
        "input.negative_prompt",
    ),
    (
        "native",
        NATIVE,
        {"model": "wan3.0-video", "input": {"prompt": "p"}, "parameters": {"enable_thinking": True}},
        "parameters.enable_thinking",
    ),
]


@pytest.mark.parametrize(("shape", "path", "body", "named"), REFUSED)
async def test_what_acedata_cannot_be_told_is_refused_by_name(
    shape: str, path: str, body: dict[str, Any], named: str, tmp_path: Path
) -> None:
    async with world(tmp_path, providers=["acedata"]) as it:
        reply = await it.client.post(path, json=body)
        assert named in _said(shape, reply)
        assert not it.upstreams.requests


CROSSING: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    (
        "/wan/videos",
        {"model": "wan2.7-i2v", "action": "image2video", "image_url": IMAGE, "audio_url": SOUND, "duration": 7},
        "dashscope",
        {
            "input": {
                "media": [{"type": "first_frame", "url": IMAGE}, {"type": "driving_audio", "url": SOUND}],
            },
            "parameters": {"duration": 7, "prompt_extend": True, "watermark": False, "resolution": "1080P"},
        },
    ),
    (
        "/wan/videos",
        {"model": "wan2.7-t2v", "prompt": "p", "audio_url": SOUND, "size": "960*960", "negative_prompt": "blur"},
        "apiyi",
        {
            "input": {"prompt": "p", "negative_prompt": "blur", "audio_url": SOUND},
            "parameters": {
                "resolution": "720P",
                "ratio": "1:1",
                "duration": 5,
                "prompt_extend": True,
                "watermark": False,
            },
        },
    ),
    (
        "/happyhorse/videos",
        {
            "model": "happyhorse-1.0-video-edit",
            "action": "video_edit",
            "prompt": "p",
            "video_url": VIDEO,
            "image_urls": [IMAGE, OTHER_IMAGE],
            "audio_setting": "origin",
            "seed": 7,
        },
        "laozhang",
        {
            "input": {
                "prompt": "p",
                "media": [
                    {"type": "video", "url": VIDEO},
                    {"type": "reference_image", "url": IMAGE},
                    {"type": "reference_image", "url": OTHER_IMAGE},
                ],
            },
            "parameters": {"audio_setting": "origin", "seed": 7, "watermark": False, "resolution": "1080P"},
        },
    ),
    (
        NATIVE,
        {
            "model": "wan2.6-i2v",
            "input": {"prompt": "p", "img_url": IMAGE, "audio_url": SOUND, "negative_prompt": "blur"},
            "parameters": {"resolution": "720P", "duration": 10, "prompt_extend": False, "shot_type": "multi"},
        },
        "acedata",
        {
            "action": "image2video",
            "prompt": "p",
            "negative_prompt": "blur",
            "image_url": IMAGE,
            "audio_url": SOUND,
            "resolution": "720P",
            "duration": 10,
            "prompt_extend": False,
            "shot_type": "multi",
            "audio": True,
        },
    ),
    (
        GATEWAY,
        {
            "model": "happyhorse-1.0-r2v",
            "input": {
                "prompt": "p",
                "media": [{"type": "reference_image", "url": IMAGE}, {"type": "reference_image", "url": OTHER_IMAGE}],
            },
            "parameters": {"ratio": "9:16", "watermark": False},
        },
        "acedata",
        {
            "action": "reference_to_video",
            "prompt": "p",
            "image_urls": [IMAGE, OTHER_IMAGE],
            "ratio": "9:16",
            "watermark": False,
            "resolution": "1080P",
            "duration": 5,
        },
    ),
    (
        NATIVE,
        {
            "model": "wan3.0-video",
            "input": {
                "prompt": "p",
                "media": [{"type": "first_frame", "url": IMAGE}, {"type": "last_frame", "url": OTHER_IMAGE}],
            },
            "parameters": {"duration": -1, "seed": 7},
        },
        "acedata",
        {
            "prompt": "p",
            "media": [{"type": "first_frame", "url": IMAGE}, {"type": "last_frame", "url": OTHER_IMAGE}],
            "duration": -1,
            "seed": 7,
            "resolution": "1080P",
            "ratio": "adaptive",
            "prompt_extend": True,
            "audio": True,
            "watermark": False,
        },
    ),
]


@pytest.mark.parametrize(("path", "body", "provider", "upstream"), CROSSING)
async def test_every_set_field_crosses_to_the_other_family(
    path: str, body: dict[str, Any], provider: str, upstream: dict[str, Any], tmp_path: Path
) -> None:
    async with world(tmp_path) as it:
        held = {} if "input" in body else {"async": True}
        reply = await _post(it, path, body | held, provider)
        assert reply.status_code == 200, reply.text
        [create] = it.upstreams.creates
        said = {name: value for name, value in create.body.items() if name not in ("callback_url", "async")}
        assert said == {"model": body["model"], **upstream}
