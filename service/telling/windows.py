"""How many attempts may be open at once: to one lane, to one host, to all that are new or ill, and altogether.

Kept in memory. A lane begins with one attempt; each good answer allows one more, so their number doubles with every
round, and what says that a receiver is unwell brings it back to one. So a receiver that comes round is not run over by
all that has waited, and one that is down holds one slot at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.domain.lanes import Lane, Standing, Turn
from service.store import Grant

SHARE, HOST_SHARE = 16, 64
"""Attempts to one lane, and to all lanes of one host and port; those that are new or ill get half of the latter, lest
one client's dead receivers keep others' from a host that they share."""

BATCH, DOUBTFUL_BATCH = 64, 8
"""Lanes that one claim serves at most: those that are well, and those that are new or ill. To begin an attempt takes a
millisecond or two, for which whoever is well would wait."""

REMEMBERED = 10_000
"""Lanes whose width is kept while nothing is open to them."""


@dataclass(slots=True)
class _Window:
    """`width` attempts may be open, `open` are; of a lane with a pace, `paid_until` is when its latest attempts are
    paid for. `asked`: a message was turned away because so many are open."""

    width: int = 1
    open: int = 0
    paid_until: int = 0
    asked: bool = False


NONE = _Window()


class _Hosts:
    """The attempts that are open by host, at most `most` to each; `full` are the hosts that have so many."""

    def __init__(self, most: int) -> None:
        self.full: set[str] = set()
        self._most = most
        self._open: Counter[str] = Counter()

    def left(self, host: str) -> int:
        return self._most - self._open[host]

    def add(self, host: str, attempts: int) -> None:
        self._open[host] += attempts
        if not self._open[host]:
            del self._open[host]
        (self.full.add if self.left(host) <= 0 else self.full.discard)(host)


class Windows:
    """`slots` are all attempts that may be open. Lanes that are new leave the last sixteenth of them to those that are
    well, lanes that are ill the second half. An attempt ends within `lease_ms`."""

    def __init__(self, slots: int, lease_ms: int) -> None:
        self._slots = slots
        self._lease_ms = lease_ms
        self._lanes: dict[str, _Window] = {}
        self._hosts = _Hosts(HOST_SHARE)
        self._doubtful = _Hosts(HOST_SHARE // 2)
        self._standings: Counter[Standing] = Counter()

    def room(self, free: int) -> Mapping[Standing, int]:
        """How many lanes of each standing may be served, when so many slots are free; those without room are left
        out."""
        ill = self._standings[Standing.ILL]
        doubtful = ill + self._standings[Standing.NEW]
        shares = {
            Standing.WELL: free,
            Standing.NEW: min(free, self._slots - self._slots // 16 - doubtful),
            Standing.ILL: min(free, self._slots // 2 - ill),
        }
        most = {Standing.WELL: BATCH}
        return {name: min(share, most.get(name, DOUBTFUL_BATCH)) for name, share in shares.items() if share > 0}

    def full_hosts(self) -> Mapping[Standing, list[str]]:
        """The hosts that get no further attempts by lanes of each standing."""
        full, doubtful = sorted(self._hosts.full), sorted(self._hosts.full | self._doubtful.full)
        return {Standing.WELL: full, Standing.NEW: doubtful, Standing.ILL: doubtful}

    def crowded(self, host: str) -> bool:
        """Whether lanes may wait for an attempt there to end."""
        return host in self._hosts.full or host in self._doubtful.full

    def open(self, lanes: Sequence[Lane], free: int, now: int) -> list[Grant]:
        """What may be taken out of these lanes, in their order; so many attempts count as open from now on."""
        granted = []
        for lane in lanes:
            count, again_at = self._wanted(lane, now)
            left = min(free, self._left(lane))
            if left < count:
                count, again_at = left, now
            if count:
                self._count(lane, count)
                self._pay(lane, count, now)
            granted.append(Grant(lane.id, count, again_at))
            free -= count
        return granted

    def opened(self, lane: Lane, now: int) -> bool:
        """Whether a message that was taken out past the line has room; then it counts as open."""
        [grant] = self.open([lane], min(self._slots - self._standings.total(), 1), now)
        return grant.count > 0

    def unused(self, lane: Lane, count: int) -> None:
        """So many of the attempts that were open to a lane are not made."""
        self._count(lane, -count)
        self._pay(lane, -count, 0)
        self._forget(lane.id)

    def closed(self, turn: Turn, *, well: bool | None) -> bool:
        """An attempt has ended; how the receiver is may stay unknown. Whether its lane had no room for another."""
        lane = turn.lane
        window = self._lanes[lane.id]
        full = window.asked or window.open >= min(window.width, lane.at_once or SHARE)
        window.asked = False
        if well is not None:
            window.width = min(window.width + 1, SHARE) if well else 1
        self._count(lane, -1)
        self._forget(lane.id)
        return full

    def _pay(self, lane: Lane, attempts: int, now: int) -> None:
        if lane.per_second:
            window = self._lanes[lane.id]
            window.paid_until = max(window.paid_until, now) + round(attempts * 1000 / lane.per_second)

    def _left(self, lane: Lane) -> int:
        """How many more attempts the host of a lane may have by it."""
        left = self._hosts.left(lane.receiver)
        return left if lane.standing is Standing.WELL else min(left, self._doubtful.left(lane.receiver))

    def _count(self, lane: Lane, attempts: int) -> None:
        self._lanes.setdefault(lane.id, _Window()).open += attempts
        self._standings[lane.standing] += attempts
        self._hosts.add(lane.receiver, attempts)
        if lane.standing is not Standing.WELL:
            self._doubtful.add(lane.receiver, attempts)

    def _wanted(self, lane: Lane, now: int) -> tuple[int, int]:
        """How many attempts may begin, and when to ask again if that is not enough."""
        window = self._lanes.get(lane.id, NONE)
        wide = max(min(window.width, lane.at_once or SHARE) - window.open, 0)
        if not wide:  # it may have been more when those that are open began
            window.asked = True
        if not lane.per_second:
            return wide, now + self._lease_ms  # an attempt that ends makes it earlier
        each = 1000 / lane.per_second
        ahead = max(window.paid_until - now, 0)
        paced = int((max(each, 1000.0) - ahead) / each)  # a second's worth may begin at once
        if paced >= wide:
            return wide, now + self._lease_ms
        return max(paced, 0), now + round(max(ahead + each - max(each, 1000.0), 1.0))

    def _forget(self, lane: str) -> None:
        if self._lanes[lane] == NONE:
            del self._lanes[lane]
        elif len(self._lanes) > REMEMBERED:
            self._lanes = {name: window for name, window in self._lanes.items() if window.open}
