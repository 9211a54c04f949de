"""`ringback list` and `ringback get`."""

from __future__ import annotations

from typing import Any

import click

from service.cli.client import Client
from service.cli.options import json_option, limit_option
from service.cli.output import print_fields, print_json, print_table, when
from service.domain.ledger import decimal_of
from service.domain.tasks import TaskState


@click.command("list")
@click.option("--state", type=click.Choice(TaskState, case_sensitive=False), help="Only those in this state.")
@limit_option
@json_option
def list_tasks(state: TaskState | None, limit: int, as_json: bool) -> None:
    """List tasks, the newest first."""
    with Client() as client:
        page = client.get("/v1/tasks", state=state, limit=limit)
    if as_json:
        print_json(page)
        return
    rows = [
        (task["task_id"], task["state"], task["provider"], task["model"], task["shape"], when(task["created_at"]))
        for task in page["tasks"]
    ]
    print_table(("id", "state", "provider", "model", "shape", "created"), rows, "There are no tasks.")


@click.command()
@click.argument("task_id", metavar="ID")
@json_option
def get(task_id: str, as_json: bool) -> None:
    """Show everything that is known of a task."""
    with Client() as client:
        record = client.record(task_id)
    if as_json:
        print_json(record)
    else:
        print_record(record)


def print_record(record: dict[str, Any]) -> None:
    error = record["error"]
    print_fields(
        {
            "task": record["task_id"],
            "state": record["state"],
            "video": record["video_url"],
            "error": f"{error['code']}: {error['message']}" if error else None,
            "model": record["model"],
            "provider": record["provider"],
            "shape": record["shape"],
            "created": when(record["created_at"]),
            "finished": when(record["finished_at"]),
            "expected": _expected(record["eta"]),
            "noticed by": _noticed(record),
            "usage": record["usage"],
            "metadata": record["metadata"],
            "next step": record["next_step"],
        }
    )
    for placement in record["placements"]:
        click.echo(_placement(placement, record["watched"]))
    for delivery in record["deliveries"]:
        click.echo(f"callback {delivery['id']} to {delivery['url']}: {delivery['state']}")
        for attempt in delivery["log"]:
            click.echo(f"  {when(attempt['started_at'])}  {attempt['reason']} ({attempt['elapsed_ms']} ms)")
    if not record["subscriptions"]:
        click.echo("nobody is called back")


def _expected(eta: dict[str, str] | None) -> str | None:
    return f"half of such videos by {when(eta['p50'])}, nine in ten by {when(eta['p90'])}" if eta else None


def _noticed(record: dict[str, Any]) -> str | None:
    after = record["noticed_after_ms"]
    late = "" if after is None else f", {after / 1000:.1f} s after its end by the provider's clock"
    return f"{record['detector']}{late}" if record["detector"] else None


def _placement(placement: dict[str, Any], watched: bool) -> str:
    known_as = f" as {placement['upstream_id']}" if placement["upstream_id"] else ""
    reason = f" ({placement['reason']})" if placement["reason"] else ""
    looks = f", looked at {placement['looks']} times" if placement["looks"] else ""
    if placement["stalled"]:
        looks += f", {placement['misses']} in a row in vain (next: {when(placement['next_look_at']) or 'now'})"
    did = "watched at" if watched else f"sent {when(placement['sent_at'])} to"
    sent = f"{did} {placement['provider']}{known_as}"
    return f"{sent}: {placement['verdict']}{reason}{looks}{_price(placement['charge'])}"


def _price(charge: dict[str, Any] | None) -> str:
    if charge is None:
        return ""
    paid, most, currency = (charge[name] for name in ("amount_micros", "estimate_micros", "currency"))
    if paid is not None:
        return f", cost {decimal_of(paid)} {currency}" if paid else ", cost nothing"
    return f", costs at most {decimal_of(most)} {currency}" if most is not None else ", at a price that is not known"
