"""A lane is the line in which messages for one receiver wait: an endpoint's, or one client's for a host.

Whatever a receiver does, it does to its own lane. What is known of it lives in the lane's row and survives a restart;
how many attempts it may have open at once is found out anew (service.telling.windows). Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from service.backoff import HOUR, Jitter, spread
from service.domain.deliveries import Delivery, Sealed

DAY_MS = 86_400_000
FOREVER = 2**62
"""A lane that is paused until then is only opened by a person."""

TRIES = 5
"""So many failures in a row open the circuit."""
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 600.0
"""Seconds that an open circuit waits for its next probe; doubled by each one that fails. No longer than the schedule's
step at that point, so a lane with one message is tried as its schedule says."""
THROTTLE = 5.0
"""Seconds that a receiver rests after its first 429, 502, 503 or 504; doubled by each further failure."""

WARN_MS, GIVE_UP_MS = DAY_MS, 5 * DAY_MS
"""A lane in which nothing but failures happened for so long is told of, and is given up. Its latest failures must be
`ENOUGH`: a single message that was refused last week proves nothing."""
ENOUGH = 10


class Standing(StrEnum):
    """How a lane's receiver answers: what it may cost at most goes by that."""

    NEW = "new"  # it has never answered
    WELL = "well"  # it answers, and soon; whatever it says
    ILL = "ill"  # not at all, too late, or that it cannot


class Pause(StrEnum):
    """Why a lane is closed for the time being."""

    THROTTLED = "throttled"  # the receiver asked for it: 429, 502, 503, 504
    OPEN = "open"  # the circuit: failures in a row
    DISABLED = "disabled"  # its endpoint is


@dataclass(frozen=True, slots=True)
class Lane:
    """`next_at` is since when it waits to be served, or when it may be next; None: nothing waits in it. `failures` are
    those in a row since `failing_since`; `warned_at` is when somebody was told of them. While it is paused nothing is
    attempted, whatever is due. `per_second` and `at_once` are the attempts that its endpoint wants at most (None: no
    limit but ours)."""

    id: str
    receiver: str
    standing: Standing = Standing.NEW
    next_at: int | None = None
    failures: int = 0
    failing_since: int | None = None
    succeeded_at: int | None = None
    paused_until: int | None = None
    pause: Pause | None = None
    warned_at: int | None = None
    per_second: float | None = None
    at_once: int | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One message that was taken out to be attempted, with its lane and what says how it is sent as they were then
    (`sealed` None: its endpoint was deleted). `at_once`: it was taken out when its task ended, past the line, so nobody
    has asked yet whether there is room."""

    lane: Lane
    delivery: Delivery
    sealed: Sealed | None
    at_once: bool = False


def failed(
    lane: Lane, now: int, jitter: Jitter, *, well: bool | None, throttle: bool = False, retry_after: float | None = None
) -> Lane:
    """The lane after the failure that is its `failures`th in a row. `well`: what the failure says of the receiver
    beyond a no to this one message, None nothing; `throttle`: it asked for less."""
    if well is not None:
        lane = replace(lane, standing=Standing.WELL if well else Standing.ILL)
    if lane.pause is Pause.DISABLED:
        return lane
    rests = []
    if throttle:
        seconds = max(min(retry_after or 0.0, HOUR), _doubled(THROTTLE, lane.failures - 1))
        rests.append((now + int(seconds * 1000), Pause.THROTTLED))
    if well is False and lane.failures >= TRIES:
        rests.append((now + spread(_doubled(FIRST_PAUSE, lane.failures - TRIES), jitter), Pause.OPEN))
    until, pause = max(rests, default=(0, None))
    return replace(lane, paused_until=until, pause=pause) if until > (lane.paused_until or 0) else lane


def hopeless(lane: Lane, now: int) -> bool:
    """Whether nothing but failures happened for days."""
    return lane.failing_since is not None and now - lane.failing_since >= GIVE_UP_MS and lane.failures >= ENOUGH


def worrying(lane: Lane, now: int) -> bool:
    """Whether somebody should be told that nothing but failures happens (again a day later)."""
    since = lane.failing_since
    return since is not None and now - max(since, lane.warned_at or 0) >= WARN_MS


def _doubled(seconds: float, times: int) -> float:
    return min(seconds * 2.0 ** min(times, 16), LONGEST_PAUSE)
