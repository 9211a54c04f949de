"""Which tasks there are, in DashScope's words: `GET /api/v1/tasks` (wire notes 3.4; Alibaba's asynchronous task page).

The documented rows are in `data` and tell of times in milliseconds. DashScope's SDK 2.x looks for `tasks` instead and
reads each as the answer to a query, whose times are texts (clients notes 3), so both are written.

What this shape cannot say, and what becomes of it:

| of a listing                            | here                                                              |
|-----------------------------------------|-------------------------------------------------------------------|
| an offset within a page                 | `Unsupported`                                                     |
| more than 24 hours                      | `Unsupported`                                                     |
| one end of the time only                | as written; the other is read as 24 hours off                     |
| parts of a second                       | widened to whole seconds                                          |
| service                                 | left out                                                          |

| of a report in a page                   | here                                                              |
|-----------------------------------------|-------------------------------------------------------------------|
| everything but id, state, model, request_id, region and times | in `tasks` only, which is not read back     |
| finished_at before the end              | left out                                                          |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from adapters.fields import number_of, object_of, text_of, time_of, whole_of, without_nulls
from adapters.messages import ENDED, Listing, Page, Report, Request, State, Unreadable, Unsupported
from adapters.native_tasks import CHINA, EPOCH, STATES, WORDS, read_time, write_report

LIST_PATH = re.compile(r"/tasks/?$")

DAY = 24 * 3600 * 1000
"""The longest time between `start_time` and `end_time`, and what either of them alone is completed to."""

LARGEST_PAGE = 100
"""Ringback's own bound: the page names none."""

USUAL_PAGE = 10
"""What `page_size` is by default."""


def read(request: Request) -> Listing | None:
    """`api_key_id` and `region`, which DashScope's SDK offers too, are passed over."""
    if not LIST_PATH.search(request.path):
        return None
    said = {name: value for name, value in request.query.items() if value}
    page, size = _count(said, "page_no", 1, 10**9), _count(said, "page_size", USUAL_PAGE, LARGEST_PAGE)
    since, until = _window(_moment(said, "start_time"), _moment(said, "end_time"))
    return Listing(
        offset=(page - 1) * size,
        limit=size,
        state=_state(said),
        model=said.get("model_name", ""),
        task_id=said.get("task_id", ""),
        since=since,
        until=until,
    )


def write(listing: Listing, base: str) -> Request:
    if listing.offset % listing.limit:
        raise Unsupported({"offset": f"DashScope has whole pages of {listing.limit}"})
    since = None if listing.since is None else listing.since // 1000
    until = None if listing.until is None else -(-listing.until // 1000)
    if since is not None and until is not None and (until - since) * 1000 > DAY:
        raise Unsupported({"until": "DashScope lists 24 hours at once"})
    query = {
        "page_no": str(listing.offset // listing.limit + 1),
        "page_size": str(listing.limit),
        "status": WORDS[listing.state] if listing.state else None,
        "model_name": listing.model or None,
        "task_id": listing.task_id or None,
        "start_time": None if since is None else _digits(since),
        "end_time": None if until is None else _digits(until),
    }
    return Request("GET", f"{base}/tasks", query=without_nulls(query))


def read_page(body: object) -> Page:
    """Raises `Unreadable` unless there is an array of tasks. A row without an id or a status is passed over."""
    top = object_of(body)
    rows = next((top[name] for name in ("data", "tasks") if isinstance(top.get(name), list)), None)
    if rows is None:
        raise Unreadable("data", "must be an array")
    reports = tuple(report for row in rows if (report := _report(object_of(row))) is not None)
    size = whole_of(top.get("page_size"), least=1, usual=USUAL_PAGE)
    return Page(
        reports,
        total=whole_of(top.get("total"), least=0, usual=len(reports)),
        offset=(whole_of(top.get("page_no"), least=1, usual=1) - 1) * size,
        limit=size,
        request_id=text_of(top.get("request_id")),
    )


def write_page(page: Page) -> dict[str, Any]:
    return {
        "request_id": page.request_id,
        "total": page.total,
        "total_page": -(-page.total // page.limit),
        "page_no": page.offset // page.limit + 1,
        "page_size": page.limit,
        "data": [_row(report) for report in page.reports],
        "tasks": [_job(report) for report in page.reports],
    }


def _count(said: Mapping[str, str], name: str, usual: int, most: int) -> int:
    text = said.get(name, str(usual))
    if not re.fullmatch("[0-9]{1,10}", text) or not 1 <= int(text) <= most:
        raise Unreadable(name, f"must be a whole number from 1 to {most}")
    return int(text)


def _state(said: Mapping[str, str]) -> State | None:
    word = said.get("status")
    if word is not None and word not in STATES:
        raise Unreadable("status", f"must be one of {', '.join(STATES)}")
    return None if word is None else STATES[word]


def _window(since: int | None, until: int | None) -> tuple[int | None, int | None]:
    """Both ends where one is set. Neither stays neither: that is the last day, but a day before now needs a clock."""
    if since is not None and until is not None and until - since > DAY:
        raise Unreadable("end_time", "must not be more than 24 hours after start_time")
    first = until - DAY if since is None and until is not None else since
    last = since + DAY if until is None and since is not None else until
    return first, last


def _moment(said: Mapping[str, str], name: str) -> int | None:
    """YYYYMMDDhhmmss, UTC+8 as all of DashScope's times."""
    text = said.get(name)
    if text is None:
        return None
    time = read_time(f"{text[:8]}T{text[8:]}") if re.fullmatch("[0-9]{14}", text) else None
    if time is None:
        raise Unreadable(name, "must be a time as YYYYMMDDhhmmss")
    return time


def _digits(seconds: int) -> str:
    time = (EPOCH + timedelta(seconds=seconds)).astimezone(CHINA).replace(tzinfo=None)
    return re.sub("[^0-9]", "", time.isoformat())


def _report(row: Mapping[str, Any]) -> Report | None:
    task_id, word = text_of(row.get("task_id")), text_of(row.get("status")) or text_of(row.get("task_status"))
    if not task_id or not word:
        return None
    return Report(
        task_id=task_id,
        state=STATES.get(word, State.RUNNING),
        created_at=_time(row, "gmt_create", "submit_time"),
        started_at=_time(row, "start_time", "scheduled_time"),
        finished_at=_time(row, "end_time"),
        model=text_of(row.get("model_name")),
        request_id=text_of(row.get("request_id")),
        family="native",
        details={"region": row["region"]} if text_of(row.get("region")) else {},
        raw=row,
    )


def _row(report: Report) -> dict[str, Any]:
    row = {
        "task_id": report.task_id,
        "status": WORDS[report.state],
        "model_name": report.model,
        "region": text_of(report.details.get("region")) if report.family == "native" else "",
        "request_id": report.request_id,
        "gmt_create": report.created_at,
        "start_time": report.started_at,
        "end_time": report.finished_at if report.state in ENDED else None,
    }
    return without_nulls(row)


def _job(report: Report) -> dict[str, Any]:
    """What the query answers, and its `output` beside it once more: there the SDK looks for the id and the status."""
    told = write_report(report)
    return {"model_name": report.model, **told["output"], **told}


def _time(row: Mapping[str, Any], *names: str) -> int | None:
    """Milliseconds, or a text as in the answer to a query."""
    value = next((row[name] for name in names if row.get(name) is not None), None)
    return read_time(value) if isinstance(value, str) else time_of(number_of(value))
