"""When a send is looked at next, and when it is too late for that. Pure but for the jitter."""

from __future__ import annotations

from dataclasses import replace

from adapters.providers import Provider
from service.backoff import HOUR, LONGEST_LOOK, Jitter, next_look, spread
from service.domain.completion import Completion, next_glance
from service.domain.tasks import TASK_EXPIRED, Placement, Verdict

LAST_CALL_MS = 300_000
"""A look falls so long before the upstream may forget a task, however slow the looks have become."""

UNHEARD_LOOKS, UNHEARD_MS = 3, 600_000
"""A task expires unheard after so many looks in a row, and so long after both the end of the upstream's memory and the
start of this process: a start without a network expires nothing at once."""

LISTED_SECONDS = 300.0
"""Between looks at what the account's list says still runs."""

LATE_MS = 7 * 24 * 3600 * 1000
"""How long after its send an expired task is still looked at, hourly: the paid result may be there."""

UNHEARD = replace(
    TASK_EXPIRED,
    message="The provider could not be asked how the task ended before the time was over for which it knows a task.",
)


def look_pause(
    provider: Provider,
    every: float,
    known: Completion | None,
    elapsed: float,
    *,
    promised: bool = False,
    listed: bool = False,
) -> float:
    """Seconds from one look at a task to the next, `elapsed` after its send; with 0.0 to the first one. `every` is the
    account's usual pause, `known` how long such videos take (None: not known). `promised`: its upstream will call back;
    `listed`: a list tells of its end. For these looks are only the net below: what fails early is told without them."""
    if listed:
        return LISTED_SECONDS
    first = 0.0 if promised else min(provider.first_look_seconds, every)
    if elapsed < first:
        return first - elapsed
    if known is None:
        return provider.slow_look_seconds if promised else every
    return next_glance(known, elapsed, every)


class LookTimes:
    """Of one account of a provider, whose usual pause is `every`; `started` is when this process began to look. Pauses
    are in seconds, times in milliseconds."""

    def __init__(self, provider: Provider, every: float, started: int, jitter: Jitter) -> None:
        self._retention_ms = provider.retention_seconds * 1000
        self._floor_ms = int(min(provider.floor_seconds, every) * 1000)
        self._grid_ms = int(every * 1000) if provider.batch > 1 else 1
        self._started = started
        self._jitter = jitter

    def again(self, placement: Placement, pause: float, now: int) -> int | None:
        """After a look that heard something. Where one query asks for many, looks fall due together."""
        rest = spread(HOUR, self._jitter) if given_up(placement) else int(pause * 1000)
        due_at = round((now + rest) / self._grid_ms) * self._grid_ms
        return self._in_time(placement, max(due_at, now + self._floor_ms), now)

    def later(self, placement: Placement, pause: float, now: int, longest: float = LONGEST_LOOK) -> int | None:
        """After one that did not: ever later."""
        longest = HOUR if given_up(placement) else longest
        due_at = next_look(pause, placement.misses, now, self._jitter, longest)
        return self._in_time(placement, max(due_at, now + self._floor_ms), now)

    def soon(self, free_at: int, now: int) -> int:
        """After one that could not be made: when its account may be asked again."""
        return max(free_at, now + self._floor_ms)

    def rarely(self, now: int) -> int:
        return now + spread(HOUR, self._jitter)

    def forgotten(self, placement: Placement, now: int) -> bool:
        """Whether the upstream may not know it any more."""
        return now > placement.sent_at + self._retention_ms

    def unheard(self, placement: Placement, now: int) -> bool:
        """Whether another look that heard nothing is the end: the upstream cannot have been asked in time."""
        since = max(placement.sent_at + self._retention_ms, self._started)
        asked = placement.misses + 1 >= UNHEARD_LOOKS
        return placement.verdict is Verdict.ACCEPTED and asked and now - since > UNHEARD_MS

    def _in_time(self, placement: Placement, due_at: int, now: int) -> int | None:
        if given_up(placement):
            return due_at if now - placement.sent_at < LATE_MS else None
        last_call = placement.sent_at + self._retention_ms - LAST_CALL_MS
        return last_call if now < last_call < due_at else due_at


def stalled(placement: Placement) -> bool:
    """Looks at it hear nothing of it; they go on, ever more slowly. Never the task's failure."""
    return placement.verdict is Verdict.ACCEPTED and placement.misses > 0


def given_up(placement: Placement) -> bool:
    """What it still says is welcome, and not waited for."""
    return placement.verdict is Verdict.UNPROVEN
