"""What is deleted for its age: bodies, attempts, tasks, replaced secrets. A round every hour, in small batches with a
pause after each, so that nobody waits for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from service.clock import Clock
from service.logs import get_logger
from service.settings import Settings
from service.store import Store
from service.store.lookups import Place

log = get_logger("retention")
DAY_MS = 24 * 3600 * 1000
ROUND_MS, PAUSE_MS, LEASE_MS = 3600 * 1000, 500, 60_000
ROWS_AT_ONCE, TASKS_AT_ONCE, PAGES_AT_ONCE = 500, 50, 1000
BEGINNING: Place = (-1, "")


class Step(StrEnum):
    """In the order of a round."""

    BODIES = "bodies"
    ATTEMPTS = "attempts"
    TASKS = "tasks"
    SECRETS = "secrets"
    SPACE = "pages"


class Retention:
    """A queue that holds at most one item: the next step of the round."""

    def __init__(self, store: Store, clock: Clock, settings: Settings) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._step = Step.BODIES
        self._due_at = clock() + PAUSE_MS
        self._after = BEGINNING
        self._counts: Counter[Step] = Counter()

    async def claim(self, room: int) -> Sequence[Step]:
        now = self._clock()
        if now < self._due_at:
            return []
        self._due_at = now + LEASE_MS
        return [self._step]

    async def next_due(self) -> int | None:
        return self._due_at

    async def handle(self, item: Step) -> None:
        count, more = await self._do(item)
        self._counts[item] += count
        self._due_at = self._clock() + PAUSE_MS
        if not more:
            self._next(item)

    async def _do(self, step: Step) -> tuple[int, bool]:
        """How much was deleted, and whether there may be more."""
        retention, keep = self._store.retention, self._settings
        match step:
            case Step.BODIES if keep.keep_bodies_days:
                count = await retention.prune_bodies(self._before(keep.keep_bodies_days), ROWS_AT_ONCE)
                return count, count >= ROWS_AT_ONCE
            case Step.ATTEMPTS if keep.keep_attempts_days:
                count = await retention.prune_attempts(self._before(keep.keep_attempts_days), ROWS_AT_ONCE)
                return count, count >= ROWS_AT_ONCE
            case Step.TASKS if keep.keep_tasks_days:
                return await self._forget(self._before(keep.keep_tasks_days))
            case Step.SECRETS:
                return await self._store.secrets.erase(self._clock()), False
            case Step.SPACE if any(self._counts.values()):
                count = await retention.tidy(PAGES_AT_ONCE)
                return count, count >= PAGES_AT_ONCE
            case _:
                return 0, False

    async def _forget(self, before: int) -> tuple[int, bool]:
        found = await self._store.retention.ended(before, self._after, TASKS_AT_ONCE)
        if found:
            self._after = found[-1]
        return await self._store.retention.forget([task for _, task in found]), len(found) == TASKS_AT_ONCE

    def _before(self, days: int) -> int:
        return self._clock() - days * DAY_MS

    def _next(self, step: Step) -> None:
        steps = list(Step)
        if step is not steps[-1]:
            self._step = steps[steps.index(step) + 1]
            return
        if any(self._counts.values()):
            log.event("retention.pruned", **{each: self._counts[each] for each in Step})
        self._step, self._after, self._counts = steps[0], BEGINNING, Counter()
        self._due_at = self._clock() + ROUND_MS
