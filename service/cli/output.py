"""What commands print: tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

PIPED_WIDTH = 400
"""Where nobody looks no line is folded, so that `grep` finds whole ones."""

IDS = frozenset({"id", "task"})
"""Columns that are never folded."""

COLOURS: Mapping[str, str] = {
    "SUCCEEDED": "green",
    "DELIVERED": "green",
    "FAILED": "red",
    "EXPIRED": "red",
    "EXHAUSTED": "red",
    "ABANDONED": "red",
    "CANCELED": "yellow",
    "IN_DOUBT": "yellow",
    "RUNNING": "cyan",
    "ok": "green",
    "warning": "yellow",
    "problem": "red",
}


def console(*, error: bool = False) -> Console:
    """Interactive (live tables, spinners) only where somebody looks, whatever the environment says of colours."""
    seen = (sys.stderr if error else sys.stdout).isatty()
    return Console(
        stderr=error,
        width=None if seen else PIPED_WIDTH,
        force_interactive=None if seen else False,
        highlight=False,
        soft_wrap=not seen,
    )


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], nothing: str) -> None:
    """A table, or the sentence that there is nothing to show. On a screen too narrow for one with ids, each row is a
    paragraph of names and values instead: nothing is lost, and an id can be copied."""
    cells = [[cell(value) for value in row] for row in rows]
    if not cells:
        click.echo(nothing)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in IDS)
    for row in cells:
        table.add_row(*row)
    out = console()
    least = out.measure(table, options=out.options.update(max_width=PIPED_WIDTH)).minimum
    if least > out.width and not IDS.isdisjoint(columns):
        for row in cells:
            _print_paragraph(columns, row, out)
    else:
        out.print(table)


def _print_paragraph(columns: Sequence[str], row: Sequence[Text], out: Console) -> None:
    out.print(row[0], overflow="fold")
    told = [(name, value) for name, value in zip(columns[1:], row[1:], strict=True) if value.plain]
    rest = Text("  ").join(Text.assemble((name, "dim"), " ", value) for name, value in told)
    out.print(Padding(rest, (0, 0, 0, 2)), overflow="fold")


def print_fields(fields: Mapping[str, Any]) -> None:
    """Names and values below each other; what is None is left out."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in fields.items():
        if value is not None:
            table.add_row(name, cell(value))
    console().print(table)


def cell(value: Any) -> Text:
    """As text, never as markup: a prompt or an error may contain brackets."""
    if isinstance(value, Mapping | list):
        value = json.dumps(value, ensure_ascii=False)
    text = "" if value is None else str(value)
    return Text(text, style=COLOURS.get(text, ""))


def when(text: str | None) -> str | None:
    """A time of the server's, as the clock on the wall here."""
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S") if text else None
