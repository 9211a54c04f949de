"""Telling the operator: what needs a person, as a row and as a log line."""

from __future__ import annotations

import logging

from service.clock import Clock
from service.logs import get_logger
from service.store import Store

log = get_logger("operator")


class Operator:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def tell(self, kind: str, subject: str, *, since: int | None = None, **fields: str) -> None:
        """`subject` is what it is about: of a task its id, of an account its label. What goes on within the hour (or
        `since`) is one row that counts."""
        begun = await self._store.events.note(kind, subject, self._clock(), fields, since)
        if begun or since is None:
            log.event(kind, level=logging.WARNING, subject=subject, **fields)
