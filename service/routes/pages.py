"""Lists in pages, the newest first: `limit` (at most 200), `before` (the `cursor` of the page before), `since`."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from starlette.requests import Request as HttpRequest

from adapters.messages import Category
from service.errors import refused
from service.store.lookups import NEWEST, Place

LONGEST_PAGE = 200
WHOLE_NUMBER = re.compile(r"[0-9]{1,18}")
AGO = re.compile(r"([0-9]{1,9})([smhd])")
UNIT_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def page(request: HttpRequest) -> tuple[Place, int]:
    """Where the page before ended, and how many are asked for. Raises `Refused` (400)."""
    limit, before = limit_of(request), request.query_params.get("before")
    if before is None:
        return NEWEST, limit
    at, dot, last = before.partition(".")
    if not (dot and WHOLE_NUMBER.fullmatch(at)):
        raise refused(400, Category.INVALID_REQUEST, "before: the `cursor` of another page is needed.")
    return (int(at), last), limit


def limit_of(request: HttpRequest) -> int:
    """How many rows are asked for. Raises `Refused` (400)."""
    limit = request.query_params.get("limit", "50")
    if not WHOLE_NUMBER.fullmatch(limit):
        raise refused(400, Category.INVALID_REQUEST, "limit: a whole number is needed.")
    return max(1, min(int(limit), LONGEST_PAGE))


def cursor(places: list[Place], limit: int) -> str | None:
    """Where a full page ended, for the `before` of the next one."""
    return f"{places[-1][0]}.{places[-1][1]}" if len(places) == limit else None


def since(request: HttpRequest, now: int) -> int:
    """A time, or how long ago: `2026-11-20T18:30:00Z`, `90s`, `15m`, `2h`, `7d`. Raises `Refused` (400)."""
    return _moment(request, "since", now) or 0


def until(request: HttpRequest, now: int) -> int:
    """The same; what happened before it. Raises `Refused` (400)."""
    at = _moment(request, "until", now)
    return NEWEST[0] if at is None else at


def _moment(request: HttpRequest, name: str, now: int) -> int | None:
    text = request.query_params.get(name)
    return moment(name, text.replace(" ", "+"), now) if text else None  # a plus sign that was not quoted


def moment(name: str, text: str, now: int) -> int:
    """The time that the field `name` tells. Raises `Refused` (400)."""
    if ago := AGO.fullmatch(text):
        return max(now - int(ago[1]) * UNIT_MS[ago[2]], 0)
    try:
        at = datetime.fromisoformat(text)
        return max(int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000), 0)
    except (ValueError, OverflowError) as error:
        allowed = "how long ago (90s, 15m, 2h, 7d) or a time such as 2026-11-20T18:30:00Z is needed."
        raise refused(400, Category.INVALID_REQUEST, f"{name}: {allowed}") from error
