"""How a task is, in DashScope's words: `GET /api/v1/tasks/{id}` (wire notes 3.3).

What this shape cannot say, and what becomes of it:

| of a report                                    | here                                                   |
|------------------------------------------------|--------------------------------------------------------|
| progress, service, trace_id, callback_url      | left out                                               |
| model, request                                 | left out                                               |
| details of another family                      | left out                                               |
| prompt, usage, video_url before or without success, finished_at before the end | left out               |
| failure before or without a failure            | left out                                               |
| a failure without a reason                     | InternalError                                          |
| a failure in another family's code             | DashScope's code for its category                      |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote, unquote

from adapters.codes import NO_REASON, code_in, failed
from adapters.fields import Reader, object_of, text_of, time_of, without_nulls, word_of
from adapters.messages import ENDED, Failure, Query, Report, Request, State, Unreadable
from adapters.usage import read_usage, write_native

STATES: Mapping[str, State] = {
    "PENDING": State.QUEUED,
    "RUNNING": State.RUNNING,
    "SUCCEEDED": State.SUCCEEDED,
    "FAILED": State.FAILED,
    "CANCELED": State.CANCELED,
    "UNKNOWN": State.UNKNOWN,
}
WORDS: Mapping[State, str] = {state: word for word, state in STATES.items()}

CHINA = timezone(timedelta(hours=8))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

TASK_PATH = re.compile(r"/tasks/([^/]+)/?$")


def read_query(request: Request) -> Query:
    """Any path that ends in /tasks/{id}, whatever its base; the SDK's asyncio client appends a slash."""
    found = TASK_PATH.search(request.path)
    if not found:
        raise Unreadable("", "the path must end in /tasks/ and a task id")
    return Query((unquote(found[1]),))


def write_query(query: Query, base: str) -> Request:
    """This family asks for one task at a time."""
    (task_id,) = query.task_ids
    return Request("GET", f"{base}/tasks/{quote(task_id, safe='')}")


def read_report(body: object) -> Report:
    """Raises `Unreadable` unless there is an `output.task_status`."""
    top = Reader(body)
    output = Reader(object_of(top.take("output")), "output")
    word = text_of(output.take("task_status"))
    if not word:
        raise Unreadable("output.task_status", "is missing")
    state = STATES.get(word, State.RUNNING)
    # The documents have the reason in `output`, new-api reads it at the top.
    inner, outer = ([text_of(place.take(name)) for name in ("code", "message")] for place in (output, top))
    code, message = inner[0] or outer[0], inner[1] or outer[1]
    return Report(
        task_id=text_of(output.take("task_id")),
        state=state,
        video_url=text_of(output.take("video_url")) or None,
        failure=failure_of(code, message) if state is State.FAILED else None,
        usage=read_usage(top.take("usage")),
        created_at=read_time(output.take("submit_time")),
        started_at=read_time(output.take("scheduled_time")),
        finished_at=read_time(output.take("end_time")),
        prompt=text_of(output.take("orig_prompt")) or None,
        request_id=text_of(top.take("request_id")),
        family="native",
        details={**top.rest(), **output.rest()},
        word="" if word in STATES else word_of(word),
        raw=body,
    )


def write_report(report: Report) -> dict[str, Any]:
    succeeded, ended = report.state is State.SUCCEEDED, report.state in ENDED
    details = report.details if report.family == "native" else {}
    inner = {name.removeprefix("output."): value for name, value in details.items() if name.startswith("output.")}
    output = {
        **inner,
        "task_id": report.task_id,
        "task_status": WORDS[report.state],
        "submit_time": write_time(report.created_at),
        "scheduled_time": write_time(report.started_at),
        "end_time": write_time(report.finished_at if ended else None),
        "orig_prompt": report.prompt if succeeded else None,
        "video_url": report.video_url if succeeded else None,
        **(_failure(report.failure or NO_REASON) if report.state is State.FAILED else {}),
    }
    usage = write_native(report.usage, report.family == "native") if report.usage and succeeded else None
    outer = {name: value for name, value in details.items() if not name.startswith("output.")}
    named = {**outer, "request_id": report.request_id or None, "output": without_nulls(output), "usage": usage}
    return without_nulls(named)


def failure_of(code: str, message: str) -> Failure:
    if not code and not message:
        return failed("native", "InternalError", NO_REASON.message)
    return failed("native", code or "InternalError", message)


def _failure(failure: Failure) -> dict[str, Any]:
    return {"code": code_in(("native",), failure), "message": failure.message}


def read_time(value: object) -> int | None:
    """DashScope's times are UTC+8 without saying so; None if it is none."""
    try:
        time = datetime.fromisoformat(text_of(value))
    except ValueError:
        return None
    zoned = time if time.tzinfo else time.replace(tzinfo=CHINA)
    return time_of((zoned - EPOCH) // timedelta(milliseconds=1))


def write_time(milliseconds: int | None) -> str | None:
    """`YYYY-MM-DD HH:MM:SS.mmm`, UTC+8."""
    if milliseconds is None:
        return None
    time = (EPOCH + timedelta(milliseconds=milliseconds)).astimezone(CHINA).replace(tzinfo=None)
    return time.isoformat(sep=" ", timespec="milliseconds")
