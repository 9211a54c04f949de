"""What AceData's flat API takes: fields and their types, models and the actions they go with (wire notes 1.1, 1.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any], bool]

RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4")
WAN3 = "wan3.0-video"
MEDIA_TYPES = (
    *("first_frame", "last_frame", "file", "link"),
    *("reference_image", "reference_video", "reference_audio"),
)
EDIT_PICTURES = 5
DEFAULTS = {"wan": "wan2.6-t2v", "happyhorse": "happyhorse-1.1-t2v"}

ACTIONS: Mapping[str, Mapping[str, str]] = {
    "wan": {
        "wan2.6-t2v": "text2video",
        "wan2.6-i2v": "image2video",
        "wan2.6-i2v-flash": "image2video",
        "wan2.6-r2v": "image2video",
        WAN3: "",  # ignores the action: the media say what is wanted
    },
    "happyhorse": {
        "happyhorse-1.0-t2v": "generate",
        "happyhorse-1.0-i2v": "image_to_video",
        "happyhorse-1.0-r2v": "reference_to_video",
        "happyhorse-1.0-video-edit": "video_edit",
        "happyhorse-1.1-t2v": "generate",
        "happyhorse-1.1-i2v": "image_to_video",
        "happyhorse-1.1-r2v": "reference_to_video",
    },
}
"""Service to model to the one action it goes with."""

NEEDS: Mapping[str, tuple[str, ...]] = {
    "wan2.6-t2v": ("prompt",),
    "wan2.6-i2v": ("image_url",),
    "wan2.6-i2v-flash": ("image_url",),
    "wan2.6-r2v": ("reference_video_urls",),
    "generate": ("prompt",),
    "image_to_video": ("image_url",),
    "reference_to_video": ("prompt", "image_urls"),
    "video_edit": ("prompt", "video_url"),
}
"""Model, or action where all its models agree, to the fields that must be there."""


def _is(kind: type) -> Check:
    return lambda value: type(value) is kind


def _one_of(*allowed: Any) -> Check:
    return lambda value: value in allowed and type(value) is not bool


def _url(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://"))


def _urls(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_url, value))


def _some_urls(most: int) -> Check:
    return lambda value: isinstance(value, list) and len(value) <= most and all(map(_url, value))


def _media(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= 10
        and all(isinstance(item, dict) and item.get("type") in MEDIA_TYPES and _url(item.get("url")) for item in value)
    )


BOTH: Mapping[str, Check] = {
    "model": _is(str),
    "action": _is(str),
    "prompt": _is(str),
    "image_url": _url,
    "seed": lambda value: type(value) is int and 0 <= value < 2**31,
    "watermark": _is(bool),
    "async": _is(bool),
    "callback_url": _url,
    "timeout": _is(int),
}
FIELDS: Mapping[str, Mapping[str, Check]] = {
    "wan": {
        **BOTH,
        "negative_prompt": _is(str),
        "reference_video_urls": lambda value: _urls(value) or _url(value),  # an older schema says string
        "audio_url": _url,
        "audio": _is(bool),
        "size": _is(str),
        "resolution": _one_of("480P", "720P", "1080P"),
        "duration": _one_of(-1, *range(2, 31)),
        "shot_type": _one_of("single", "multi"),
        "prompt_extend": _is(bool),
        "media": _media,
        "ratio": _one_of("adaptive", *RATIOS),
    },
    "happyhorse": {
        **BOTH,
        "image_urls": _some_urls(9),
        "video_url": _url,
        "resolution": _one_of("720P", "1080P"),
        "ratio": _one_of(*RATIOS),
        "duration": _one_of(*range(3, 16)),
        "audio_setting": _one_of("auto", "origin"),
    },
}
"""Service to field to what its value must be. Other fields are ignored; null stands for an absent field."""


def has_model(service: str, model: Any) -> bool:
    """Whether the service offers the model."""
    return isinstance(model, str) and model in ACTIONS[service]


def find_mistake(service: str, model: str, body: Mapping[str, Any]) -> str | None:
    """What is wrong with a body for a model of the service, if anything. A default that other models have, such as a
    ratio without use, is no mistake."""
    given = {name: value for name, value in body.items() if value is not None}
    for name, right in FIELDS[service].items():
        if name in given and not right(given[name]):
            return f"{name} is invalid"
    action = ACTIONS[service][model]
    if action and given.get("action", action) != action:
        return f"model {model} does not support action {given['action']}"
    for name in NEEDS.get(model, NEEDS.get(action, ())):
        if not given.get(name):
            return f"{name} is required"
    if action == "video_edit" and len(given.get("image_urls", ())) > EDIT_PICTURES:
        return "image_urls is invalid"
    if model == WAN3 and not (given.get("prompt") or given.get("media")):
        return "prompt or media is required"
    return None
