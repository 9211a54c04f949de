"""The pace of one upstream account: one token bucket that everything draws from that asks it how tasks are."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

from service.clock import Clock

SAVED_MS = 110.0
"""How much is saved up at most (but always one query): 18 a second and this make no more than 20 in any second, which
is what DashScope allows (wire notes 3.3)."""

LONGEST_REST_MS = 300_000
SLOWEST = 32.0
RECOVERY_MS = 20_000
"""After a 429 an account is asked half as often, after further ones ever more slowly, at most `SLOWEST` times; every
`RECOVERY_MS` without one doubles its pace. DashScope's throttling ends "usually within one minute" (wire notes 3.6)."""

LONGEST_WAIT_MS = 5_000
"""How long a question that somebody waits for may wait for its turn."""

Sleep = Callable[[float], Awaitable[None]]


class Bucket:
    """`rate` queries a second, and what `saved` milliseconds of it make at once. Times are milliseconds."""

    def __init__(self, rate: float, now: int, saved: float = SAVED_MS) -> None:
        self._interval = 1000.0 / rate
        self._saved = saved
        self._free_at = float(now)  # when the next token would be there with an empty purse
        self._slowness, self._slowed_at, self._rests_until = 1.0, now, now

    def room(self, now: int) -> int:
        """How many queries may be made right now."""
        interval = self._interval_at(now)
        saved = min(now - self._free_at, self._most_saved(interval))
        return 0 if saved < 0 else int(saved // interval) + 1

    def take(self, count: int, now: int) -> None:
        interval = self._interval_at(now)
        self._free_at = max(self._free_at, now - self._most_saved(interval)) + count * interval

    def reserve(self, count: int, now: int) -> int:
        """Takes `count` queries and says when all of them may be made."""
        self.take(count, now)
        last = self._free_at - self._interval_at(now)
        return now if last <= now else int(last) + 1

    def pause(self, until: int) -> None:
        """Nothing before `until`."""
        self._free_at = max(self._free_at, float(until))

    def slow(self, now: int, retry_after: float | None = None) -> None:
        """The upstream said that it was too many. Of several that say so at once only the first one slows, because all
        of them were asked at the old pace; the longest `retry_after` (seconds) counts."""
        if now >= self._rests_until:
            self._slowness, self._slowed_at = min(self._slowness_at(now) * 2.0, SLOWEST), now
        rest = min(max(retry_after or 0.0, self._slowness) * 1000.0, LONGEST_REST_MS)
        self._rests_until = max(self._rests_until, now + int(rest))
        self.pause(self._rests_until)

    @property
    def free_at(self) -> int:
        """When the next query may be made, rounded up."""
        return int(self._free_at) + 1

    def _slowness_at(self, now: int) -> float:
        return max(1.0, self._slowness * math.exp2((self._slowed_at - now) / RECOVERY_MS))

    def _interval_at(self, now: int) -> float:
        return self._interval * self._slowness_at(now)

    def _most_saved(self, interval: float) -> float:
        return max(self._saved - interval, 0.0)


class TooBusy(Exception):
    """A question's turn would not come soon; `seconds` until it would."""

    def __init__(self, seconds: float) -> None:
        super().__init__("the provider is asked as often as it allows")
        self.seconds = seconds


class Turns:
    """For questions that somebody waits for: each gets its turn in its account's pace. `sleep` waits, in seconds."""

    def __init__(self, clock: Clock, sleep: Sleep = asyncio.sleep) -> None:
        self._clock = clock
        self.sleep = sleep

    async def take(self, bucket: Bucket) -> None:
        """Returns when the question may be asked. Raises `TooBusy` at once if that would not be soon."""
        now = self._clock()
        wait = 0 if bucket.room(now) else bucket.free_at - now
        if wait > LONGEST_WAIT_MS:
            raise TooBusy(wait / 1000)
        bucket.take(1, now)
        if wait > 0:
            await self.sleep(wait / 1000)
