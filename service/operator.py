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

    async def tell(self, kind: str, subject: str, **fields: str) -> None:
        """`subject` is what it is about: of a task its id, of an account its label. What goes on within the hour is one
        row that counts."""
        await self._store.events.note(kind, subject, self._clock(), fields)
        log.event(kind, level=logging.WARNING, subject=subject, **fields)
