"""Which tasks there are, in AceData's words: `retrieve_batch` without ids (wire notes 1.3).

No page documents the filters; they are those that AceData's own web client sends (Nexior, `baseTaskOperator.ts`), and
as it reads the answer, `count` is how many tasks there are, not how many the page holds.

What this shape cannot say, and what becomes of it:

| of a listing, a page                    | here                                    |
|-----------------------------------------|-----------------------------------------|
| state, model, task_id                   | `Unsupported`                           |
| offset, limit and request_id of a page  | left out                                |
| a report of an unknown task             | left out                                |
"""

from __future__ import annotations

from adapters.fields import Reader, time_of, without_nulls
from adapters.flat_submission import service_of
from adapters.messages import Listing, Request, Unreadable, Unsupported

LARGEST_PAGE = 100
"""Ringback's own bound."""

USUAL_PAGE = 10
"""What a listing without a limit gets here; AceData's own number is not known."""


def read(request: Request) -> Listing | None:
    """Passes over `user_id` and `application_id`: a key of Ringback's sees its own tasks."""
    service = service_of(request.path)
    body = Reader(request.body)
    if body.take("action") != "retrieve_batch" or body.take("ids") is not None:
        return None
    body.choice("type", {"videos": None})
    return Listing(
        offset=_count(body, "offset", 0, 0, 10**12),
        limit=_count(body, "limit", USUAL_PAGE, 1, LARGEST_PAGE),
        since=_milliseconds(body.number("created_at_min")),
        until=_milliseconds(body.number("created_at_max")),
        service=service,
    )


def write(listing: Listing) -> Request:
    set_here = {"state": listing.state, "model": listing.model, "task_id": listing.task_id}
    unsaid = {name: "AceData's list has no such filter" for name, value in set_here.items() if value}
    if unsaid:
        raise Unsupported(unsaid)
    body = {
        "action": "retrieve_batch",
        "offset": listing.offset,
        "limit": listing.limit,
        "created_at_min": _seconds(listing.since),
        "created_at_max": _seconds(listing.until),
    }
    return Request("POST", f"/{listing.service or 'wan'}/tasks", without_nulls(body))


def _count(body: Reader, name: str, usual: int, least: int, most: int) -> int:
    number = body.integer(name)
    if number is None:
        return usual
    if not least <= number <= most:
        raise Unreadable(name, f"must be from {least} to {most}")
    return number


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else time_of(seconds * 1000)


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
