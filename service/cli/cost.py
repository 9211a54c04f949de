"""`ringback cost`: what was spent, by key, model, provider and day."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click

from service.cli.client import Client
from service.cli.exits import Misused
from service.cli.options import json_option
from service.cli.output import print_json, print_table
from service.domain.ledger import decimal_of

BY = ("key", "model", "provider", "day")
MONEY = ("settled", "running", "in_doubt")
UNKNOWN = "-"
HINT = """
What is not priced is only counted. The operator can give prices, for what is
sent from then on, in the file that RINGBACK_CATALOGUE names."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is run by spreadsheets, and the name of a model is a client's word."""

Row = dict[str, Any]


@click.command()
@click.option("--by", multiple=True, type=click.Choice(BY), help="One line for each (several: again).")
@click.option("--since", metavar="TIME", help="Only what was submitted since: 7d ago, or 2026-11-01 (UTC).")
@click.option("--until", metavar="TIME", help="Only what was submitted before: 2026-12-01 for the end of November.")
@click.option("--client", metavar="ID", help="Only this client (operator).")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, without the totals.")
@json_option
def cost(
    by: Sequence[str], since: str | None, until: str | None, client: str | None, as_csv: bool, as_json: bool
) -> None:
    """Show what was spent. With the admin token of everybody, else of your own key.

    Settled is what ended tasks did cost. What runs and what is in doubt is counted with what it costs at most. In doubt
    is whatever may have been billed without anybody knowing. Without a price in the catalogue a task is only counted.
    """
    if as_csv and as_json:
        raise Misused("Choose one of --csv and --json.")
    with Client() as server:
        asked = {"since": since, "until": until, "client": client, "by": ",".join(dict.fromkeys(by)) or None}
        told = server.get("/v1/cost", **asked)
    if as_json:
        print_json(told)
    elif as_csv:
        _print_csv(told)
    else:
        _print(told)


def _print(told: Row) -> None:
    by = told["by"]
    lines = [[*(_shown(each, name) for name in by), *_in_words(each)] for each in told["rows"]]
    if by:
        lines += [["total", *[""] * (len(by) - 1), *_in_words(each)] for each in told["totals"]]
    columns = (*by, "currency", "tasks", "settled", "running", "in doubt", "not priced")
    print_table(columns, lines, "Nothing was sent.")
    if any(each["unpriced"] for each in told["totals"]):
        click.echo(HINT)


def _print_csv(told: Row) -> None:
    groups = [column for name in told["by"] for column in ((name, "name") if name == "key" else (name,))]
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow([*groups, "currency", "tasks", *MONEY, "unpriced"])
    for each in told["rows"]:
        table.writerow([*(_harmless(each[name]) for name in groups), *_cells(each)])


def _in_words(each: Row) -> list[Any]:
    """Where there is no currency there is no price, and what is not known is not zero."""
    money = [decimal_of(each[f"{name}_micros"]) if each["currency"] else UNKNOWN for name in MONEY]
    return [each["currency"] or UNKNOWN, each["tasks"], *money, each["unpriced"]]


def _cells(each: Row) -> Iterator[Any]:
    yield each["currency"] or ""
    yield each["tasks"]
    yield from (decimal_of(each[f"{name}_micros"]) for name in MONEY)
    yield each["unpriced"]


def _shown(each: Row, name: str) -> str:
    if name != "key" or each["key"].removeprefix("env:") == each["name"]:
        return str(each[name])
    return f"{each['name']} ({each['key']})"


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text
