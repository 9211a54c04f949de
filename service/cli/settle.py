"""`ringback settle`."""

from __future__ import annotations

import re
from decimal import Decimal

import click

from service.cli.client import Client
from service.cli.exits import Misused
from service.cli.options import json_option
from service.cli.output import print_json
from service.domain.ledger import MICROS

AMOUNT = re.compile(r"\d{1,12}(\.\d{1,6})?")


@click.command()
@click.argument("task_id", metavar="ID")
@click.option("--free", is_flag=True, help="Nothing was billed: it is written off.")
@click.option("--billed", is_flag=True, help="It was billed as it had been quoted.")
@click.option("--amount", metavar="NUMBER", help="So much was billed, in the currency of its price.")
@click.option("--placement", metavar="ID", help="Of this very send; `ringback get ID --json` lists them.")
@json_option
def settle(task_id: str, free: bool, billed: bool, amount: str | None, placement: str | None, as_json: bool) -> None:
    """Say what a send did cost of which nobody knows, as the provider's bill shows it. Until then it counts as spent.
    RINGBACK_KEY must be the admin token."""
    if [free, billed, amount is not None].count(True) != 1:
        raise Misused("Say one of --free, --billed and --amount.")
    micros = 0 if free else None if amount is None else _micros(amount)
    with Client() as client:
        told = client.settle(task_id, micros, placement)
    if as_json:
        print_json(told)
    else:
        click.echo(f"{task_id} at {told['provider']}: {told['message']}")


def _micros(amount: str) -> int:
    if not AMOUNT.fullmatch(amount):
        raise Misused("--amount must be a number such as 0.42, with at most six decimals.")
    return int(Decimal(amount) * MICROS)
