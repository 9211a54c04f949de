"""What clients ask for is read as each vendor's page says, and a wrong field is named by its wire path."""

from __future__ import annotations

from typing import Any

import pytest

from adapters import SHAPES
from adapters.messages import Kind, Media, Query, Request, Submission, Unreadable
from adapters.paths import media_path
from tests.adapters.strategies import CATALOGUE

FLAT, NATIVE, GATEWAY = (SHAPES[name](CATALOGUE) for name in ("flat", "native", "gateway"))
URL = "https://media.example/a"


def flat(path: str = "/wan/videos", **body: Any) -> Submission:
    return FLAT.read_submission(Request("POST", path, {"prompt": "p", **body}))


def native(**body: Any) -> Submission:
    return NATIVE.read_submission(Request("POST", "/", {"model": "wan2.7-t2v", "input": {"prompt": "p"}, **body}))


@pytest.mark.parametrize(
    ("path", "action", "model"),
    [
        ("/wan/videos", None, "wan2.6-t2v"),
        ("/wan/videos", "text2video", "wan2.6-t2v"),
        ("/happyhorse/videos", None, "happyhorse-1.1-t2v"),
        ("/happyhorse/videos", "generate", "happyhorse-1.1-t2v"),
        ("/happyhorse/videos", "image_to_video", "happyhorse-1.1-i2v"),
        ("/happyhorse/videos", "reference_to_video", "happyhorse-1.1-r2v"),
        ("/happyhorse/videos", "video_edit", "happyhorse-1.0-video-edit"),
    ],
)
def test_a_flat_request_without_a_model_asks_for_the_actions_usual_one(
    path: str, action: str | None, model: str
) -> None:
    submission = flat(path, action=action)
    assert (submission.model, submission.action) == (model, action)


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        ("/wan/videos", {"action": "image2video"}, "model"),
        ("/wan/videos", {"action": "generate"}, "action"),
        ("/wan/videos", {"model": "happyhorse-1.0-t2v"}, "model"),
        ("/happyhorse/videos", {"model": "wan2.6-t2v"}, "model"),
        ("/happyhorse/videos", {"action": "generate", "model": "happyhorse-1.0-i2v"}, "action"),
        ("/wan/videos", {"model": 5}, "model"),
        ("/wan/videos", {"prompt": ["p"]}, "prompt"),
        ("/wan/videos", {"duration": "5"}, "duration"),
        ("/wan/videos", {"duration": True}, "duration"),
        ("/wan/videos", {"duration": 5.5}, "duration"),
        ("/wan/videos", {"audio": "false"}, "audio"),
        ("/wan/videos", {"size": 720}, "size"),
        ("/wan/videos", {"async": "true"}, "async"),
        ("/wan/videos", {"timeout": "60"}, "timeout"),
        ("/wan/videos", {"callback_url": {}}, "callback_url"),
        ("/wan/videos", {"reference_video_urls": [URL, 5]}, "reference_video_urls[1]"),
        ("/wan/videos", {"reference_video_urls": {"a": URL}}, "reference_video_urls"),
        ("/wan/videos", {"media": {"type": "first_frame"}}, "media"),
        ("/wan/videos", {"media": ["x"]}, "media[0]"),
        ("/wan/videos", {"media": [{"type": "first_frame"}]}, "media[0].url"),
        ("/wan/videos", {"media": [{"url": URL}]}, "media[0].type"),
        ("/veo/videos", {}, ""),
    ],
)
def test_a_wrong_flat_field_is_named(path: str, body: dict[str, Any], place: str) -> None:
    with pytest.raises(Unreadable) as error:
        flat(path, **body)
    assert error.value.path == place
    assert URL not in str(error.value)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"input": "p"}, "input"),
        ({"input": {"prompt": {"text": "p"}}}, "input.prompt"),
        ({"parameters": []}, "parameters"),
        ({"parameters": {"duration": "5"}}, "parameters.duration"),
        ({"parameters": {"watermark": 1}}, "parameters.watermark"),
        ({"input": {"template": 5}}, "input.template"),
        ({"input": {"img_url": [URL]}}, "input.img_url"),
        ({"input": {"media": [{"type": "video", "url": URL, "reference_voice": 5}]}}, "input.media[0].reference_voice"),
        ({"callback_url": 5}, "callback_url"),
    ],
)
def test_a_wrong_native_field_is_named(body: dict[str, Any], place: str) -> None:
    with pytest.raises(Unreadable) as error:
        native(**body)
    assert error.value.path == place


def test_nulls_and_empty_urls_count_as_not_set() -> None:
    body = {"model": "wan2.6-i2v", "image_url": "", "audio_url": None, "seed": None, "callback_url": "", "x": None}
    submission = flat(**body)
    assert (submission.media, submission.parameters, submission.extra) == ((), {}, {})
    assert submission.callback_url is None
    assert submission.hold


def test_a_whole_number_with_a_point_is_an_integer() -> None:
    assert flat(duration=5.0).parameters == {"duration": 5}
    assert type(flat(duration=5.0).parameters["duration"]) is int


@pytest.mark.parametrize(
    ("body", "hold"),
    [
        ({}, True),
        ({"async": False}, True),
        ({"async": True}, False),
        ({"callback_url": "https://c.example/h"}, False),
        ({"async": False, "callback_url": "https://c.example/h"}, False),
    ],
)
def test_the_connection_is_held_without_async_and_callback(body: dict[str, Any], hold: bool) -> None:
    assert flat(**body).hold is hold


@pytest.mark.parametrize(
    ("model", "action", "taken"),
    [
        ("wan2.6-i2v", "text2video", True),
        ("wan2.6-t2v", "image2video", False),
        ("wan3.0-video", None, True),
        ("wan9.9", "image2video", True),
        ("wan9.9", "text2video", False),
        ("wan9.9", None, True),
    ],
)
def test_an_image_is_a_first_frame_where_the_model_takes_one(model: str, action: str | None, taken: bool) -> None:
    submission = flat(model=model, action=action, image_url=URL)
    frame = (Media(Kind.FIRST_FRAME, URL, field="image_url"),)
    assert (submission.media, submission.extra) == ((frame, {}) if taken else ((), {"image_url": URL}))


def test_the_native_callback_field_is_ringbacks_and_is_not_sent_on() -> None:
    submission = native(callback_url="https://c.example/h", foo=1)
    assert submission.callback_url == "https://c.example/h"
    assert NATIVE.write_submission(submission).body == {"model": "wan2.7-t2v", "input": {"prompt": "p"}, "foo": 1}


@pytest.mark.parametrize(
    ("request_", "query"),
    [
        (Request("GET", "/api/v1/tasks/t"), Query(("t",))),
        (Request("GET", "/wan/api/v1/tasks/t/"), Query(("t",))),
        (Request("GET", "/v1/tasks/a%2Fb"), Query(("a/b",))),
    ],
)
def test_a_native_query_is_read_at_any_base(request_: Request, query: Query) -> None:
    assert NATIVE.read_query(request_) == GATEWAY.read_query(request_) == query


@pytest.mark.parametrize(
    ("body", "query"),
    [
        ({"id": "t"}, Query(("t",), "wan")),
        ({"id": "t", "task_id": "u", "action": "retrieve"}, Query(("t",), "wan")),
        ({"ids": ["a", "b"]}, Query(("a", "b"), "wan", batch=True)),
        ({"ids": [], "action": "retrieve_batch"}, Query((), "wan", batch=True)),
    ],
)
def test_a_flat_query_is_read_with_and_without_its_action(body: dict[str, Any], query: Query) -> None:
    assert FLAT.read_query(Request("POST", "/wan/tasks", body)) == query


@pytest.mark.parametrize(
    ("body", "place"),
    [({}, "id"), ({"id": 5}, "id"), ({"action": "delete", "id": "t"}, "action"), ({"ids": [5]}, "ids[0]"), (None, "")],
)
def test_a_wrong_flat_query_is_named(body: Any, place: str) -> None:
    with pytest.raises(Unreadable) as error:
        FLAT.read_query(Request("POST", "/wan/tasks", body))
    assert error.value.path == place


def test_canonical_names_have_the_clients_own_paths() -> None:
    assert [NATIVE.wire_path(name) for name in ("duration", "template", "prompt", "media", "media[1]", "model")] == [
        "parameters.duration",
        "input.template",
        "input.prompt",
        "input.media",
        "input.media[1]",
        "model",
    ]
    assert {FLAT.wire_path(name) for name in ("duration", "prompt", "media")} == {"duration", "prompt", "media"}
    assert media_path("native", Media(Kind.FIRST_FRAME, URL, field="img_url")) == "input.img_url"
    assert media_path("flat", Media(Kind.FIRST_FRAME, URL)) == "media"
