"""What came of one POST: in a word, in a sentence somebody can act on, and in what follows for its message and lane.

Pure. Nothing here quotes a query or a header that may be a secret: whoever may read an attempt reads all of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlsplit, urlunsplit

from service.network.phases import Phases

SLOW_MS = 5_000
"""An answer that takes longer holds a slot that others need: such a receiver counts as ill, though it is heard."""

GONE = 410
ABORTED = "aborted"
"""The verdict on a message that its receiver does not want again, whatever becomes of its endpoint."""
NOT_YET = frozenset({404, 409})
"""A waiting workflow may not have armed its URL yet: tried again soon, whatever the schedule says."""
THROTTLES = frozenset({429, 502, 503, 504})
"""Said of the receiver and not of the message (Standard Webhooks): the whole lane rests."""

REPLY_KEPT, HEADERS_KEPT, HEADER_KEPT = 2_000, 20, 200
HIDDEN = "[hidden]"
SECRET_LENGTH = 8
"""Shorter words of an endpoint's headers may stand in any reply."""
_SECRETIVE = ("auth", "cookie", "credential", "key", "secret", "session", "signature", "token")


@dataclass(frozen=True, slots=True)
class Outcome:
    """`verdict` is a word, `reason` a sentence. `final`: this message is not tried again; `disable`: nothing more may
    be sent to its endpoint. `well` is whether the receiver is well, None where nothing is known of it; `counted`
    whether the outcome is the receiver's doing at all, `spent` whether it uses up a try of the schedule: trouble of
    ours that passes does not. `throttle`: it asked for less, `soon`: it may not be ready."""

    verdict: str
    reason: str
    phases: Phases
    status: int | None = None
    address: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    reply: str | None = None
    retry_after: float | None = None
    final: bool = False
    disable: bool = False
    well: bool | None = None
    counted: bool = True
    spent: bool = True
    throttle: bool = False
    soon: bool = False

    @property
    def delivered(self) -> bool:
        return self.verdict == "delivered"


def read_reply(status: int, headers: Mapping[str, str], phases: Phases, now: int) -> Outcome:
    """What a receiver's answer means; what may be kept of it is up to the caller. `headers` has lower-case names."""
    verdict, reason = _sentence(status, headers)
    wishes = _wishes(headers)
    if verdict != "delivered" and "abort-message" in wishes:
        verdict, reason = ABORTED, f"answered {_named(status)} and asks for this message no more (abort-message)"
    if "disable" in wishes and verdict != "gone":
        reason += "; it asks for no more messages at all (webhook-delivery: disable)"
    disable = status == GONE or "disable" in wishes
    return Outcome(
        verdict,
        reason,
        phases,
        status=status,
        retry_after=read_retry_after(headers, now),
        final=verdict == ABORTED or (disable and verdict != "delivered"),
        disable=disable,
        well=status < 500 and status != HTTPStatus.TOO_MANY_REQUESTS and phases.total_ms < SLOW_MS,
        throttle=status in THROTTLES,
        soon=status in NOT_YET,
    )


def _sentence(status: int, headers: Mapping[str, str]) -> tuple[str, str]:
    named = _named(status)
    if 200 <= status < 300:
        return "delivered", f"answered {named}"
    if 300 <= status < 400:
        to = _whither(headers.get("location", ""))
        return "redirect", f"answered {named}{to}: redirects are not followed; change the URL"
    if status == GONE:
        return "gone", f"answered {named}: nothing more is sent there"
    return "bad_status", f"answered {named}; {_ADVICE.get(status, 'a 2xx is needed')}"


_ADVICE: Mapping[int, str] = {
    400: "it did not take the body: see the reply, a 2xx is needed",
    401: "it wants credentials: let it verify our signature instead, or give the endpoint a header that it takes",
    403: "it refuses us: see whether a firewall or a bot filter stands before it, a 2xx is needed",
    404: "nothing answers at this path: see whether the URL is right and its workflow is active",
    405: "it takes no POST: change the URL to one that does",
    408: "it says that we were too slow: see what stands before it",
    413: "the body is too large for it: raise its limit",
    415: "it does not take application/json: change that there",
    429: "it asks for fewer requests: its messages wait, a rate limit of its endpoint spreads them",
    500: "its program failed: see its logs",
    502: "its program is not reached by the proxy before it: see whether it runs",
    503: "it is not available now: its messages wait",
    504: "its program did not answer the proxy in time: answer first, and work afterwards",
}


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _whither(location: str) -> str:
    """Where a redirect leads, as the log and the operator may read it: not even its path, which may be a secret as
    that of the receiver's own URL may."""
    host, path = _place(location)
    return f" to {printable(host[:HEADER_KEPT])}" if host else " to a path of the same host" if path else ""


def _place(location: str) -> tuple[str, str]:
    """Scheme and host, if they are said, and the path; without what may be a secret in any URL: its query, a user
    name, a fragment."""
    try:
        parts = urlsplit(location)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "", ""
    return urlunsplit((parts.scheme, host, "", "", "")) if host else "", parts.path


def _wishes(headers: Mapping[str, str]) -> Collection[str]:
    return {word.strip().lower() for word in headers.get("webhook-delivery", "").split(",")}


def read_retry_after(headers: Mapping[str, str], now: int) -> float | None:
    """Seconds from `Retry-After`, in either of its forms (RFC 9110 10.2.3); None if absent or unreadable."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter for years that no calendar has
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.fromtimestamp(now / 1000, UTC)).total_seconds())


def kept_headers(headers: Mapping[str, str], secrets: Collection[str] = ()) -> dict[str, str]:
    """The first of a reply's headers, shortened; what may be a secret is hidden, and so is what we sent (`secrets`)."""
    return {name[:HEADER_KEPT]: _kept(name, value, secrets) for name, value in list(headers.items())[:HEADERS_KEPT]}


def kept_body(body: bytes, secrets: Collection[str] = ()) -> str:
    """The beginning of a reply's body, as text."""
    return _without(body.decode(errors="replace"), secrets)[:REPLY_KEPT]


def secrets_in(headers: Mapping[str, str]) -> list[str]:
    """What is hidden of headers that we sent, should a reply give it back: the values, and their words (the token of a
    `Bearer token`), the longest first so that no rest of one is left."""
    found = {part for value in headers.values() for part in (value, *value.split()) if len(part) >= SECRET_LENGTH}
    return sorted(found, key=len, reverse=True)


def _kept(name: str, value: str, secrets: Collection[str]) -> str:
    if any(word in name for word in _SECRETIVE):
        return HIDDEN
    return _without("".join(_place(value)) if name == "location" else value, secrets)[:HEADER_KEPT]


def _without(text: str, secrets: Collection[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return printable(text)


def printable(text: str) -> str:
    return text.replace("\0", "\ufffd")
