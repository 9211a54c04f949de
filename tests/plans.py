"""What statements would cost if there were many rows: tests have a few, and everything is quick.

Of each statement that the store makes SQLite is asked for its plan. None may walk through all of a table that grows
with every task, and none may look for a minimum by reading on until it comes, as it does where an index on an
expression is compared with a column instead of a value.
"""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from service.store.engine import Row
from service.store.sqlite import SqliteTransaction

GROWING = "tasks|placements|subscriptions|deliveries|attempts|callbacks|events|charges|quotes|replay_items"
WALK = re.compile(rf"SCAN ({GROWING})|SEARCH ({GROWING}) USING (COVERING )?INDEX \w+")
"""The whole of a step: one that is led by an index names its columns behind that."""

FIRST = "SEARCH placements USING COVERING INDEX placements_doubt"
"""The first entry of an index that is in the order asked for."""

_judged: set[str] = set()


class Planned(SqliteTransaction):
    """Fails a statement of the store that walks; those of tests may."""

    def all(self, sql: str, **values: Any) -> Sequence[Row]:
        judge(self._connection, sql, values)
        return super().all(sql, **values)

    def run(self, sql: str, **values: Any) -> int:
        judge(self._connection, sql, values)
        return super().run(sql, **values)


def judge(connection: sqlite3.Connection, sql: str, values: Mapping[str, Any]) -> None:
    if sql in _judged or not _asked_by_the_store():
        return
    _judged.add(sql)
    steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    walks = [step for step in steps if WALK.fullmatch(step) and step != FIRST]
    assert not walks, f"{walks}: {sql}"


def _asked_by_the_store() -> bool:
    """Whether the nearest caller that is neither this file nor the engine is a verb of the product."""
    frame = sys._getframe(1)
    while frame.f_globals["__name__"] in (__name__, SqliteTransaction.__module__):
        assert frame.f_back is not None
        frame = frame.f_back
    return bool(frame.f_globals["__name__"].startswith("service."))
