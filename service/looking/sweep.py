"""Many tasks at one glance: the list of what still runs at an account. What is missing there has ended, and is looked
at singly, now. A list is a hint as a callback is: it says when to look, never how a video went.

The vendor's list is newest first and has no results. So the running tasks are listed, page by page, as often as the
account's pace allows; those too young to be done (by what was learned of such videos) only now and then, for what
fails early.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from adapters.base import ListAdapter
from adapters.messages import Listing, Page, State, Unsupported
from service.accounts.learning import Learned
from service.accounts.upstream import Declined, Unheard, Upstream
from service.clock import Clock
from service.logs import get_logger
from service.store import Store
from service.store.placements import Watched

log = get_logger("sweep")
FEWEST = 3
"""Fewer tasks are looked at singly: that costs no more."""

EVERY_MS = 1_000
WHOLE_EVERY_MS = 5_000
IDLE_MS = 2_000
OFF_MS = 300_000
"""How long an account whose list cannot be read is looked at singly."""

PROBE_MS = 3600_000
LAG_MS = 5_000
"""A new task may not be listed yet, and the clocks differ a little."""

SKEW_MS = 60_000
RUNNING, QUEUED = State.RUNNING, State.QUEUED
EARLIEST = 0.01


@dataclass(frozen=True, slots=True)
class Leaf:
    """One page to read."""

    state: State
    number: int


@dataclass(slots=True)
class Sweep:
    """One pass over the list. `judged` are the tasks that must be in it if they have not ended."""

    judged: Sequence[Watched]
    begun_at: int
    since: int
    until: int
    size: int
    whole: bool
    left: list[Leaf]
    open: int = 0
    seen: dict[str, State] = field(default_factory=dict)
    broken: bool = False

    def take(self, room: int) -> list[Leaf]:
        taken, self.left = self.left[:room], self.left[room:]
        self.open += len(taken)
        return taken

    def listing(self, leaf: Leaf) -> Listing:
        return Listing(leaf.number * self.size, self.size, leaf.state, since=self.since, until=self.until)

    def heard(self, leaf: Leaf, page: Page) -> None:
        """After the first page the last one is next: what ends meanwhile moves others up, to pages that are still to be
        read (but for one to the first page, which is then looked at in vain). In the other direction they would be
        missed."""
        self.seen.update({report.task_id: report.state for report in page.reports})
        if leaf.number == 0:
            self.left += [Leaf(leaf.state, number) for number in range(-(-page.total // self.size) - 1, 0, -1)]

    def give_up(self) -> None:
        self.broken, self.left = True, []

    @property
    def done(self) -> bool:
        return not self.left and not self.open


class SweepQueue:
    """The list of one account, page by page."""

    def __init__(self, upstream: Upstream, store: Store, learned: Learned, clock: Clock) -> None:
        self._learned = learned
        self._upstream = upstream
        self._store = store
        self._clock = clock
        self._sweep: Sweep | None = None
        self._next_at = 0
        self._whole_at = 0
        self._probe_at = 0
        self._size = 0
        self._failures = 0
        self._waiting: frozenset[str] = frozenset()

    async def claim(self, room: int) -> Sequence[Leaf]:
        now = self._clock()
        pages = min(room, self._upstream.bucket.room(now))
        if not pages:
            return ()
        if self._sweep is None and now >= self._next_at:
            self._next_at = now + IDLE_MS
            self._sweep = await self._begin(now)
        if self._sweep is None or not self._sweep.left:
            return ()
        leaves = self._sweep.take(pages)
        self._upstream.bucket.take(len(leaves), now)
        return leaves

    async def next_due(self) -> int | None:
        free_at = self._upstream.bucket.free_at
        if self._sweep is None:
            return max(self._next_at, free_at)
        return free_at if self._sweep.left else None

    async def handle(self, item: Leaf) -> None:
        sweep = self._sweep
        assert sweep is not None, "a page belongs to the sweep under way"
        try:
            page = await self._upstream.list(sweep.listing(item))
        except (Unheard, Unsupported) as error:
            if not sweep.broken:
                self._failed(sweep, error)
        else:
            self._heard(sweep, item, page)
        finally:
            sweep.open -= 1
        if sweep.done:
            self._sweep = None
            await (self._broke(sweep) if sweep.broken else self._conclude(sweep))

    async def _begin(self, now: int) -> Sweep | None:
        watched = await self._store.placements.watched(self._upstream.name, self._upstream.holds)
        if len(watched) < FEWEST:
            await self._leave(watched)
            return None
        whole = now >= self._whole_at
        young = 0.0 if whole else 1000 * (await self._learned.of_all(self._upstream.name)).quantile(EARLIEST)
        until = now - max(int(young), LAG_MS)
        judged = [each for each in watched if each.sent_at < until]
        if not judged:
            return None
        if whole:
            self._whole_at = now + WHOLE_EVERY_MS
        first = min(each.sent_at for each in judged) - SKEW_MS
        states = (RUNNING, QUEUED) if whole else (RUNNING,)
        leaves = [Leaf(state, 0) for state in states]
        return Sweep(judged, now, first, until + LAG_MS, self._page_size(now), whole, leaves)

    def _page_size(self, now: int) -> int:
        """The largest that the account's list is known to give; asked anew once an hour."""
        assert isinstance(self._upstream.adapter, ListAdapter)
        if now >= self._probe_at:
            self._size, self._probe_at = self._upstream.adapter.largest_page, now + PROBE_MS
        return self._size

    def _heard(self, sweep: Sweep, leaf: Leaf, page: Page) -> None:
        if sweep.broken:
            return
        if page.limit < sweep.size and page.total > len(page.reports):
            self._size = page.limit  # it gives less than was asked for, and numbers its pages so
            self._next_at = self._clock()
            sweep.give_up()
            log.event("sweep.smaller_pages", account=self._upstream.label, size=page.limit)
        else:
            sweep.heard(leaf, page)

    def _failed(self, sweep: Sweep, error: Unheard | Unsupported) -> None:
        """Trouble is waited out, ever longer; a list that cannot be asked so is asked for smaller pages, then not."""
        assert isinstance(self._upstream.adapter, ListAdapter)
        sweep.give_up()
        self._failures += 1
        pause, usual = min(EVERY_MS * 2 ** min(self._failures, 16), OFF_MS), self._upstream.adapter.usual_page
        if isinstance(error, Declined | Unsupported):
            pause = EVERY_MS if self._size > usual else OFF_MS
            self._size = usual
        self._next_at = max(self._clock() + pause, self._upstream.bucket.free_at)
        log.event("sweep.unheard", account=self._upstream.label, reason=str(error))

    async def _broke(self, sweep: Sweep) -> None:
        """What the list cannot say for a while is looked at singly."""
        if not self._upstream.is_swept(self._next_at):
            await self._leave(sweep.judged)

    async def _leave(self, watched: Sequence[Watched]) -> None:
        """Single looks take over, of what they had left to the list too."""
        if self._upstream.swept_at:
            self._upstream.swept_at = 0
            await self._store.placements.hint([each.id for each in watched], None, self._clock())

    async def _conclude(self, sweep: Sweep) -> None:
        now = self._clock()
        if sweep.whole:
            self._waiting = frozenset(each for each, state in sweep.seen.items() if state is QUEUED)
        here = sweep.seen.keys() | self._waiting
        gone = [each.id for each in sweep.judged if each.upstream_id not in here]
        if gone:
            await self._store.placements.hint(gone, "list", now)
        self._failures = 0
        self._upstream.swept_at = now
        self._next_at = max(now, sweep.begun_at + EVERY_MS)
