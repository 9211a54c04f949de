"""A video asked for in DashScope's words: `{model, input, parameters}` (wire notes 3.2, 3.5, 7).

Wan 2.7, 3.0 and HappyHorse carry their media as typed items of `input.media`, Wan 2.6 and older in fields of their own.
A native client's choice of the two is kept as it is, also where the catalogue would say otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from adapters.catalogue import Catalogue
from adapters.fields import Reader, without_nulls
from adapters.media import ITEM_KINDS, read_fields, read_items, unknown_items, write_media
from adapters.messages import Kind, Request, Scalar, Submission, Unreadable
from adapters.model import PARAMETERS, Model
from adapters.paths import path_of
from adapters.translate import Translation, Vocabulary, placed, translate

SERVICES = "/api/v1/services/aigc"
CREATE = f"{SERVICES}/video-generation/video-synthesis"
CREATE_BETWEEN_FRAMES = f"{SERVICES}/image2video/video-synthesis"
"""DashScope's SDK sends models with "kf2v" in their name here (first and last frame to video)."""

FIELDS: Mapping[str, Kind] = {
    "img_url": Kind.FIRST_FRAME,
    "first_frame_url": Kind.FIRST_FRAME,
    "last_frame_url": Kind.LAST_FRAME,
    "audio_url": Kind.DRIVING_AUDIO,
    "reference_urls": Kind.REFERENCE,
    "reference_video_urls": Kind.REFERENCE_VIDEO,
}
"""The media fields of `input` beside `input.media`. `reference_urls` mixes images and videos: told by the suffix."""

OSS_HEADER = "x-dashscope-ossresourceresolve"
"""Sent with oss:// URLs that DashScope's upload policy has issued; it rides along as `extra["header:..."]`."""


def read(request: Request) -> Submission:
    body = Reader(request.body)
    model = body.required("model")
    content, knobs = body.child("input"), body.child("parameters")
    prompt, negative_prompt = content.text("prompt"), content.text("negative_prompt")
    parameters = _parameters(content, knobs)
    single = read_fields(content, FIELDS)
    items, unknown = read_items(content)
    # Ringback's own field, never sent upstream. DashScope's SDK puts every keyword it does not know into `parameters`.
    callback_urls = body.filled("callback_url"), knobs.filled("callback_url")
    header = request.headers.get(OSS_HEADER)
    carried = {} if header is None else {f"header:{OSS_HEADER}": header}
    return Submission(
        family="native",
        model=model,
        prompt=prompt,
        negative_prompt=negative_prompt,
        media=(*single, *items),
        parameters=parameters,
        extra={**_top(body), **content.rest(), **knobs.rest(), **unknown, **carried},
        callback_url=callback_urls[0] or callback_urls[1],
    )


def translation(submission: Submission, catalogue: Catalogue) -> Translation:
    if submission.family == "native":
        return Translation(submission)
    model = catalogue.find(submission.model)
    return translate(submission, model, vocabulary(submission.model, model))


def write(submission: Submission, catalogue: Catalogue, prefix: str = "") -> Request:
    submission = replace(submission, model=catalogue.real_name(submission.model))
    words = vocabulary(submission.model, catalogue.find(submission.model))
    submission = translation(submission, catalogue).submission
    unknown, extra = unknown_items(submission.extra, "input.media")
    header = extra.pop(f"header:{OSS_HEADER}", None)
    said = {"prompt": submission.prompt, "negative_prompt": submission.negative_prompt, **submission.parameters}
    media = write_media(placed(submission.media, words), unknown)
    paths = {path_of("native", name): value for name, value in without_nulls(said).items()}
    body = {"model": submission.model, **_nested({**extra, **paths})}
    body["input"] = {**body.get("input", {}), **media}
    headers = {"x-dashscope-async": "enable"} | ({} if header is None else {OSS_HEADER: str(header)})
    return Request("POST", prefix + _path(submission.model), body, headers=headers)


def vocabulary(name: str, model: Model | None) -> Vocabulary:
    """An unknown model is taken for a new one: new ones speak `input.media`."""
    if model is None or model.protocol == "media":
        items = dict.fromkeys(ITEM_KINDS, "media")
        if model is not None and model.mode == "t2v":
            items[Kind.DRIVING_AUDIO] = "audio_url"
        return Vocabulary("native", items, voice=True, oss=True)
    references = dict.fromkeys((Kind.REFERENCE, Kind.REFERENCE_IMAGE, Kind.REFERENCE_VIDEO), "reference_urls")
    frames = {Kind.FIRST_FRAME: "img_url"}
    if "kf2v" in name:
        frames = {Kind.FIRST_FRAME: "first_frame_url", Kind.LAST_FRAME: "last_frame_url"}
    return Vocabulary("native", {**frames, **references, Kind.DRIVING_AUDIO: "audio_url"}, voice=False, oss=True)


def _path(model: str) -> str:
    return CREATE_BETWEEN_FRAMES if "kf2v" in model else CREATE


def _nested(paths: Mapping[str, Any]) -> dict[str, Any]:
    """Values at dotted paths as objects in objects; only `input` and `parameters` have an inside."""
    body: dict[str, Any] = {}
    for path, value in paths.items():
        place, dot, name = path.partition(".")
        if dot and place in ("input", "parameters"):
            body.setdefault(place, {})[name] = value
        else:
            body[path] = value
    return body


def _parameters(content: Reader, knobs: Reader) -> Mapping[str, Scalar]:
    places = {name: content if path_of("native", name).startswith("input.") else knobs for name in PARAMETERS}
    read = {name: place.scalar(name, PARAMETERS[name]) for name, place in places.items()}
    return {name: value for name, value in read.items() if value is not None}


def _top(body: Reader) -> dict[str, Any]:
    rest = body.rest()
    for name in rest:
        if name.startswith(("input.", "parameters.")):
            raise Unreadable(name, "must stand in its object, not under a name with a dot")
    return rest
