"""What a finished task is billed for, in DashScope's words (wire notes 3.3)."""

from __future__ import annotations

from typing import Any

from service.simulator.models import find_model
from service.simulator.tasks import Task

USUAL_SECONDS = 5
INPUT_SECONDS = 5  # the length that every input video has here
INPUTS = frozenset({"video", "reference_video", "first_clip"})


def usage_of(task: Task) -> dict[str, Any]:
    """The usage of a native task. Video that goes in is billed with what comes out, except for a continued clip."""
    body = task.order.body
    parameters = body.get("parameters") or {}
    given = body.get("input") or {}
    kinds = [item["type"] for item in given.get("media") or []]
    made = seconds if (seconds := parameters.get("duration") or 0) > 0 else USUAL_SECONDS
    shown = INPUT_SECONDS * sum(kind in ("video", "reference_video") for kind in kinds)
    usage = {
        "duration": shown + made,
        "input_video_duration": shown,
        "output_video_duration": made,
        "video_count": 1,
        "SR": _lines(parameters),
    }
    model = find_model(task.order.provider, task.order.model)
    if model is not None and model.action in ("text_to_video", "reference_to_video"):
        usage["ratio"] = parameters.get("ratio") or "16:9"
    return usage


def _lines(parameters: dict[str, Any]) -> int:
    if size := parameters.get("size"):
        return min(map(int, size.split("*")))
    return int((parameters.get("resolution") or "1080P").removesuffix("P"))
