"""`ringback` run as a program: with an environment of its own, lines that are waited for, and an end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from service.settings import scrub

RINGBACK = (sys.executable, "-c", "from service.cli import main; main(prog_name='ringback')")
ROOT = Path(__file__).resolve().parent.parent.parent
LONGEST_SECONDS = 180.0


def environment(folder: Path, given: Mapping[str, str]) -> dict[str, str]:
    """This process's without keys and settings; the database is in `folder`, and so is what is temporary."""
    own = dict(os.environ)
    scrub(own)
    places = {"PYTHONPATH": str(ROOT), "RINGBACK_DATABASE": str(folder / "ringback.db"), "TMPDIR": str(folder)}
    return {**own, **places, **given}


class Program:
    """A running `ringback`. `seen` is what it has printed so far, standard error among it."""

    def __init__(self, folder: Path, arguments: tuple[str, ...], given: Mapping[str, str]) -> None:
        self.seen = ""
        self._process = subprocess.Popen(
            [*RINGBACK, *arguments],
            cwd=folder,
            env=environment(folder, given),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        self._watchdog = threading.Timer(LONGEST_SECONDS, self._process.kill)
        self._watchdog.start()

    def until(self, text: str) -> str:
        """Reads on to the line with `text` and gives it."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.seen += line
            if text in line:
                return line
        raise AssertionError(f"it ended ({self._process.wait()}) without saying {text!r}:\n{self.seen}")

    def ask(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def ended(self) -> int:
        """Reads what is left and gives the exit code."""
        assert self._process.stdout is not None
        self.seen += self._process.stdout.read()
        return self._process.wait()

    def close(self) -> None:
        self._process.kill()
        self.ended()
        self._watchdog.cancel()
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextmanager
def started(folder: Path, *arguments: str, **given: str) -> Iterator[Program]:
    """`ringback <arguments>` until the end of the block; `given` are variables of its environment."""
    program = Program(folder, arguments, given)
    try:
        yield program
    finally:
        program.close()


def run(folder: Path, *arguments: str, **given: str) -> subprocess.CompletedProcess[str]:
    """`ringback <arguments>` to its end, standard error apart."""
    return subprocess.run(
        [*RINGBACK, *arguments],
        cwd=folder,
        env=environment(folder, given),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=LONGEST_SECONDS,
        check=False,
    )


def url_in(line: str) -> str:
    """The address in a line such as "Ringback listens on http://127.0.0.1:8000; ..."."""
    return line[line.index("http://") :].split()[0].rstrip(";,.:")


@contextmanager
def simulated(folder: Path, *options: str) -> Iterator[dict[str, str]]:
    """A simulator as a program; gives the environment that points a server at it."""
    with started(folder, "sim", "--port", "0", "--json", *options) as program:
        directions: dict[str, Any] = json.loads(program.until("environment"))
        yield directions["environment"]
