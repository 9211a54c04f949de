"""The index of commands: complete, and quick because nothing is imported for it."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from service.cli import COMMANDS, main

HEAVY = {"httpx", "pydantic", "rich", "starlette", "uvicorn", "sqlite3", "cryptography"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_index_is_there_and_explains_itself(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.name == name
    shown = CliRunner().invoke(main, [name, "--help"])
    assert shown.exit_code == 0
    assert command.help


def test_help_lists_every_command_and_every_exit_code() -> None:
    shown = CliRunner().invoke(main, ["--help"]).output
    for name, (_, line) in COMMANDS.items():
        assert name in shown
        assert line in shown
    assert all(f"\n    {code}  " in shown for code in range(6))


def test_help_is_quick_because_it_imports_no_command() -> None:
    program = "import sys; from service.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(done.stdout.splitlines()[-1].split())


def test_an_unknown_command_is_a_usage_error() -> None:
    shown = CliRunner().invoke(main, ["lst"])
    assert shown.exit_code == 2
    assert "lst" in shown.output


def test_the_version_is_the_distributions() -> None:
    assert CliRunner().invoke(main, ["version"]).output == "ringback 0.1.0\n"
