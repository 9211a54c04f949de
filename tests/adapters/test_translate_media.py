"""From one family to the other: what becomes of media, of models and of how results are delivered."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.messages import Request
from tests.adapters.crossing import FLAT, GATEWAY, NATIVE, URL, flat, native, refused, to_flat, to_native

# --------------------------------------------------------------------------------------------------------------- media


@pytest.mark.parametrize(
    ("model", "service", "fields", "said"),
    [
        ("wan2.7-i2v", "wan", {"image_url": URL}, [{"type": "first_frame", "url": URL}]),
        (
            "wan2.7-i2v",
            "wan",
            {"image_url": URL, "audio_url": f"{URL}.mp3", "media": [{"type": "last_frame", "url": f"{URL}2"}]},
            [
                {"type": "first_frame", "url": URL},
                {"type": "driving_audio", "url": f"{URL}.mp3"},
                {"type": "last_frame", "url": f"{URL}2"},
            ],
        ),
        (
            "wan2.7-r2v",
            "wan",
            {"reference_video_urls": [f"{URL}1", f"{URL}2"]},
            [{"type": "reference_video", "url": f"{URL}1"}, {"type": "reference_video", "url": f"{URL}2"}],
        ),
        ("happyhorse-1.0-i2v", "happyhorse", {"image_url": URL}, [{"type": "first_frame", "url": URL}]),
        (
            "happyhorse-1.0-video-edit",
            "happyhorse",
            {"video_url": URL, "image_urls": [f"{URL}1"]},
            [{"type": "video", "url": URL}, {"type": "reference_image", "url": f"{URL}1"}],
        ),
        (
            "wan3.0-video",
            "wan",
            {"media": [{"type": "link", "url": URL}, {"type": "reference_audio", "url": f"{URL}1"}]},
            [{"type": "link", "url": URL}, {"type": "reference_audio", "url": f"{URL}1"}],
        ),
    ],
)
def test_flat_media_become_items(model: str, service: str, fields: dict[str, Any], said: list[dict[str, str]]) -> None:
    submission = flat(model, service, **fields)
    assert to_native(submission)["input"]["media"] == said


@pytest.mark.parametrize(
    ("model", "service", "fields"),
    [
        ("happyhorse-1.0-i2v", "happyhorse", {"image_url": URL}),
        ("happyhorse-1.0-r2v", "happyhorse", {"image_urls": [f"{URL}1", f"{URL}2"]}),
        ("happyhorse-1.0-video-edit", "happyhorse", {"video_url": URL, "image_urls": [f"{URL}1"]}),
        ("wan3.0-video", "wan", {"media": [{"type": "file", "url": URL}, {"type": "reference_audio", "url": URL}]}),
        ("wan2.6-i2v", "wan", {"image_url": URL, "audio_url": URL}),
    ],
)
def test_flat_media_find_back_to_their_fields(model: str, service: str, fields: dict[str, Any]) -> None:
    there = NATIVE.write_submission(flat(model, service, **fields))
    assert FLAT.write_submission(NATIVE.read_submission(there)).body.items() >= fields.items()


def test_wan_2_6_has_media_fields_of_its_own_on_both_wires() -> None:
    image, track = f"{URL}.png", f"{URL}.mp3"
    body = to_native(flat("wan2.6-i2v", image_url=image, audio_url=track))
    assert body["input"] == {"prompt": "p", "img_url": image, "audio_url": track}
    back = to_flat(native("wan2.6-i2v", img_url=image, audio_url=track))
    assert (back["image_url"], back["audio_url"], back["action"]) == (image, track, "image2video")


def test_reference_videos_of_wan_2_6_are_asked_for_on_both_wires() -> None:
    videos = [f"{URL}1.mp4", f"{URL}2.mov"]
    assert to_native(flat("wan2.6-r2v", reference_video_urls=videos))["input"]["reference_urls"] == videos
    for name in ("reference_urls", "reference_video_urls"):
        assert to_flat(native("wan2.6-r2v", **{name: videos}))["reference_video_urls"] == videos


@pytest.mark.parametrize("suffix", [".png", "", ".bin"])
def test_acedatas_wan_2_6_takes_no_reference_but_videos(suffix: str) -> None:
    assert list(refused(native("wan2.6-r2v", reference_urls=[URL + suffix]))) == ["input.reference_urls"]


def test_a_reference_that_may_be_an_image_is_taken_by_its_field() -> None:
    assert to_flat(native("wan2.6-r2v", reference_video_urls=[URL]))["reference_video_urls"] == [URL]


def test_dashscopes_own_urls_stay_with_dashscope() -> None:
    asked = native("wan2.6-i2v", img_url="oss://dashscope-instant/a.png")
    assert "oss://" in refused(asked)["input.img_url"]


def test_a_voice_per_reference_has_no_word_at_acedata() -> None:
    item = {"type": "reference_image", "url": URL, "reference_voice": URL}
    assert list(refused(native("wan2.7-r2v", {}, item))) == ["input.media.reference_voice"]


def test_unknown_media_are_refused_by_their_place() -> None:
    frame = {"type": "first_frame", "url": URL, "weight": "1"}
    assert list(refused(native("wan3.0-video", {}, frame, {"type": "mask", "url": URL}))) == [
        "input.media.weight",
        "input.media[1]",
    ]


def test_two_pieces_for_one_field_are_refused() -> None:
    frames = ({"type": "first_frame", "url": f"{URL}1"}, {"type": "first_frame", "url": f"{URL}2"})
    assert list(refused(native("happyhorse-1.0-i2v", {}, *frames))) == ["input.media"]


# --------------------------------------------------------------------------------------------- models, services, paths


@pytest.mark.parametrize(
    ("model", "path", "action"),
    [
        ("wan2.6-t2v", "/wan/videos", "text2video"),
        ("wan2.6-r2v", "/wan/videos", "image2video"),
        ("wan3.0-video", "/wan/videos", None),
        ("happyhorse-1.1-t2v", "/happyhorse/videos", "generate"),
        ("happyhorse-1.0-i2v", "/happyhorse/videos", "image_to_video"),
        ("happyhorse-1.1-r2v", "/happyhorse/videos", "reference_to_video"),
        ("happyhorse-1.0-video-edit", "/happyhorse/videos", "video_edit"),
        ("happyhorse-9.9", "/happyhorse/videos", None),
        ("wan9.9", "/wan/videos", None),
    ],
)
def test_a_native_submission_finds_its_flat_service_and_action(model: str, path: str, action: str | None) -> None:
    request = FLAT.write_submission(native(model))
    assert (request.path, request.body.get("action")) == (path, action)


def test_the_model_decides_where_wans_action_says_otherwise() -> None:
    submission = flat("wan2.6-i2v", action="text2video", image_url=URL)
    assert to_native(submission)["input"]["img_url"] == URL
    assert to_flat(submission)["action"] == "text2video"


def test_a_dated_snapshot_is_asked_for_by_its_full_name() -> None:
    body = to_native(flat("wan2.7-t2v-2026-04-25", size="960*960"))
    assert body["model"] == "wan2.7-t2v-2026-04-25"
    assert body["parameters"]["ratio"] == "1:1"


def test_of_an_unknown_model_the_parameters_pass_as_they_are() -> None:
    body = to_native(flat("wan9.9", size="1*1", audio=False, image_url=URL))
    assert body["parameters"] == {"size": "1*1", "audio": False}
    assert body["input"]["media"] == [{"type": "first_frame", "url": URL}]


def test_delivery_is_ringbacks_business_on_every_wire() -> None:
    asked = flat("wan2.6-t2v", callback_url="https://c.example/h", timeout=60)
    assert to_native(asked).keys() == {"model", "input", "parameters"}
    held = FLAT.read_submission(Request("POST", "/wan/videos", {"prompt": "p", "timeout": 60}))
    assert held.hold
    assert to_flat(held) == {"model": "wan2.6-t2v", "prompt": "p", "async": True}


def test_the_gateways_are_asked_under_their_prefix() -> None:
    request = GATEWAY.write_submission(flat("wan2.6-t2v"))
    assert request.path == "/wan/api/v1/services/aigc/video-generation/video-synthesis"
    assert request.headers == {"x-dashscope-async": "enable"}
