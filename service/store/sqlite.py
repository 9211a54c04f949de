"""SQLite: one writer thread with group commit, a few read-only connections.

Writes wait in a queue; the writer takes all that are there (up to a limit) into one transaction, each in a savepoint of
its own, and releases the answers after COMMIT. So many small writes share one fsync (synchronous=FULL: an acknowledged
write is on disk), and one failing verb does not harm its neighbours.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import sqlite_utils
from sqlite_utils.migrations import Migrations

from service.store.engine import Row, Transaction, Verb
from service.store.files import create, lock
from service.store.schema import STEPS, render
from service.store.write_back import WriteBack

T = TypeVar("T")
GROUP = 200
RESERVE = 4
"""One page of so many may be free."""

# The first one is for new files only, and must come before the log. The log is written back beside the writer; only if
# that cannot keep up, and it has 64 MB, a commit waits for it.
WRITERS = ("auto_vacuum=INCREMENTAL", "journal_mode=WAL", "secure_delete=ON", "wal_autocheckpoint=16000")
READERS = 2


class SqliteTransaction:
    skip_locked = ""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def lock(self, name: str) -> None:
        """There is only one writer."""

    def all(self, sql: str, **values: Any) -> Sequence[Row]:
        cursor = self._connection.execute(sql, values)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def one(self, sql: str, **values: Any) -> Row | None:
        rows = self.all(sql, **values)
        return rows[0] if rows else None

    def run(self, sql: str, **values: Any) -> int:
        return self._connection.execute(sql, values).rowcount

    def script(self, sql: str) -> None:
        """To its end, which `execute` does not see of a statement that works in steps without rows."""
        self._connection.executescript(sql)


@dataclass(slots=True)
class _Write:
    verb: Verb[Any]
    future: asyncio.Future[Any]
    alone: bool = False
    """Runs outside of a transaction, after those that were there before it."""

    result: Any = None
    error: BaseException | None = None

    def release(self) -> None:
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class SqliteEngine:
    """Opens and migrates the file (mode 0600). With `serve` it also holds the server's lock: raises `AlreadyServed`.
    Raises `OSError` for a file that cannot be used as a database.

    A write after `close` raises `RuntimeError`."""

    transaction: type[SqliteTransaction] = SqliteTransaction
    """What verbs are handed."""

    def __init__(self, path: Path, *, serve: bool = True) -> None:
        self._path = path
        self._lock = lock(path) if serve else None
        self._writes: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._behind: list[_Write | None] = []
        create(path)
        try:
            self._connection = connect(path)
            migrate(self._connection)
        except sqlite3.Error as error:
            raise OSError(str(error)) from error
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-read")
        self._writer = threading.Thread(target=self._serve, name="store-write", daemon=True)
        self._writer.start()
        self._write_back = WriteBack(partial(connect, path))
        self._closed = False

    async def write(self, verb: Verb[T]) -> T:
        return await self._write(verb)

    async def _write(self, verb: Verb[T], *, alone: bool = False) -> T:
        if self._closed:
            raise RuntimeError("the store is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._writes.put(_Write(verb, future, alone))
        return await future

    async def scrub(self) -> bool:
        """The log holds earlier versions of pages: it is written back and cut off. `secure_delete` has overwritten
        what was deleted in the pages themselves."""
        return await self._write(self._scrub, alone=True)

    async def tidy(self, pages: int) -> int:
        return await self._write(partial(_vacuum, pages=pages), alone=True)

    async def read(self, verb: Verb[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, verb)

    async def close(self) -> None:
        """Finishes what was queued, then closes. Closing again does nothing."""
        if self._closed:
            return
        self._closed = True
        self._writes.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._writer.join)
        self._readers.shutdown()
        self._write_back.close()
        for connection in (*self._opened, self._connection):
            connection.close()
        if self._lock is not None:
            os.close(self._lock)

    def _read(self, verb: Verb[T]) -> T:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = connect(self._path, read_only=True)
            self._opened.append(connection)
        connection.execute("BEGIN")  # one snapshot for the whole verb
        try:
            return verb(self.transaction(connection))
        finally:
            connection.execute("ROLLBACK")

    def _serve(self) -> None:
        while (first := self._next()) is not None:
            group = self._gather(first)
            try:
                self._run(group)
            except Exception as error:  # it is the caller's, and is handed to them
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                for write in group:
                    write.error = write.error or error
            _release(group)

    def _next(self) -> _Write | None:
        """What was found behind the last group, or else what comes; None is the end."""
        return self._behind.pop() if self._behind else self._writes.get()

    def _gather(self, first: _Write) -> list[_Write]:
        """What runs together. What runs alone, or the end, is left for the next turn."""
        group = [first]
        while len(group) < GROUP and not first.alone:
            try:
                write = self._writes.get_nowait()
            except queue.Empty:
                break
            if write is None or write.alone:
                self._behind.append(write)
                break
            group.append(write)
        return group

    def _run(self, group: list[_Write]) -> None:
        if group[0].alone:
            group[0].result = group[0].verb(self.transaction(self._connection))
        else:
            self._commit(group)

    def _commit(self, group: list[_Write]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        if len(group) == 1:
            group[0].result = group[0].verb(self.transaction(self._connection))  # what it raises undoes everything
        else:
            for write in group:
                self._apart(write)
        self._connection.execute("COMMIT")
        self._write_back.committed()

    def _scrub(self, tx: Transaction) -> bool:
        with self._write_back.held:  # there is only one at a time, and the other one would not wait
            row = tx.one("PRAGMA wal_checkpoint(TRUNCATE)")
        return row is not None and row["busy"] == 0

    def _apart(self, write: _Write) -> None:
        """In a savepoint, since it has neighbours."""
        self._connection.execute("SAVEPOINT verb")
        try:
            write.result = write.verb(self.transaction(self._connection))
        except Exception as error:  # it is the caller's, and is handed to it
            write.error = error
            self._connection.execute("ROLLBACK TO verb")
        self._connection.execute("RELEASE verb")


def _vacuum(tx: SqliteTransaction, pages: int) -> int:
    """Only what is more than a reserve: free pages are used again by the tasks to come."""
    counts = [tx.one(f"PRAGMA {name}") or {} for name in ("freelist_count", "page_count")]
    free, whole = (next(iter(row.values()), 0) for row in counts)
    spare = min(free - whole // RESERVE, pages)
    if spare <= 0:
        return 0
    tx.script(f"PRAGMA incremental_vacuum({spare})")
    left = tx.one("PRAGMA freelist_count") or {}
    return int(free - next(iter(left.values()), free))


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection in the pragmas this store relies on; a statement outside BEGIN commits by itself."""
    address = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}"
    connection = sqlite3.connect(address, uri=True, timeout=15, isolation_level=None, check_same_thread=False)
    for pragma in ("foreign_keys=ON", "synchronous=FULL", *(() if read_only else WRITERS)):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def migrate(connection: sqlite3.Connection) -> None:
    """Applies the pending steps. BEGIN IMMEDIATE first: two processes applying at once would race."""
    steps = Migrations("ringback")
    for name, statements in STEPS.items():
        steps(name=name)(_step(statements))
    database = sqlite_utils.Database(connection, execute_plugins=False)
    connection.execute("BEGIN IMMEDIATE")
    try:
        steps.apply(database)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _step(statements: Sequence[str]) -> Callable[[sqlite_utils.Database], None]:
    def step(database: sqlite_utils.Database) -> None:
        for statement in statements:
            database.execute(render(statement, "sqlite"))

    return step


def _release(group: Sequence[_Write]) -> None:
    """Hands the answers over, one wake-up per event loop; a loop that has gone needs none."""
    loops: dict[asyncio.AbstractEventLoop, list[_Write]] = {}
    for write in group:
        loops.setdefault(write.future.get_loop(), []).append(write)
    for loop, writes in loops.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_hand_over, writes)


def _hand_over(writes: Sequence[_Write]) -> None:
    for write in writes:
        write.release()


_: type[Transaction] = SqliteTransaction
