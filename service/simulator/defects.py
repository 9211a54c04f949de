"""What is wrong with a native request: its types at once, its content only when the model works on it.

The gateways refuse a wrong type while they parse the request, with the words of Go (APIYI's Wan pages). A missing or
unsuitable input is accepted and ends as a failed task: `[InvalidParameter] Field required: input.media`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from service.simulator.models import GATEWAYS, Model

TYPES: Mapping[str, Mapping[str, type]] = {
    "input": {
        "prompt": str,
        "negative_prompt": str,
        "media": list,
        "img_url": str,
        "audio_url": str,
        "reference_urls": list,
        "reference_video_urls": list,
        "template": str,
    },
    "parameters": {
        "size": str,
        "resolution": str,
        "ratio": str,
        "duration": int,
        "shot_type": str,
        "prompt_extend": bool,
        "watermark": bool,
        "seed": int,
        "audio": bool,
        "audio_setting": str,
    },
}
SCHEMES = ("http://", "https://", "oss://", "data:")
SIZE = re.compile(r"\d+\*\d+")


def wrong_type(body: Mapping[str, Any]) -> tuple[str, Any, type] | None:
    """Path, value and wanted type of the first field of a wrong JSON type. null stands for an absent field."""
    for part, fields in TYPES.items():
        values = body.get(part)
        if values is not None and not isinstance(values, dict):
            return part, values, dict
        for name, wanted in fields.items():
            value = (values or {}).get(name)
            if value is not None and type(value) is not wanted:
                return f"{part}.{name}", value, wanted
    return None


def find_defect(provider: str, model: Model, body: Mapping[str, Any]) -> str | None:
    """What the task will fail of, if anything, as the text of an InvalidParameter. Expects a body without a
    `wrong_type`."""
    given = body.get("input") or {}
    parameters = body.get("parameters") or {}
    media = given.get("media") or []
    problems = chain(
        _missing(provider, model, given),
        () if model.old_protocol else _unsuitable(model, media),
        _out_of_range(model, parameters, any(kind_of(item) == "reference_video" for item in media)),
    )
    return next(problems, None)


def _missing(provider: str, model: Model, given: Mapping[str, Any]) -> Iterator[str]:
    # The gateways say that wan2.6 takes input.media like wan2.7 (APIYI's Wan FAQ); Alibaba gives it fields of its own.
    enough = (*model.needs, "media") if provider in GATEWAYS else model.needs
    if model.needs and not any(given.get(name) for name in enough):
        yield f"Field required: input.{model.needs[0]}"
    if model.prompt_required and not given.get("prompt"):
        yield "Field required: input.prompt"


def _unsuitable(model: Model, media: list[Any]) -> Iterator[str]:
    if not all(kind_of(item) and str(item.get("url", "")).startswith(SCHEMES) for item in media):
        yield "input.media must have entries of type and url"
    kinds = Counter(map(kind_of, media))
    for rule in model.media:
        found = sum(kinds.pop(kind, 0) for kind in rule.types)
        if not rule.minimum <= found <= rule.maximum:
            yield f"input.media must have {rule.minimum} to {rule.maximum} of {', '.join(sorted(rule.types))}"
    if kinds:
        yield f"input.media type is not supported: {', '.join(sorted(kinds))}"
    together = frozenset(map(kind_of, media))
    if model.sets and together not in model.sets:
        yield f"input.media types do not go together: {', '.join(sorted(together))}"
    if any(together & group and together & other for group, other in model.exclusive):
        yield "input.media types exclude each other"


def _out_of_range(model: Model, parameters: Mapping[str, Any], from_video: bool) -> Iterator[str]:
    duration = parameters.get("duration")
    if duration is not None and model.durations and duration not in model.durations:
        yield f"parameters.duration is out of range: {duration}"
    if duration is not None and from_video and duration > model.longest_from_video:
        yield f"parameters.duration is out of range with a reference_video: {duration}"
    if parameters.get("resolution") not in (None, *model.resolutions):
        yield f"parameters.resolution is not supported: {parameters['resolution']}"
    if parameters.get("ratio") not in (None, *model.ratios):
        yield f"parameters.ratio is not supported: {parameters['ratio']}"
    size, seed = parameters.get("size"), parameters.get("seed")
    if size is not None and not SIZE.fullmatch(size):
        yield f"The size is not match {size}"
    if seed is not None and not 0 <= seed < 2**31:
        yield f"parameters.seed is out of range: {seed}"


def kind_of(item: Any) -> str:
    """The type of an entry of `input.media`; "" for an entry that has none."""
    kind = item.get("type") if isinstance(item, dict) else None
    return kind if isinstance(kind, str) else ""
