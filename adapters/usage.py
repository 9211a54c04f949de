"""What was billed, as DashScope's `usage` says it and as Ringback's flat shape does (wire notes 3.3, 1.1, 1.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from adapters.fields import json_number, number_of, object_of, text_of, without_nulls
from adapters.messages import Usage


def read_usage(value: object) -> Usage | None:
    """Lenient. Older DashScope models say `video_duration` and `video_ratio`; AceData says `resolution` in words."""
    said = object_of(value)
    if not said:
        return None
    return Usage(
        duration=_first(said, "duration", "video_duration"),
        input_video_duration=number_of(said.get("input_video_duration")),
        output_video_duration=number_of(said.get("output_video_duration")),
        video_count=_count(said.get("video_count")),
        resolution=_resolution(said.get("SR")) or text_of(said.get("resolution")) or None,
        ratio=text_of(said.get("ratio")) or text_of(said.get("video_ratio")) or None,
        raw=said,
    )


def write_native(usage: Usage, own: bool) -> dict[str, Any]:
    """DashScope's `usage`; `own`: the upstream spoke this family, so its further words ride along."""
    return without_nulls({**_raw(usage, own), **_seconds(usage), **_sharpness(usage), "ratio": usage.ratio})


def write_flat(usage: Usage, own: bool) -> dict[str, Any]:
    """The flat `usage`, which knows a resolution by its name."""
    return without_nulls({**_raw(usage, own), **_seconds(usage), "resolution": usage.resolution, "ratio": usage.ratio})


def _raw(usage: Usage, own: bool) -> dict[str, Any]:
    return {name: _json(value) for name, value in usage.raw.items()} if own else {}


def _json(value: Any) -> Any:
    return json_number(number_of(value)) if isinstance(value, float) else value


def _seconds(usage: Usage) -> dict[str, Any]:
    return {
        "duration": json_number(usage.duration),
        "input_video_duration": json_number(usage.input_video_duration),
        "output_video_duration": json_number(usage.output_video_duration),
        "video_count": usage.video_count,
    }


def _sharpness(usage: Usage) -> dict[str, Any]:
    """`SR` is a number (720); a resolution that is none keeps its name."""
    lines = re.fullmatch(r"([0-9]{1,5})P", usage.resolution or "")
    return {"SR": int(lines[1])} if lines else {"resolution": usage.resolution}


def _first(said: Mapping[str, Any], *names: str) -> float | None:
    return next((value for name in names if (value := number_of(said.get(name))) is not None), None)


def _count(value: object) -> int | None:
    number = number_of(value)
    return None if number is None else int(number)


def _resolution(value: object) -> str | None:
    """`SR` is 720; as text it is taken too."""
    lines = str(_count(value)) if number_of(value) is not None else text_of(value)
    return f"{lines}P" if re.fullmatch(r"[0-9]{1,5}", lines) else None
