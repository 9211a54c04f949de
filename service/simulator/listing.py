"""DashScope's list of tasks: filters and pages (wire notes 3.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from service.simulator.tasks import Phase, Task

BEIJING = timezone(timedelta(hours=8))
WINDOW_SECONDS = 24 * 3600.0
STATUS = {
    Phase.QUEUED: "PENDING",
    Phase.RUNNING: "RUNNING",
    Phase.SUCCEEDED: "SUCCEEDED",
    Phase.FAILED: "FAILED",
    Phase.CANCELED: "CANCELED",
}


def list_tasks(tasks: Iterable[Task], query: Mapping[str, str], now: float, largest: int) -> dict[str, Any]:
    """The page that a query asks for, newest first; `tasks` are in the order they were accepted. Raises `ValueError`
    for times or numbers that are none, for a page of more than `largest` and for a window of more than a day; without
    times the window is the last day."""
    last = _time(query["end_time"]) if "end_time" in query else now
    first = _time(query["start_time"]) if "start_time" in query else last - WINDOW_SECONDS
    if last - first > WINDOW_SECONDS:
        raise ValueError("The time between start_time and end_time must not exceed 24 hours.")
    page, size = int(query.get("page_no", "1")), int(query.get("page_size", "10"))
    if page < 1 or not 1 <= size <= largest:
        raise ValueError("page_no or page_size is out of range.")
    found = [task for task in tasks if first <= task.script.created_at <= last and _matches(task, query, now)]
    found.reverse()
    rows = [_row(task, now) for task in found[(page - 1) * size : page * size]]
    pages = -(-len(found) // size)
    return {"total": len(found), "total_page": pages, "page_no": page, "page_size": size, "data": rows}


def _matches(task: Task, query: Mapping[str, str], now: float) -> bool:
    if query.get("status") not in (None, "", STATUS[task.script.phase(now)]):
        return False
    return query.get("task_id") in (None, "", task.id) and query.get("model_name") in (None, "", task.order.model)


def _row(task: Task, now: float) -> dict[str, Any]:
    script = task.script
    phase = script.phase(now)
    row: dict[str, Any] = {
        "task_id": task.id,
        "status": STATUS[phase],
        "model_name": task.order.model,
        "region": "cn-beijing",
        "request_id": task.alias("create"),
        "api_key_id": "1250",
        "caller_uid": "1000000000000000",
        "caller_parent_id": "1000000000000000",
        "user_api_unique_key": f"apikey:v1:aigc:video-generation:video-synthesis:{task.order.model}",
        "gmt_create": int(script.created_at * 1000),
    }
    if phase is not Phase.QUEUED:
        row["start_time"] = int(script.started_at * 1000)
    if phase not in (Phase.QUEUED, Phase.RUNNING):
        row["end_time"] = int(script.ends_at * 1000)
    return row


def _time(text: str) -> float:
    return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=BEIJING).timestamp()
