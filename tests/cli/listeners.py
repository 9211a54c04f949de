"""`ringback listen` as a program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.house import KEY
from tests.cli.program import Program, started


@contextmanager
def listening(folder: Path, url: str, *words: str, **given: str) -> Iterator[Program]:
    """`ringback listen`, connected by now. What it keeps is kept in `folder`."""
    client = {"RINGBACK_URL": url, "RINGBACK_KEY": KEY, "XDG_CONFIG_HOME": str(folder)}
    with started(folder, "listen", *words, **client | given) as program:
        yield program


def secret_in(line: str) -> str:
    return line[line.index("whsec_") :].split()[0]
