"""How many attempts at receivers that are ill begin a second, whatever waits for them.

As fast as their half of the slots gets free when nobody answers. Faster is a wave, which ends as one a deadline later:
hundreds that time out and are recorded at once, before those that are well. Some begin together, since each look at the
queue and each claim costs those that are well as much as an attempt does.
"""

from __future__ import annotations

from service.accounts.pacing import Bucket

TOGETHER = 4


class Pace:
    """`slots` are theirs, an attempt that nobody answers ends after `deadline_seconds`."""

    def __init__(self, slots: int, deadline_seconds: float, now: int) -> None:
        rate = slots / deadline_seconds
        saved = 2 * TOGETHER * 1000.0 / rate
        self._each = 1000.0 / rate
        self._bucket = Bucket(rate, now - int(saved), saved)

    def room(self, now: int) -> int:
        room = self._bucket.room(now)
        return room if room >= TOGETHER else 0

    def take(self, attempts: int, now: int) -> None:
        self._bucket.take(attempts, now)

    @property
    def next_at(self) -> int:
        """When there is room, in milliseconds."""
        return self._bucket.free_at + int(self._each * (TOGETHER - 1)) + 1
