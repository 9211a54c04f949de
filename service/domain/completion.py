"""How long videos take, learned from those that are done; and when to look at one that is not. Pure.

A histogram over the logarithm of seconds: bins of a tenth more each, from one second to the three hours after which
DashScope gives a task up (wire notes 0.9). Old videos fade: providers get faster and slower. What nothing is known of
takes about a minute and a half, give or take a factor of two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

RATIO = math.log(1.1)
BINS = math.ceil(math.log(3 * 3600) / RATIO) + 1
FULL = 400.0
"""Above this many videos all counts are halved."""

PRIOR = NormalDist(math.log(90.0), 0.6)
PRIOR_WEIGHT = 4.0
SHARE = 0.07
"""The next look is due when this share of the videos that have come so far would be done."""


@dataclass(frozen=True)
class Completion:
    """`counts` are the videos seen by bin; empty where none was."""

    counts: tuple[float, ...] = ()

    def with_one(self, seconds: float) -> Completion:
        """One more video that took `seconds`."""
        counts = list(self.counts or (0.0,) * BINS)
        counts[_bin(seconds)] += 1.0
        if sum(counts) > FULL:
            counts = [round(count / 2, 3) for count in counts]
        return Completion(tuple(counts))

    @property
    def seen(self) -> float:
        return sum(self.counts)

    def quantile(self, share: float, elapsed: float = 0.0) -> float:
        """Seconds after the start by which `share` (0 to 1) of the videos are done that were not after `elapsed`. Never
        less than `elapsed`."""
        done = self._done_by(elapsed)
        wanted = done + (1.0 - done) * share
        return max(elapsed, self._when(wanted))

    @cached_property
    def soonest(self) -> float:
        """Seconds after the start before which a look is hardly worth it."""
        return self.quantile(SHARE)

    @cached_property
    def _heaped(self) -> Sequence[float]:
        """The share that is done by the end of each bin."""
        counts = self.counts or (0.0,) * BINS
        total = sum(counts) + PRIOR_WEIGHT
        heaped, sum_ = [], 0.0
        for number, count in enumerate(counts):
            sum_ += count
            heaped.append((sum_ + PRIOR_WEIGHT * PRIOR.cdf((number + 1) * RATIO)) / total)
        return heaped

    def _done_by(self, seconds: float) -> float:
        if seconds <= 1.0:
            return 0.0
        place = min(math.log(seconds) / RATIO, float(BINS))
        number = min(int(place), BINS - 1)
        before = self._heaped[number - 1] if number else 0.0
        return before + (self._heaped[number] - before) * (place - number)

    def _when(self, share: float) -> float:
        for number, heaped in enumerate(self._heaped):
            if heaped >= share:
                before = self._heaped[number - 1] if number else 0.0
                part = (share - before) / (heaped - before) if heaped > before else 1.0
                return math.exp((number + part) * RATIO)
        return math.exp(BINS * RATIO)


def next_glance(model: Completion, elapsed: float, every: float, slowest: float = 60.0) -> float:
    """Seconds until the next look at a video that was not done after `elapsed`.

    None is made before some would be done, and from then on one each time that a further share would be: never less
    than `every` apart, never more than `slowest` or a quarter of the time so far (what has outlived all that was seen
    of its kind may be done any moment), but for the long wait before the first videos are done."""
    if elapsed + every / 2 < model.soonest:
        return max(model.soonest - elapsed, every)
    return max(min(model.quantile(SHARE, elapsed) - elapsed, elapsed / 4, slowest), every)


def _bin(seconds: float) -> int:
    return min(int(math.log(max(seconds, 1.0)) / RATIO), BINS - 1)
