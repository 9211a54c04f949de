"""What commands print: tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import click
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

PIPED_WIDTH = 400
"""Where nobody looks no line is folded, so that `grep` finds whole ones."""

LONGEST_WORD = 40
"""Tables never break a word of this length, such as an id; a longer one, such as a URL, may be folded."""

GAP = 2
"""Blanks between columns, and between the pairs of a paragraph."""

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
    """A table, or the sentence that there is nothing to show. On a screen so narrow that words would be broken, each
    row is a paragraph of names and values instead: nothing is lost, and an id can be copied."""
    cells = [[cell(value) for value in row] for row in rows]
    if not cells:
        click.echo(nothing)
        return
    out = console()
    widths = _widths([list(map(Text, columns)), *cells], out.width)
    if widths is None:
        for row in cells:
            _print_paragraph(columns, row, out)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, width in zip(columns, widths, strict=True):
        table.add_column(column, overflow="fold", width=width)
    for row in cells:
        table.add_row(*row)
    out.print(table)


def _widths(rows: Sequence[Sequence[Text]], width: int) -> list[int] | None:
    """Of the columns: each as wide as its longest word, and what is left to those that want least first, so that only
    the widest are folded. None if not even the words fit."""
    columns = list(zip(*rows, strict=True))
    widths = [max(1, *(min(LONGEST_WORD, _longest_word(text)) for text in column)) for column in columns]
    wants = [max(text.cell_len for text in column) - got for column, got in zip(columns, widths, strict=True)]
    spare = width - sum(widths) - GAP * (len(columns) - 1)
    if spare < 0:
        return None
    for served, index in enumerate(sorted(range(len(columns)), key=wants.__getitem__)):
        more = max(0, min(wants[index], spare // (len(columns) - served)))
        widths[index] += more
        spare -= more
    return widths


def _longest_word(text: Text) -> int:
    return max(map(cell_len, text.plain.split()), default=0)


def _print_paragraph(columns: Sequence[str], row: Sequence[Text], out: Console) -> None:
    out.print(row[0], overflow="fold")
    told = [(name, value) for name, value in zip(columns[1:], row[1:], strict=True) if value.plain]
    pairs = [Text.assemble((name, "dim"), " " if name else "", value) for name, value in told]
    for line in _lines(pairs, out.width - GAP):
        out.print(Padding(line, (0, 0, 0, GAP)), overflow="fold")


def _lines(pairs: Iterable[Text], width: int) -> Iterator[Text]:
    """As many pairs in a line as fit; one that fits into a line of its own is not broken."""
    line = Text()
    for pair in pairs:
        if line and line.cell_len + GAP + pair.cell_len > width:
            yield line
            line = Text()
        line = Text(" " * GAP).join((line, pair)) if line else pair
    if line:
        yield line


def print_fields(fields: Mapping[str, Any]) -> None:
    """Names and values below each other; what there is nothing to say of (None, an empty text or list) is left out."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in fields.items():
        if (text := cell(value)).plain:
            table.add_row(name.replace("_", " "), text)
    console().print(table)


def cell(value: Any) -> Text:
    """In words; as text, never as markup: a prompt or an error may contain brackets."""
    text = _words(value)
    return Text(text, style=COLOURS.get(text, ""))


def _words(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False)
    return ", ".join(map(_words, value)) if isinstance(value, list | tuple) else str(value)


def when(text: str | None) -> str | None:
    """A time of the server's, as the clock on the wall here."""
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S") if text else None
