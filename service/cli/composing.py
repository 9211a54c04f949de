"""A flat request out of simple options. The flat shape has words for every model of the catalogue."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.catalogue import builtin
from adapters.messages import Kind
from service.cli.exits import Misused

MEDIA = tuple(kind.value for kind in Kind if kind is not Kind.REFERENCE)

PATHS: Mapping[str, str] = {
    "native": "/api/v1/services/aigc/video-generation/video-synthesis",
    "gateway": "/wan/api/v1/services/aigc/video-generation/video-synthesis",
}

ACTIONS: Mapping[tuple[str, str], str] = {
    ("wan", "t2v"): "text2video",
    ("wan", "i2v"): "image2video",
    ("wan", "r2v"): "image2video",
    ("happyhorse", "t2v"): "generate",
    ("happyhorse", "i2v"): "image_to_video",
    ("happyhorse", "r2v"): "reference_to_video",
    ("happyhorse", "edit"): "video_edit",
}
"""The flat word for what a model of a service and mode does; the other models need none."""


@dataclass(frozen=True, slots=True)
class Known:
    """What must be known of a model to ask for it in the flat shape."""

    service: str
    mode: str


Find = Callable[[str], Known | None]


def find_builtin(name: str) -> Known | None:
    """In the catalogue that comes with us; a server may have more in its own."""
    found = builtin().find(name)
    return Known(found.service, found.mode) if found else None


def compose(
    find: Find,
    model: str,
    prompt: str | None,
    negative_prompt: str | None,
    images: tuple[str, ...],
    videos: tuple[str, ...],
    audios: tuple[str, ...],
    media: tuple[str, ...],
    more: tuple[str, ...],
    **parameters: Any,
) -> dict[str, Any]:
    """The body of a flat create that is not held. Raises `Misused`."""
    known = find(model)
    mode = known.mode if known else ""
    items = [*_by_model(mode, images, videos, audios), *_by_name(media)]
    body = {
        "action": ACTIONS.get((known.service, mode)) if known else None,
        "model": model,
        "prompt": prompt,
        "negative_prompt": negative_prompt,
        **parameters,
        "media": items or None,
        "async": True,
        **dict(_pair("--set", text) for text in more),
    }
    return {name: value for name, value in body.items() if value is not None}


def path_for(shape: str, content: bytes, find: Find) -> str:
    """Where a create goes. A flat one has a path for each service, which its model decides."""
    return PATHS[shape] if shape in PATHS else f"/{_service(content, find)}/videos"


def _service(content: bytes, find: Find) -> str:
    try:
        body = json.loads(content)
    except ValueError:
        return "wan"  # the server will say what is wrong with it
    name = str(body.get("model", "")) if isinstance(body, dict) else ""
    known = find(name)
    guessed = "happyhorse" if name.startswith("happyhorse") else "wan"
    return known.service if known else guessed


def _by_model(
    mode: str, images: Iterable[str], videos: Iterable[str], audios: Iterable[str]
) -> Iterator[dict[str, str]]:
    """What a picture or a video is to a model of this mode."""
    image = Kind.REFERENCE_IMAGE if mode in ("r2v", "edit") else Kind.FIRST_FRAME
    video = Kind.VIDEO if mode == "edit" else Kind.REFERENCE_VIDEO
    for kind, urls in ((image, images), (video, videos), (Kind.DRIVING_AUDIO, audios)):
        for url in urls:
            yield {"type": kind.value, "url": url}


def _by_name(media: Iterable[str]) -> Iterator[dict[str, str]]:
    for text in media:
        kind, equals, url = text.partition("=")
        if kind not in MEDIA or not equals or not url:
            raise Misused(f"--media {text[:40]!r}: TYPE=URL is needed, with one of {', '.join(MEDIA)}.")
        yield {"type": kind, "url": url}


def _pair(option: str, text: str) -> tuple[str, Any]:
    """A name and a value, which is JSON if it can be and text otherwise."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise Misused(f"{option} {text[:40]!r}: NAME=VALUE is needed.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
