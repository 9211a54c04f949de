"""When to try again. Pure but for the jitter, which is handed in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from secrets import SystemRandom

Jitter = Callable[[float, float], float]
"""A number between the two given ones."""

random_jitter: Jitter = SystemRandom().uniform

SPREAD = 0.2
HOUR = 3600.0

_HOURS = (1, 2, 5, 10, 14, 20, 24)
DELIVERY_DELAYS = (5.0, 30.0, 120.0, 600.0, 1800.0, *(hours * HOUR for hours in _HOURS))
"""Seconds before the second and each further attempt of a delivery; the first one is immediate. Together 3 days."""

HINDERED = 4
"""The step of the schedule at which a delivery that only we hold up stays."""

SOON = 2
"""So many attempts follow quickly where a receiver may only not be ready yet."""

SEND_DELAYS = (2.0, 5.0, 15.0, 30.0, 60.0)
"""Seconds before a create that was provably not accepted is sent again; the last one repeats. DashScope's throttling
ends "usually within one minute"."""

LONGEST_LOOK = 1800.0
"""Between two looks at a task of which nothing is heard."""

FIRST_DOUBT, LONGEST_DOUBT = 5_000, 60_000
"""Milliseconds until an upstream is first asked for a task whose answer was lost, and between later times at most."""


def spread(seconds: float, jitter: Jitter) -> int:
    """Milliseconds around `seconds`, so that many that failed together do not return together."""
    return int(seconds * jitter(1 - SPREAD, 1 + SPREAD) * 1000)


def next_delivery(
    tries: int,
    now: int,
    retry_after: float | None,
    jitter: Jitter,
    schedule: Sequence[float] = DELIVERY_DELAYS,
    *,
    soon: bool = False,
) -> int | None:
    """When the attempt after `tries` failed ones is due; None when the schedule is exhausted. A receiver's Retry-After
    moves it later, by at most an hour or the step itself, whichever is more; `soon` makes the first steps short."""
    if tries > len(schedule):
        return None
    step = schedule[tries - 1]
    if soon and tries <= SOON:
        step = min(step, DELIVERY_DELAYS[tries - 1])
    asked = min(retry_after or 0.0, max(step, HOUR))
    return now + max(spread(step, jitter), int(asked * 1000))


def next_hindered(times: int, now: int, jitter: Jitter) -> int:
    """When a message is tried again that could not be sent for the `times`-th time, through no fault of its receiver's:
    soon at first, and for ever, since an operator mends it in the end."""
    return now + spread(DELIVERY_DELAYS[min(times, HINDERED) - 1], jitter)


def next_send(sends: int, now: int, retry_after: float | None, jitter: Jitter) -> int:
    step = SEND_DELAYS[min(sends, len(SEND_DELAYS)) - 1]
    return now + max(spread(step, jitter), int(min(retry_after or 0.0, HOUR) * 1000))


def next_look(every: float, misses: int, now: int, jitter: Jitter, longest: float = LONGEST_LOOK) -> int:
    """After `misses` looks in a row that heard nothing the pause doubles, up to `longest`: it is about as long as the
    trouble has lasted."""
    return now + spread(min(every * 2.0 ** min(misses, 16), max(every, longest)), jitter)


def next_doubt(lost_at: int, now: int) -> int:
    """When a list is read (again) for a send whose answer was given up at `lost_at`: after 5, 10, 20, 40 seconds, then
    each minute."""
    return now + min(max(now - lost_at, FIRST_DOUBT), LONGEST_DOUBT)
