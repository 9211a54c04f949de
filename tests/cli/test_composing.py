"""Requests out of simple options: what the flat shape reads in them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters import SHAPES
from adapters.catalogue import builtin
from adapters.check import check
from adapters.messages import Kind, Request, Submission
from adapters.providers import PROVIDERS
from service.cli.composing import compose, find_builtin, path_for
from service.cli.exits import Misused

URL = "https://example.com/"


def composed(model: str, **options: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"prompt": "a cat", "negative_prompt": None}
    empty |= dict.fromkeys(("images", "videos", "audios", "media", "more"), ())
    return compose(find_builtin, model=model, **(empty | options))


def read(body: dict[str, Any]) -> Submission:
    path = path_for("flat", json.dumps(body).encode(), find_builtin)
    return SHAPES["flat"](builtin()).read_submission(Request("POST", path, body))


@pytest.mark.parametrize("name", builtin().models)
def test_every_model_of_the_catalogue_can_be_asked_for(name: str) -> None:
    model = builtin().models[name]
    needed: dict[str, Any] = {
        "t2v": {},
        "any": {},
        "i2v": {"images": (f"{URL}a.png",)},
        "r2v": {"images": (f"{URL}a.png",)},
        "edit": {"videos": (f"{URL}a.mp4",), "images": (f"{URL}a.png",)},
    }[model.mode]
    submission = read(composed(name, duration=5 if model.mode != "edit" else None, **needed))
    assert submission.model == name
    assert not submission.hold
    assert any(not check(submission, model, PROVIDERS[provider]) for provider in model.providers)


def test_a_picture_is_what_the_model_makes_of_it() -> None:
    def kinds(model: str, **options: Any) -> list[Kind]:
        return [media.kind for media in read(composed(model, **options)).media]

    assert kinds("wan2.7-i2v", images=(URL,), audios=(URL,)) == [Kind.FIRST_FRAME, Kind.DRIVING_AUDIO]
    assert kinds("wan2.7-r2v", images=(URL,), videos=(URL,)) == [Kind.REFERENCE_IMAGE, Kind.REFERENCE_VIDEO]
    assert kinds("wan2.7-videoedit", images=(URL,), videos=(URL,)) == [Kind.REFERENCE_IMAGE, Kind.VIDEO]
    assert kinds("wan2.7-i2v", media=(f"last_frame={URL}?a=b",)) == [Kind.LAST_FRAME]


def test_fields_are_sent_as_they_were_meant() -> None:
    body = composed("wan2.6-t2v", duration=5, watermark=None, more=("shot_type=multi", "audio=false", 'size="1*1"'))
    assert (body["duration"], body["shot_type"], body["audio"], body["size"]) == (5, "multi", False, "1*1")
    assert "watermark" not in body
    assert "media" not in body


@pytest.mark.parametrize("options", [{"media": ("cat=https://x",)}, {"media": ("video",)}, {"more": ("duration",)}])
def test_what_cannot_be_meant_is_a_usage_error(options: dict[str, Any]) -> None:
    with pytest.raises(Misused):
        composed("wan2.6-t2v", **options)


def test_a_body_goes_to_the_path_of_its_shape_and_model() -> None:
    assert path_for("flat", b'{"model":"happyhorse-1.0-t2v"}', find_builtin) == "/happyhorse/videos"
    assert path_for("flat", b'{"model":"happyhorse-9"}', find_builtin) == "/happyhorse/videos"
    assert path_for("flat", b"nonsense", find_builtin) == path_for("flat", b"[]", find_builtin) == "/wan/videos"
    assert path_for("native", b"{}", find_builtin).startswith("/api/v1/")
    assert path_for("gateway", b"{}", find_builtin).startswith("/wan/api/v1/")
