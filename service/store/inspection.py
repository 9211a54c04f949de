"""Looking at a database file without changing it, also while a server works on it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import sqlite_utils
from sqlite_utils.migrations import Migrations

from service.store.schema import STEPS

PATIENCE_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Inspection:
    """`pending` are the schema's steps that the next server takes, `unknown` those of a newer Ringback."""

    pending: tuple[str, ...]
    unknown: tuple[str, ...]
    has_keys: bool


def inspect(path: Path) -> Inspection:
    """Of a file that is there. Raises `OSError` where it cannot be written to, or is no database."""
    address = f"{path.absolute().as_uri()}?mode=rw"
    try:
        connection = sqlite3.connect(address, uri=True, timeout=PATIENCE_SECONDS, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")  # proves that it can be written to
            found = _inspected(connection)
            connection.execute("ROLLBACK")
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise OSError(str(error)) from error
    return found


def noticed_by(path: Path, provider: str, since: int) -> Counter[str]:
    """How many ends of a provider's tasks each detector noticed since then. Empty where the file cannot be read, or is
    of another version."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=PATIENCE_SECONDS)
        try:
            sql = "SELECT detector, count(*) FROM tasks WHERE provider = ? AND finished_at >= ? GROUP BY detector"
            return Counter({name: count for name, count in connection.execute(sql, (provider, since)) if name})
        finally:
            connection.close()
    except sqlite3.Error:
        return Counter()


def _inspected(connection: sqlite3.Connection) -> Inspection:
    database = sqlite_utils.Database(connection, execute_plugins=False)
    applied = [step.name for step in Migrations("ringback").applied(database)]
    keys = bool(applied) and connection.execute("SELECT 1 FROM keys WHERE revoked_at IS NULL").fetchone() is not None
    return Inspection(
        pending=tuple(name for name in STEPS if name not in applied),
        unknown=tuple(name for name in applied if name not in STEPS),
        has_keys=keys,
    )
