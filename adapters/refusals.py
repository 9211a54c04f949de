"""Reading what a refusal means for money: may the create have been accepted, and what may be tried again.

The rule of wire notes 6: only a reply that says no in the vendor's own words is a no. Everything else that may have
come after the upstream took the task (a lost answer, a proxy's error page, a 2xx without a task id) is ambiguous.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from adapters.codes import GATEWAY_TEXTS, MAYBE_ACCEPTED, OURS, SAID, category_of
from adapters.messages import Category, Failure, Refusal, Response

LOST_ANSWER = frozenset({408, 502, 504})
VENDORS_5XX = frozenset({500, 503})
"""Wire notes 6: those with a vendor's error body are its own no; the others are proxies' words."""

FINER: Mapping[int, Category] = {
    404: Category.NOT_FOUND,
    405: Category.METHOD,
    409: Category.CONFLICT,
    413: Category.TOO_LARGE,
    415: Category.MEDIA_TYPE,
}
"""Statuses that say more than a code for bad requests in general."""

PLAIN: Mapping[int, Category] = {
    401: Category.AUTH,
    402: Category.BILLING,
    403: Category.FORBIDDEN_MODEL,
    429: Category.THROTTLED,
    **FINER,
}
"""What a status says where the code says nothing."""


def refused(response: Response, family: str, code: str, message: str, request_id: str = "") -> Refusal:
    """The refusal in `response`, whose error `code` and `message` (empty: none found) are words of `family`."""
    category = _category(response.status, family, code, message)
    said = message or f"HTTP {response.status}, no reason given"
    failure = Failure(category, code, said, "" if code in OURS else family)
    return Refusal(response.status, failure, retry_after(response.headers), request_id)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds of a Retry-After header. Its date form would need a clock and counts as absent."""
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def written(refusal: Refusal, families: tuple[str, ...], body: Mapping[str, object]) -> Response:
    """`body` under the status that the shape gives the category; its own and Ringback's refusals keep theirs."""
    own = refusal.failure.family in ("", *families)
    status = refusal.status if own else SAID[families[0]][refusal.failure.category].status
    wait = refusal.retry_after
    headers = {} if wait is None else {"retry-after": str(math.ceil(wait))}
    return Response(status, dict(body), headers)


def _category(status: int, family: str, code: str, message: str) -> Category:
    known = category_of(family, code) or _by_text(family, message)
    if status in LOST_ANSWER or code in MAYBE_ACCEPTED or not _is_a_no(status, family, code, message, known):
        return Category.AMBIGUOUS
    if known is None or known is Category.INVALID_REQUEST:
        known = FINER.get(status, known)
    if known is None:
        known = _by_status(status, family)
    return Category.REJECTED if known is Category.TRANSIENT else known


def _is_a_no(status: int, family: str, code: str, message: str, known: Category | None) -> bool:
    """Whether a reply is somebody's no at all. A 2xx is one only with a code that cannot mean anything else; a 5xx is
    one with an error of the vendor's, which only the gateways' leave without a code."""
    if status < 300:
        return known not in (None, Category.TRANSIENT)
    if status >= 500:
        return status in VENDORS_5XX and bool(code or (message and family == "gateway"))
    return True


def _by_status(status: int, family: str) -> Category:
    if status == 403 and family == "flat":
        return Category.CONTENT  # AceData's SDK: a 403 without a code is moderation
    return PLAIN.get(status, Category.INVALID_REQUEST if 400 <= status < 500 else Category.REJECTED)


def _by_text(family: str, message: str) -> Category | None:
    if family == "gateway":
        return next((category for part, category in GATEWAY_TEXTS.items() if part in message), None)
    return None
