"""PostgreSQL as a test-only engine: the verbs' SQL runs on it unchanged but for placeholders and the lock clause.

It lives in a schema of its own that goes with it. `RINGBACK_TEST_POSTGRES` names the database; without it the tests
that need it are skipped.
"""

from __future__ import annotations

import asyncio
import os
import queue
import re
from collections.abc import Sequence
from typing import Any, TypeVar
from uuid import uuid4

import psycopg
from psycopg.rows import dict_row

from service.store.engine import Row, Transaction, Verb
from service.store.schema import STEPS, render

T = TypeVar("T")
ADDRESS = os.environ.get("RINGBACK_TEST_POSTGRES", "")
PLACEHOLDER = re.compile(r":([a-z_]\w*)")
CONNECTIONS = 4


class PostgresTransaction:
    skip_locked = " FOR UPDATE SKIP LOCKED"

    def __init__(self, connection: psycopg.Connection[dict[str, Any]]) -> None:
        self._connection = connection

    def lock(self, name: str) -> None:
        """Within the schema: PostgreSQL's own such locks are of the whole database, and other tests run in it."""
        self._execute("SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || :name, 0))", {"name": name})

    def all(self, sql: str, **values: Any) -> Sequence[Row]:
        return self._execute(sql, values).fetchall()

    def one(self, sql: str, **values: Any) -> Row | None:
        return self._execute(sql, values).fetchone()

    def run(self, sql: str, **values: Any) -> int:
        return self._execute(sql, values).rowcount

    def _execute(self, sql: str, values: dict[str, Any]) -> psycopg.Cursor[dict[str, Any]]:
        assert "%" not in sql, "a percent sign would be a placeholder for psycopg"
        return self._connection.execute(PLACEHOLDER.sub(r"%(\1)s", sql), values, prepare=True)


class PostgresEngine:
    """Runs each verb on a thread with a connection of its own, so that verbs really race."""

    def __init__(self, address: str) -> None:
        self._schema = f"ringback_{uuid4().hex}"
        self._address = address
        self._execute(f"CREATE SCHEMA {self._schema}")
        self._connections: queue.SimpleQueue[psycopg.Connection[dict[str, Any]]] = queue.SimpleQueue()
        for _ in range(CONNECTIONS):
            options = f"-csearch_path={self._schema} -csynchronous_commit=off"  # what is lost with it is a test's
            self._connections.put(psycopg.connect(address, options=options, row_factory=dict_row))
        for statements in STEPS.values():
            self._run(lambda tx, statements=statements: [tx.run(render(one, "postgres")) for one in statements])

    async def write(self, verb: Verb[T]) -> T:
        return await asyncio.to_thread(self._run, verb)

    async def read(self, verb: Verb[T]) -> T:
        return await asyncio.to_thread(self._run, verb)

    async def scrub(self) -> bool:
        return True  # its own vacuum does that, in its own time

    async def tidy(self, pages: int) -> int:
        return 0

    async def close(self) -> None:
        for _ in range(CONNECTIONS):
            self._connections.get().close()
        self._execute(f"DROP SCHEMA {self._schema} CASCADE")

    def _run(self, verb: Verb[T]) -> T:
        connection = self._connections.get()
        try:
            with connection.transaction():
                return verb(PostgresTransaction(connection))
        finally:
            self._connections.put(connection)

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self._address, autocommit=True) as connection:
            connection.execute(statement)


_: type[Transaction] = PostgresTransaction
