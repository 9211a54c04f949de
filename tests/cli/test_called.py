"""How this program is called from here, for hints to copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.cli.called import command


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout's `ringback`, called by its path."""
    path = tmp_path / "checkout" / ".venv" / "bin" / "ringback"
    path.parent.mkdir(parents=True)
    path.touch(mode=0o755)
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setattr("sys.argv", [str(path), "sim"])
    return path


def test_in_a_checkout_it_is_called_by_its_path(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(program.parents[2])
    assert command() == ".venv/bin/ringback"
    monkeypatch.chdir(program.parents[3])
    assert command() == "checkout/.venv/bin/ringback"


def test_from_elsewhere_the_path_is_whole(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert command() == str(program).lstrip("/")
    monkeypatch.chdir("/usr")
    assert command() == str(program)


def test_where_it_is_on_the_path_its_name_is_enough(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(program.parent))
    assert command() == "ringback"


def test_within_another_program_it_has_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["-c"])
    assert command() == "ringback"
