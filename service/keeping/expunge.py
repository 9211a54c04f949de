"""Expunging a task: what it was about is taken out of the database and off the disk, at once."""

from __future__ import annotations

from adapters.messages import Category
from service.clock import Clock
from service.errors import refused
from service.logs import get_logger
from service.store import Store

log = get_logger("expunge")


class Expunger:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def expunge(self, task: str, client: str | None) -> int:
        """A task of this client (None: of any). Returns when that was. Raises `Refused` (404, 409): a task that has not
        ended may yet bring a video that is paid for."""
        now = self._clock()
        found = await self._store.expunging.expunge(task, client, now)
        if found is None:
            raise refused(404, Category.NOT_FOUND, "There is no such task.", "not_found")
        if not found.ended:
            text = f"The task is {found.state}, so nothing was expunged. Cancel it first, or wait for its end."
            raise refused(409, Category.CONFLICT, text, "not_ended")
        clean = await self._store.expunging.scrub()
        log.event("task.expunged", task=task, off_disk=clean)
        return now
