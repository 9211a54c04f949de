"""The SQLite engine: groups, what is on disk when a write returns, who may open the file."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlite_utils
from sqlite_utils.migrations import Migrations

from service.domain.deliveries import DeliveryState, Format, Subscription
from service.domain.tasks import TaskState
from service.store import AlreadyServed, Store, write_back
from service.store.engine import Transaction
from service.store.schema import STEPS, render
from service.store.sqlite import SqliteEngine, connect
from tests.service.nouns import NOW, a_task, kept

pytestmark = pytest.mark.anyio
NOTE = "INSERT INTO operator_events (id, at, kind, fields) VALUES (:id, 1, 'test', '{}')"


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[SqliteEngine]:
    engine = SqliteEngine(tmp_path / "ringback.db")
    yield engine
    await engine.close()


def noting(name: str):
    return lambda tx: tx.run(NOTE, id=name)


def broken(tx: Transaction) -> None:
    tx.run(NOTE, id="broken")
    raise ZeroDivisionError


async def names(engine: SqliteEngine) -> list[str]:
    rows = await engine.read(lambda tx: tx.all("SELECT id FROM operator_events ORDER BY id"))
    return [row["id"] for row in rows]


@asynccontextmanager
async def writer_held(engine: SqliteEngine) -> AsyncIterator[None]:
    """What is written inside waits in the queue, as one group, until the end of the block."""
    entered, gate = threading.Event(), threading.Event()
    held = asyncio.create_task(engine.write(lambda tx: entered.set() or gate.wait()))
    await asyncio.to_thread(entered.wait)
    try:
        yield
        await asyncio.sleep(0)  # the writes that tasks have begun are queued now
    finally:
        gate.set()
    await held


async def grouped(engine: SqliteEngine, *verbs):
    async with writer_held(engine):
        waiting = [asyncio.create_task(engine.write(verb)) for verb in verbs]
    return await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_verb_that_fails_does_not_harm_its_neighbours(engine: SqliteEngine) -> None:
    said = await grouped(engine, noting("a"), broken, lambda tx: tx.run("nonsense"), noting("a"), noting("b"))
    assert [type(one) for one in said] == [
        int, ZeroDivisionError, sqlite3.OperationalError, sqlite3.IntegrityError, int,
    ]  # fmt: skip
    assert await names(engine) == ["a", "b"]


async def test_a_group_shares_one_commit(engine: SqliteEngine) -> None:
    seen: list[str] = []
    engine._connection.set_trace_callback(seen.append)
    await grouped(engine, *(noting(str(number)) for number in range(50)))
    engine._connection.set_trace_callback(None)
    assert seen.count("COMMIT") == 2  # the one that held the writer, and the group


def dangling(tx: Transaction) -> int:
    tx.run("PRAGMA defer_foreign_keys = ON")  # its violation is found by COMMIT only
    sql = "INSERT INTO replay_items (replay, created_at, delivery) VALUES ('no such replay', 1, 'x')"
    return tx.run(sql)


def half(tx: Transaction) -> int:
    noting("half")(tx)
    return broken(tx)


@pytest.mark.parametrize(
    ("verb", "error"),
    [
        pytest.param(half, ZeroDivisionError, id="its own error"),
        pytest.param(lambda tx: noting("half")(tx) + tx.run("nonsense"), sqlite3.OperationalError, id="a statement"),
        pytest.param(lambda tx: noting("half")(tx) + dangling(tx), sqlite3.IntegrityError, id="the commit"),
    ],
)
async def test_one_that_fails_alone_leaves_nothing(engine: SqliteEngine, verb: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        await engine.write(verb)
    assert await names(engine) == []
    await engine.write(noting("after"))
    assert await names(engine) == ["after"]


async def test_the_log_is_written_back_beside_the_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_back, "EVERY", 5)
    engine = SqliteEngine(tmp_path / "ringback.db")
    statements: list[str] = []
    engine._connection.set_trace_callback(statements.append)
    file, size = tmp_path / "ringback.db", (tmp_path / "ringback.db").stat().st_size
    number = 0
    async with asyncio.timeout(20):
        while file.stat().st_size == size:  # new pages come into the file only when the log is written back
            await engine.write(noting(f"{number} {'x' * 9000}"))
            number += 1
    engine._connection.set_trace_callback(None)
    assert number >= 5
    assert not [statement for statement in statements if "checkpoint" in statement]
    assert len(await names(engine)) == number
    assert await engine.scrub()
    assert (tmp_path / "ringback.db-wal").stat().st_size == 0
    await engine.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "store-write-back"]


async def test_a_log_that_cannot_be_written_back_harms_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(write_back, "EVERY", 1)
    engine = SqliteEngine(tmp_path / "ringback.db")
    failing = sqlite3.connect(":memory:", check_same_thread=False)
    failing.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)
    engine._write_back._connect = lambda: failing
    async with asyncio.timeout(20):
        while "store.write_back_failed" not in caplog.text:
            await engine.write(noting(str(len(await names(engine)))))
    await engine.close()


async def test_a_commit_that_fails_is_told_to_everyone_and_leaves_nothing(engine: SqliteEngine) -> None:
    said = await grouped(engine, noting("a"), broken, dangling, noting("b"))
    assert [type(one) for one in said] == [
        sqlite3.IntegrityError, ZeroDivisionError, sqlite3.IntegrityError, sqlite3.IntegrityError,
    ]  # fmt: skip
    assert await names(engine) == []
    await engine.write(noting("after"))  # the writer goes on
    assert await names(engine) == ["after"]


async def test_a_write_whose_caller_has_gone_is_written_all_the_same(engine: SqliteEngine) -> None:
    async with writer_held(engine):
        gone = asyncio.create_task(engine.write(noting("gone")))
        await asyncio.sleep(0)
        gone.cancel()
    await engine.write(noting("next"))
    assert await names(engine) == ["gone", "next"]


async def test_a_reader_sees_what_was_written_before_and_cannot_write(engine: SqliteEngine) -> None:
    await engine.write(noting("a"))
    assert await names(engine) == ["a"]
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await engine.read(noting("b"))
    assert await names(engine) == ["a"]


async def test_closing_finishes_what_was_queued_and_takes_no_more(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "ringback.db")
    async with writer_held(engine):
        writes = [asyncio.create_task(engine.write(noting(str(number)))) for number in range(3)]
        await asyncio.sleep(0)
        closing = asyncio.create_task(engine.close())
    await asyncio.gather(*writes, closing)
    with pytest.raises(RuntimeError, match="closed"):
        await engine.write(noting("late"))
    await engine.close()  # once more is harmless
    again = SqliteEngine(tmp_path / "ringback.db")
    assert await names(again) == ["0", "1", "2"]
    await again.close()


async def test_what_was_acknowledged_survives_a_crash(tmp_path: Path) -> None:
    script = """
import asyncio, os, sys
from pathlib import Path
from service.store import Store
from tests.service.nouns import kept
async def main():
    store = Store.open(Path(sys.argv[1]))
    for _ in range(5):
        print((await kept(store)).id, flush=True)
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""
    path = tmp_path / "ringback.db"
    ran = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, cwd=Path.cwd())
    ids = ran.stdout.split()
    assert (ran.returncode, len(ids)) == (-9, 5), ran.stderr
    store = Store.open(path)  # its lock went with it
    assert [task.id for task in await store.lookups.tasks_by_id(ids, None)] == ids
    await store.close()


async def test_a_write_is_on_disk_before_it_is_acknowledged(engine: SqliteEngine) -> None:
    pragmas = {"synchronous": 2, "journal_mode": "wal", "foreign_keys": 1}  # 2 is FULL
    found = await engine.write(lambda tx: {name: next(iter(tx.one(f"PRAGMA {name}").values())) for name in pragmas})
    assert found == pragmas


async def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        store = Store.open(tmp_path / "ringback.db")
        await kept(store)
    finally:
        os.umask(old)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    await store.close()
    assert {"ringback.db", "ringback.db-wal"} <= modes.keys()
    assert set(modes.values()) == {0o600}


async def test_a_second_server_on_the_same_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ringback.db"
    store = Store.open(path)
    with pytest.raises(AlreadyServed, match="Another Ringback server already works on"):
        Store.open(path)
    beside = Store.open(path, serve=False)  # a command beside the server
    task = await kept(beside)
    assert await store.lookups.task(task.id) == task
    await beside.close()
    await store.close()
    await Store.open(path).close()


async def test_every_table_is_strict_and_knows_the_states(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "ringback.db")
    task = await kept(store)
    await store.close()
    connection = connect(tmp_path / "ringback.db")
    tables = dict(connection.execute("SELECT name, strict FROM pragma_table_list WHERE type = 'table'").fetchall())
    ours = {"keys", "tasks", "placements", "callbacks", "subscriptions", "deliveries", "attempts", "operator_events"}
    assert {name for name, strict in tables.items() if strict} == ours | {
        "allowances",
        "charges",
        "quotes",
        "completions",
        "replays",
        "replay_items",
        "endpoints",
        "retired_secrets",
        "events",
        "event_head",
        "lanes",
    }
    for change in (
        "UPDATE tasks SET state = 'DONE'",
        "UPDATE tasks SET created_at = 'yesterday'",
        "UPDATE placements SET verdict = 'lost'",
        "UPDATE subscriptions SET format = 'xml'",
        "INSERT INTO deliveries SELECT '', task, id, '', '', '', '', 'SENT', x'', 1, 0, 0, 1, 1, 1, NULL, NULL, ''"
        " FROM subscriptions",
        "DELETE FROM tasks",
        "INSERT INTO attempts (delivery, number, started_at, elapsed_ms, verdict, reason)"
        " VALUES ('nobody', 1, 1, 1, 'v', 'r')",
        "INSERT INTO lanes (id, receiver, standing, failures) VALUES ('x', 'x', 'dead', 0)",
    ):
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(change)
    assert connection.execute("SELECT id FROM tasks").fetchall() == [(task.id,)]
    connection.close()


async def test_opening_an_existing_file_keeps_its_rows(tmp_path: Path) -> None:
    for state in (TaskState.ACCEPTED, TaskState.QUEUED):
        store = Store.open(tmp_path / "ringback.db")
        await store.tasks.accept(a_task(id=state, state=state), None, [])
        await store.close()
    store = Store.open(tmp_path / "ringback.db")
    assert len(await store.lookups.tasks_by_id(["ACCEPTED", "QUEUED"], None)) == 2
    await store.close()


async def test_a_file_of_the_first_version_is_taken_over_with_its_tasks(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "ringback.db", isolation_level=None)
    steps = Migrations("ringback")

    @steps(name="0001_first")
    def first(database: sqlite_utils.Database) -> None:
        for statement in STEPS["0001_first"]:
            database.execute(render(statement, "sqlite"))

    steps.apply(sqlite_utils.Database(connection))
    connection.execute(
        "INSERT INTO tasks (id, client, shape, service, path, model, provider, state, body, headers, request_id,"
        " trace_id, created_at, updated_at, placement, version) VALUES ('t', 'open', 'flat', 'wan', '/wan/videos',"
        " 'wan2.6-t2v', 'acedata', 'QUEUED', '{}', '{}', 'r', 'tr', 1, 1, 'p', 0)"
    )
    connection.execute(
        "INSERT INTO placements (id, task, provider, verdict, sent_at, upstream_id, due_at, looks, misses, empty)"
        " VALUES ('p', 't', 'acedata', 'accepted', 1, 'up', 5, 0, 0, 0)"
    )
    connection.execute("INSERT INTO subscriptions VALUES ('s', 't', 'https://hook.example.com/', 'event', 1)")
    connection.execute(
        "INSERT INTO deliveries VALUES ('msg_1', 't', 's', 'open', 'https://hook.example.com/', 'hook.example.com',"
        " 'task.succeeded', 'EXHAUSTED', x'7b7d', 1, 1, 1, NULL, NULL, NULL)"
    )
    connection.execute("INSERT INTO attempts VALUES ('msg_1', 1, 2, 3, 'bad_status', 'answered 500', 500, 'no', NULL)")
    connection.close()
    store = Store.open(tmp_path / "ringback.db")
    task = await store.lookups.task("t")
    assert task is not None
    assert (task.pinned, task.passed, task.reopened_at) == (False, (), None)
    [placement] = await store.placements.claim_looks("acedata", NOW, NOW + 1, 10)
    assert (placement.account, placement.outcome, placement.credential) == ("", None, None)
    delivery = await store.deliveries.get("msg_1", None)
    assert delivery is not None
    assert (delivery.body, delivery.state, delivery.replay_of) == (b"{}", DeliveryState.EXHAUSTED, None)
    assert [one.reply for one in await store.deliveries.attempts("msg_1")] == ["no"]
    assert (delivery.content_type, delivery.endpoint) == ("application/json", None)
    [subscription] = await store.lookups.subscriptions("t")
    assert subscription == Subscription("s", "t", "https://hook.example.com/", Format.EVENT, 1)
    await store.close()
