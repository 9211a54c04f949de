"""One token bucket per upstream account, shared by everything that asks it how tasks are."""

from __future__ import annotations


class Bucket:
    """`rate` queries a second, at most one second's worth saved up (at least one). Times are milliseconds."""

    def __init__(self, rate: float, now: int) -> None:
        self._interval = 1000.0 / rate
        self._burst = max(rate, 1.0) * self._interval
        self._free_at = float(now)  # when the next token would be there with an empty purse

    def room(self, now: int) -> int:
        """How many queries may be made right now."""
        saved = min(now - self._free_at, self._burst - self._interval)
        return 0 if saved < 0 else int(saved // self._interval) + 1

    def take(self, count: int, now: int) -> None:
        self._free_at = max(self._free_at, now - self._burst + self._interval) + count * self._interval

    def reserve(self, count: int, now: int) -> int:
        """Takes `count` queries and says when all of them may be made."""
        self.take(count, now)
        last = self._free_at - self._interval
        return now if last <= now else int(last) + 1

    def pause(self, until: int) -> None:
        """No query before `until`: the upstream said that it is too many."""
        self._free_at = max(self._free_at, float(until))

    @property
    def free_at(self) -> int:
        """When the next query may be made, rounded up."""
        return int(self._free_at) + 1
