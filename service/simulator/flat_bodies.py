"""What AceData says of a task: the final body, the record, and their three variants (wire notes 1.1 to 1.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from service.simulator.flat_orders import WAN3
from service.simulator.results import Results
from service.simulator.tasks import Phase, Task

USUAL_SECONDS = 5
Body = dict[str, Any]


def final_body(task: Task, results: Results) -> Body:
    """How the task ends: the body of a held create, of the callback and of the record's `response`."""
    failure = task.script.failure
    if failure is not None:
        return {"success": False, **_names(task), "error": {"code": failure.code, "message": failure.message}}
    link = results.link("video_url", task, task.script.ends_at)
    if task.order.service == "happyhorse":
        return {"success": True, **_names(task), "data": [_happyhorse(task) | link]}
    if task.order.model == WAN3:
        return {"success": True, **_names(task), **_wan3(task, link)}
    return {"success": True, **_names(task), **link, "state": "completed"}


def record(task: Task, results: Results, now: float) -> Body:
    """The task's record. It has no status: an end is the presence of `finished_at` and `response`."""
    script = task.script
    known: Body = {
        "_id": task.alias("record").replace("-", "")[:24],
        "id": task.id,
        "api_id": task.alias("api"),
        "application_id": task.alias("application"),
        "credential_id": task.alias("credential"),
        "user_id": task.alias("user"),
        "trace_id": task.alias("trace"),
        "type": "videos",
        "job_id": task.alias("job"),
        "created_at": script.created_at,
        "started_at": script.created_at,
        "request": task.order.body,
    }
    if task.behaviour.notime:
        del known["created_at"]
    if script.phase(now) in (Phase.SUCCEEDED, Phase.FAILED):
        elapsed = round(script.ends_at - script.created_at, 3)
        return known | {"finished_at": script.ends_at, "elapsed": elapsed, "response": final_body(task, results)}
    # "A non-null response can be a progress snapshot", warn AceData's own tools.
    progress = {"success": True, "task_id": task.id, "state": "processing", "progress": 30}
    return known | ({"response": progress} if task.behaviour.snapshot else {})


def page_of(tasks: Iterable[Task], query: Mapping[str, Any]) -> list[Task]:
    """The tasks created in `created_at_min..created_at_max` (unix seconds), newest first, `limit` of them from
    `offset`. Raises `TypeError` or `ValueError` for what is no number."""
    earliest, latest = float(query.get("created_at_min", 0)), float(query.get("created_at_max", "inf"))
    found = [task for task in tasks if earliest <= task.script.created_at <= latest]
    found.sort(key=lambda task: task.script.created_at, reverse=True)
    offset = int(query.get("offset", 0))
    return found[offset : offset + int(query.get("limit", len(found)))]


def _names(task: Task) -> Body:
    return {"task_id": task.id, "trace_id": task.alias("trace")}


def _seconds(body: Mapping[str, Any]) -> int:
    duration = body.get("duration")
    return duration if isinstance(duration, int) and duration > 0 else USUAL_SECONDS


def _happyhorse(task: Task) -> Body:
    body = task.order.body
    seconds = _seconds(body) + (
        USUAL_SECONDS if body.get("video_url") else 0
    )  # billed: what goes in and what comes out
    about = {"duration": seconds, "resolution": body.get("resolution") or "1080P", "ratio": body.get("ratio")}
    return {"id": task.alias("job"), "state": "succeeded", **about}


def _wan3(task: Task, link: Mapping[str, str]) -> Body:
    body = task.order.body
    usage = {
        "resolution": body.get("resolution") or "1080P",
        "input_video_seconds": 0,
        "output_video_seconds": _seconds(body),
        "fps": 24,
        "ratio": body.get("ratio") or "16:9",
    }
    return {"data": {"status": "succeeded", **link}, "usage": usage, "cost": 0.1 * _seconds(body)}
