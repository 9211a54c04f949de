"""When a send is looked at next, and when it is too late for that. Pure but for the jitter."""

from __future__ import annotations

from dataclasses import replace

from adapters.providers import Provider
from service.backoff import HOUR, LONGEST_LOOK, Jitter, loosely, next_look, spread
from service.tasks import TASK_EXPIRED, Placement, Verdict

LAST_CALL_MS = 300_000
"""A look falls so long before the upstream may forget a task, however slow the looks have become."""

UNHEARD_LOOKS, UNHEARD_MS = 3, 600_000
"""A task expires unheard after so many looks in a row, and so long after both the end of the upstream's memory and the
start of this process: a start without a network expires nothing at once."""

LATE_MS = 7 * 24 * 3600 * 1000
"""How long after its send an expired task is still looked at, hourly: the paid result may be there."""

UNHEARD = replace(
    TASK_EXPIRED,
    message="The provider could not be asked how the task ended before the time was over for which it knows a task.",
)


class LookTimes:
    """Of one provider; `started` is when this process began to look. Pauses are in seconds, times in milliseconds."""

    def __init__(self, provider: Provider, started: int, jitter: Jitter) -> None:
        self._retention_ms = provider.retention_seconds * 1000
        self._started = started
        self._jitter = jitter

    def again(self, placement: Placement, pause: float, now: int) -> int | None:
        """After a look that heard something."""
        rest = spread(HOUR, self._jitter) if given_up(placement) else loosely(pause, self._jitter)
        return self._in_time(placement, now + rest, now)

    def later(self, placement: Placement, pause: float, now: int, longest: float = LONGEST_LOOK) -> int | None:
        """After one that did not: ever later."""
        longest = HOUR if given_up(placement) else longest
        return self._in_time(placement, next_look(pause, placement.misses, now, self._jitter, longest), now)

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
