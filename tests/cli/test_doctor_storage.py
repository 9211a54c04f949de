"""What `ringback doctor` finds on disk."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from service.cli.doctor_storage import check_storage
from service.domain.findings import Level
from service.settings import Settings
from service.store import Store
from tests.cli.findings import KEYS, said


@pytest.fixture
async def database(tmp_path: Path) -> Path:
    path = tmp_path / "ringback.db"
    await Store.open(path, serve=False).close()
    return path


def stored(path: Path, **settings: Any) -> dict[str, tuple[Level, str]]:
    return said(list(check_storage(Settings(database=str(path), **(settings or KEYS)))))


@pytest.mark.anyio
async def test_a_database_of_this_version_is_good(database: Path) -> None:
    found = stored(database)
    assert {level for level, _ in found.values()} == {Level.OK}
    assert found.keys() == {"database", "schema", "disk", "secrets", "access"}


@pytest.mark.anyio
async def test_a_database_that_others_can_read_is_a_problem(database: Path) -> None:
    database.chmod(0o640)
    assert stored(database)["database"] == (
        Level.PROBLEM, f"{database} has mode 0640: others can read prompts and results.",
    )  # fmt: skip


@pytest.mark.anyio
async def test_a_schema_of_another_version_is_told(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE _sqlite_migrations SET name = '0099_future' WHERE name = '0001_first'")
    connection.close()
    level, text = stored(database)["schema"]
    assert (level, "newer Ringback (0099_future)" in text) == (Level.PROBLEM, True)
    with sqlite3.connect(database) as connection:
        connection.execute("DELETE FROM _sqlite_migrations")
    connection.close()
    assert stored(database)["schema"][0] is Level.WARNING


@pytest.mark.anyio
async def test_a_locked_database_cannot_be_used(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.store.inspection.PATIENCE_SECONDS", 0)
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    assert "cannot be used: database is locked" in stored(database)["database"][1]
    connection.close()


def test_what_is_no_database_is_a_problem_and_what_is_absent_is_none(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is no database\n" * 100)
    assert "file is not a database" in stored(tmp_path / "text")["database"][1]
    assert stored(tmp_path / "new.db")["database"][0] is Level.OK
    assert not (tmp_path / "new.db").exists()
    assert stored(tmp_path / "no folder" / "new.db")["database"][0] is Level.PROBLEM
    [postgres] = check_storage(Settings(database="postgresql://localhost/ringback"))
    assert postgres.level is Level.PROBLEM


def test_secrets_that_a_group_can_read_are_a_warning(tmp_path: Path) -> None:
    (tmp_path / "r.db.secrets").touch(0o600)
    assert stored(tmp_path / "r.db")["secrets"][0] is Level.OK
    (tmp_path / "r.db.secrets").chmod(0o640)
    assert stored(tmp_path / "r.db")["secrets"][0] is Level.WARNING


def test_a_server_that_would_be_open_to_others_is_a_problem(tmp_path: Path) -> None:
    assert stored(tmp_path / "r.db", host="127.0.0.1")["access"][1].startswith("Open mode")
    level, text = stored(tmp_path / "r.db", host="0.0.0.0")["access"]
    assert (level, "there is no client key" in text) == (Level.PROBLEM, True)


@pytest.mark.parametrize(("free", "level"), [(5e9, Level.OK), (5e8, Level.WARNING), (5e7, Level.PROBLEM)])
def test_a_disk_that_is_nearly_full_is_told(
    free: float, level: Level, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": int(free)}))
    assert stored(tmp_path / "r.db")["disk"][0] is level
