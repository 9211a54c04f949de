"""How a command ends when it does not succeed. The codes are explained in `ringback --help`."""

from __future__ import annotations

import sys
from typing import IO, Any, ClassVar

import click


class Stop(click.ClickException):
    """Ends the command with its kind's exit code and, on standard error, what is wrong and what to do next."""

    exit_code: ClassVar[int]

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"ringback: {self.format_message()}", file=file or sys.stderr)


class Failed(Stop):
    """What was asked about failed: a task, a signature, the start of a server."""

    exit_code = 1


class Misused(Stop):
    """Options or settings that cannot be used."""

    exit_code = 2


class Unreachable(Stop):
    exit_code = 3


class Refused(Stop):
    """The server said no. `code` is its word for it."""

    exit_code = 4

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class Unfinished(Stop):
    """`wait --timeout` was over before the task."""

    exit_code = 5
