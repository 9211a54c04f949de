"""The least that a client must say to get a video of each catalogue model, in each of the three shapes.

Built from the catalogue's rules for media and from nothing of the adapters: where a shape puts a piece of media is told
once more here, from the providers' documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.catalogue import Model, builtin
from adapters.messages import Kind

NATIVE = "/api/v1/services/aigc/video-generation/video-synthesis"
MEDIA = "https://media.example/"
FILES = {
    "first_frame": "frame.png",
    "reference_video": "reference.mp4",
    "reference_image": "reference.png",
    "video": "video.mp4",
}
PREFERRED = ("reference_video", "first_frame", "video", "reference_image")
"""Which of several kinds that would do: Wan 2.6 takes reference videos everywhere, images not at AceData."""

ACTIONS = {
    "wan": {"t2v": "text2video", "i2v": "image2video", "r2v": "image2video"},
    "happyhorse": {
        "t2v": "generate",
        "i2v": "image_to_video",
        "r2v": "reference_to_video",
        "edit": "video_edit",
    },
}
MODELS = tuple(builtin().models.values())


@dataclass(frozen=True)
class Order:
    """One create as a client of `shape` sends it, and where it then asks."""

    shape: str
    model: Model
    path: str
    body: dict[str, Any]

    @property
    def prompt(self) -> str:
        prompt: str = self.body["prompt"] if self.shape == "flat" else self.body["input"]["prompt"]
        return prompt


def order(shape: str, model: Model, prompt: str, **media: str) -> Order:
    """The minimal create, or one with other media than the model needs at least (URLs by kind)."""
    given = media or {kind: MEDIA + FILES[kind] for kind in needed(model)}
    if shape == "flat":
        path, body = f"/{model.service}/videos", _flat(model, prompt, given)
    else:
        path, body = ("/wan" if shape == "gateway" else "") + NATIVE, _native(model, prompt, given)
    return Order(shape, model, path, body)


def needed(model: Model) -> tuple[str, ...]:
    """The kinds of media without which the model does nothing."""
    if model.combinations:
        return tuple(sorted(model.combinations[0]))
    return tuple(_one_of(rule.kinds) for rule in model.media if rule.minimum)


def _one_of(kinds: Sequence[Kind]) -> str:
    return next(kind for kind in PREFERRED if kind in kinds)


def _flat(model: Model, prompt: str, media: dict[str, str]) -> dict[str, Any]:
    action = ACTIONS[model.service].get(model.mode)
    body = {"model": model.name, "prompt": prompt} | ({"action": action} if action else {})
    for kind, url in media.items():
        match kind, model.service:
            case "first_frame", _:
                body["image_url"] = url
            case "reference_video", "wan":
                body["reference_video_urls"] = [url]
            case "reference_image", "happyhorse":
                body["image_urls"] = [url]
            case "video", "happyhorse":
                body["video_url"] = url
            case _:
                body.setdefault("media", []).append({"type": kind, "url": url})
    return body


def _native(model: Model, prompt: str, media: dict[str, str]) -> dict[str, Any]:
    given: dict[str, Any] = {"prompt": prompt}
    for kind, url in media.items():
        if model.protocol == "media":
            given.setdefault("media", []).append({"type": kind, "url": url})
        elif kind == "first_frame":
            given["img_url"] = url
        else:
            given.setdefault("reference_urls", []).append(url)
    return {"model": model.name, "input": given}
