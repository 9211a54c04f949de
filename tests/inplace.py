"""SQLite without threads and without waiting for the disk: for worlds whose clock is turned thousands of times. What a
statement would cost with many rows is looked at instead (`plans`).

The file, the statements and the transactions are the real ones. That writes share a commit, and are on disk before they
are acknowledged, is proven of the real engine, in `tests/service/test_store_sqlite.py`; that they outlive the process,
in `tests/torture`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TypeVar

from service.store.engine import Verb
from service.store.sqlite import SqliteEngine
from tests.plans import Planned

T = TypeVar("T")


class InPlaceEngine(SqliteEngine):
    """Each verb is a transaction of its own, run by who asks for it; before it, all others may go on, as ever."""

    transaction = Planned

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._connection.execute("PRAGMA synchronous=OFF")

    async def _write(self, verb: Verb[T], *, alone: bool = False) -> T:
        if self._closed:
            raise RuntimeError("the store is closed")
        await asyncio.sleep(0)
        transaction = self.transaction(self._connection)
        if alone:
            return verb(transaction)
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            result = verb(transaction)
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        return result

    async def read(self, verb: Verb[T]) -> T:
        await asyncio.sleep(0)
        return self._read(verb)
