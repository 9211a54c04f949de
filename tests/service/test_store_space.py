"""What is deleted leaves the SQLite file: overwritten at once, its log cut off, free space given back."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.store.engine import Transaction
from service.store.sqlite import RESERVE, SqliteEngine, connect

pytestmark = pytest.mark.anyio
WORD = b"unmistakable-word"
ROWS = 400


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[SqliteEngine]:
    engine = SqliteEngine(tmp_path / "ringback.db")
    yield engine
    await engine.close()


def fill(tx: Transaction) -> None:
    """Rows that fit into a page, and rows that need pages of their own."""
    for number in range(ROWS):
        text = f"{WORD.decode()} " * (3 if number % 2 else 800)
        sql = "INSERT INTO operator_events (id, at, kind, fields) VALUES (:id, 1, :text, '{}')"
        tx.run(sql, id=str(number), text=text)


def shorten(tx: Transaction) -> None:
    tx.run("UPDATE operator_events SET kind = 'short'")


def empty(tx: Transaction) -> None:
    tx.run("DELETE FROM operator_events")


def pragma(tx: Transaction, name: str) -> int:
    row = tx.one(f"PRAGMA {name}")
    assert row is not None
    return int(next(iter(row.values())))


def files_with(folder: Path, word: bytes) -> list[str]:
    return [path.name for path in folder.iterdir() if word in path.read_bytes()]


@pytest.mark.parametrize("change", [shorten, empty])
async def test_nothing_is_left_of_what_was_deleted_or_overwritten(change, engine: SqliteEngine, tmp_path: Path) -> None:
    await engine.write(fill)
    assert files_with(tmp_path, WORD)
    await engine.write(change)
    assert await engine.scrub()
    assert files_with(tmp_path, WORD) == []
    assert (tmp_path / "ringback.db-wal").stat().st_size == 0


async def test_a_scrub_comes_after_what_was_written_before_it_and_before_what_came_later(engine: SqliteEngine) -> None:
    await engine.write(fill)
    order: list[str] = []

    async def one(name: str, doing) -> None:
        await doing
        order.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(one("before", engine.write(shorten)))
        group.create_task(one("scrub", engine.scrub()))
        group.create_task(one("after", engine.write(empty)))
    assert order == ["before", "scrub", "after"]
    assert await engine.read(lambda tx: tx.one("SELECT id FROM operator_events")) is None


async def test_a_reader_that_stands_in_the_way_is_told_and_harms_nobody(engine: SqliteEngine, tmp_path: Path) -> None:
    await engine.write(fill)
    await engine.write(lambda tx: tx.run("PRAGMA busy_timeout = 1"))
    reader = connect(tmp_path / "ringback.db", read_only=True)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM operator_events").fetchone()
    await engine.write(empty)
    assert not await engine.scrub()
    reader.close()
    assert await engine.scrub()
    assert files_with(tmp_path, WORD) == []


async def test_free_space_is_given_back_but_for_a_reserve(engine: SqliteEngine, tmp_path: Path) -> None:
    await engine.write(fill)
    await engine.write(empty)
    free = await engine.read(lambda tx: pragma(tx, "freelist_count"))
    assert await engine.tidy(5) == 5
    given = [5]
    while pages := await engine.tidy(50):
        given.append(pages)
    assert max(given) <= 50
    left, whole = await engine.read(lambda tx: (pragma(tx, "freelist_count"), pragma(tx, "page_count")))
    assert sum(given) == free - left
    assert left > 0
    assert left <= (whole + sum(given)) // RESERVE
    assert await engine.scrub()
    assert (tmp_path / "ringback.db").stat().st_size == whole * 4096


async def test_a_file_that_was_made_before_is_reused_and_not_shrunk(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "old.db")
    old.execute("CREATE TABLE anything (id INTEGER)")
    old.commit()
    old.close()
    engine = SqliteEngine(tmp_path / "old.db")
    await engine.write(fill)
    await engine.write(empty)
    assert await engine.tidy(1000) == 0
    before = await engine.read(lambda tx: pragma(tx, "page_count"))
    await engine.write(fill)
    assert await engine.read(lambda tx: pragma(tx, "page_count")) == before
    await engine.close()
