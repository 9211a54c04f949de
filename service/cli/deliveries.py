"""`ringback deliveries`."""

from __future__ import annotations

from typing import Any

import click

from service.cli.client import Client
from service.cli.options import json_option, limit_option
from service.cli.output import print_json, print_table, when
from service.deliveries import DeliveryState

COLUMNS = ("id", "state", "attempts", "type", "task", "to", "next attempt")


@click.command()
@click.option("--task", metavar="ID", help="Only those of this task.")
@click.option("--state", type=click.Choice(DeliveryState, case_sensitive=False), help="Only those in this state.")
@limit_option
@json_option
def deliveries(task: str | None, state: DeliveryState | None, limit: int, as_json: bool) -> None:
    """List callbacks and how they went, the newest first."""
    with Client() as client:
        page = client.get("/v1/deliveries", task=task, state=state, limit=limit)
    if as_json:
        print_json(page)
        return
    rows = [_row(delivery) for delivery in page["deliveries"]]
    print_table(COLUMNS, rows, "There are no callbacks.")


def _row(delivery: dict[str, Any]) -> list[Any]:
    fields = [delivery[name] for name in ("id", "state", "attempts", "type", "task_id", "url")]
    return [*fields, when(delivery["next_attempt_at"])]
