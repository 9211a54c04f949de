"""The vendors' rate limits, for simulators that are told to have them."""

from __future__ import annotations

from collections import defaultdict, deque


class Pace:
    """At most `most` requests of one account in any one second."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: defaultdict[str, deque[float]] = defaultdict(deque)

    def exceeded(self, account: str, now: float) -> bool:
        """Whether one more request at `now` is too many; if not, it is counted."""
        taken = self._taken[account]
        while taken and taken[0] <= now - 1.0:
            taken.popleft()
        if len(taken) >= self._most:
            return True
        taken.append(now)
        return False
