"""`ringback deliveries`."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import click

from service.cli.client import Client
from service.cli.options import json_option, limit_option
from service.cli.output import print_fields, print_json, print_table, when
from service.domain.deliveries import DeliveryState

FIELDS = ("id", "state", "type", "task_id", "url", "endpoint", "replay_of")
TIMES = ("created_at", "delivered_at", "next_attempt_at")
LOG = ("#", "at", "ms", "what came of it")
STEPS = ("dns_ms", "connect_ms", "tls_ms", "first_byte_ms")
COLUMNS = ("id", "state", "attempts", "type", "task", "to", "next attempt")


@click.command()
@click.argument("delivery_id", metavar="[ID]", required=False)
@click.option("--task", metavar="ID", help="Only those of this task.")
@click.option("--state", type=click.Choice(DeliveryState, case_sensitive=False), help="Only those in this state.")
@limit_option
@json_option
def deliveries(
    delivery_id: str | None, task: str | None, state: DeliveryState | None, limit: int, as_json: bool
) -> None:
    """List callbacks and how they went, the newest first; with an ID one of them, with all its attempts."""
    with Client() as client:
        if delivery_id is not None:
            _show(client.get(f"/v1/deliveries/{quote(delivery_id, safe='')}"), as_json)
            return
        page = client.get("/v1/deliveries", task=task, state=state, limit=limit)
    if as_json:
        print_json(page)
        return
    rows = [_row(delivery) for delivery in page["deliveries"]]
    print_table(COLUMNS, rows, "There are no callbacks.")


def _show(delivery: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(delivery)
        return
    print_fields({name: delivery[name] for name in FIELDS} | {name: when(delivery[name]) for name in TIMES})
    print_table(LOG, map(_attempt, delivery["log"]), _untold(delivery))
    if not delivery["body_kept"]:
        click.echo("Its body was deleted for its age, so it cannot be sent again.")
    if delivery["log"] and (why := delivery["log"][-1]["why_next"]):
        click.echo(f"next: {when(delivery['next_attempt_at']) or 'none'}, {why}")


def _untold(delivery: dict[str, Any]) -> str:
    """Why there are no attempts to show."""
    tried = delivery["attempts"]
    return f"It was tried {tried} times; attempts are deleted for their age." if tried else "It was not tried yet."


def _attempt(attempt: dict[str, Any]) -> list[Any]:
    """Its reason is a sentence that names the status, too; behind it stands where its time went."""
    named = ((name.removesuffix("_ms").replace("_", " "), attempt[name]) for name in STEPS)
    steps = [f"{name} {took}" for name, took in named if took is not None]
    where = [f"at {attempt['address']}"] if attempt["address"] else []
    more = ", ".join([*where, *steps])
    said = f"{attempt['reason']} ({more})" if more else attempt["reason"]
    return [attempt["number"], when(attempt["started_at"]), attempt["elapsed_ms"], said]


def _row(delivery: dict[str, Any]) -> list[Any]:
    fields = [delivery[name] for name in ("id", "state", "attempts", "type", "task_id", "url")]
    return [*fields, when(delivery["next_attempt_at"])]
