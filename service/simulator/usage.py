"""What a finished task is billed for, in DashScope's words (wire notes 3.3)."""

from __future__ import annotations

from typing import Any

from service.simulator.defects import kind_of
from service.simulator.models import find_model
from service.simulator.tasks import Task

USUAL_SECONDS = 5
INPUT_SECONDS = 5  # the length that every input video has here
BILLED_INPUTS = ("video", "reference_video")  # an edit or a reference; a clip that is continued is not billed again


def usage_of(task: Task) -> dict[str, Any]:
    """The usage of a native task: what came out, and for edits and references also what went in."""
    body = task.order.body
    parameters = body.get("parameters") or {}
    given = body.get("input") or {}
    made = seconds if (seconds := parameters.get("duration") or 0) > 0 else USUAL_SECONDS
    shown = INPUT_SECONDS * sum(kind_of(item) in BILLED_INPUTS for item in given.get("media") or [])
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
