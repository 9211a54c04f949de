"""`ringback wait`: has the server hold its answer until a task has ended, and says on standard error how it goes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click
from rich.text import Text

from service.cli.client import Client
from service.cli.exits import Failed, Unfinished, Unreachable
from service.cli.options import json_option
from service.cli.output import console, print_json
from service.domain.tasks import ENDED, TaskState

FIRST_HOLD, LONGEST_HOLD = 1.0, 20.0
"""Seconds that the server is to hold an answer. The end of a task is told at once, its other states only between
answers, so those come soon at first."""
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0
"""Seconds before it is asked again where it held nothing: as long as it is away, or too many wait there already."""
GROWTH = 1.5
PATIENCE_SECONDS = 30.0
"""How long the server may be away, as it is while it is started again."""

Say = Callable[[str], None]
timeout_option = click.option(
    "--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Give up waiting, with exit code 5."
)


@click.command()
@click.argument("task_id", metavar="ID")
@timeout_option
@json_option
def wait(task_id: str, timeout: float | None, as_json: bool) -> None:
    """Wait for the end of a task and print the URL of its video. Exit code 1 if it did not succeed."""
    with Client() as client:
        finish(client, task_id, timeout, as_json)


def finish(client: Client, task_id: str, timeout: float | None, as_json: bool) -> None:
    """Waits for the end and tells it. Raises `Failed`, `Unfinished`, `Unreachable` or `Refused`."""
    record = await_end(client, task_id, timeout)
    succeeded = record["state"] == TaskState.SUCCEEDED
    if as_json:
        print_json(record)
    elif succeeded:
        click.echo(record["video_url"])
    if not succeeded:
        error = record["error"]
        reason = f" ({error['code']}): {error['message']}" if error else "."
        raise Failed(f"The task ended as {record['state']}{reason}")


def await_end(client: Client, task_id: str, timeout: float | None) -> Any:
    """The record of the ended task. A server that goes away for a moment is waited for."""
    until = math.inf if timeout is None else time.monotonic() + timeout
    record, away_since, rest = client.record(task_id), math.inf, 0.0
    holds, pauses = _growing(FIRST_HOLD, LONGEST_HOLD), _growing(FIRST_PAUSE, LONGEST_PAUSE)
    with progress() as say:
        while record["state"] not in ENDED:
            away = away_since < math.inf
            say("the server does not answer" if away else f"{record['state']} at {record['provider']}")
            left = until - time.monotonic()
            if left <= 0:
                raise Unfinished(f"Not finished after {timeout:g} s. Go on with: ringback wait {task_id}")
            time.sleep(min(rest, left))
            asked = time.monotonic()
            hold = int(max(0, min(next(holds), until - asked)))
            try:
                record, away_since = client.record(task_id, hold), math.inf
            except Unreachable:
                away_since = min(away_since, time.monotonic())
                if time.monotonic() - away_since > PATIENCE_SECONDS:
                    raise
            rest = 0.0 if 0 < hold <= time.monotonic() - asked else next(pauses)
    return record


def _growing(first: float, longest: float) -> Iterator[float]:
    while True:
        yield first
        first = min(first * GROWTH, longest)


@contextmanager
def progress() -> Iterator[Say]:
    """A live line with the seconds on a terminal; elsewhere a line for each change."""
    shown = console(error=True)
    said = ""

    def line(text: str) -> None:
        nonlocal said
        if text != said:
            shown.print(text, markup=False)
        said = text

    if not shown.is_interactive:
        yield line
        return
    started = time.monotonic()
    with shown.status("asking") as status:
        yield lambda text: status.update(_Ticking(text, started))


@dataclass(frozen=True)
class _Ticking:
    """A text with the seconds since a start, whenever it is drawn."""

    text: str
    started: float

    def __rich__(self) -> Text:
        return Text(f"{self.text}, {time.monotonic() - self.started:.0f} s")
