"""`ringback replay`: one callback, those of a task, or all that a filter chooses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from service.cli.client import Client
from service.cli.exits import Misused
from service.cli.options import json_option
from service.cli.output import print_json, print_table, when
from service.domain.deliveries import DeliveryState
from service.domain.replays import DEFAULT_RATE, HIGHEST_RATE
from service.domain.tell import EVENT_TYPES

SAMPLE = ("id", "state", "type", "task", "to", "made")
NEEDED = "Say what to send again: the ID of a callback, --task ID, or a filter such as --failed --since 2h."


@click.command()
@click.argument("delivery_id", metavar="[ID]", required=False)
@click.option("--task", metavar="ID", help="All callbacks of this task.")
@click.option("--endpoint", metavar="ID", help="All that were sent to this endpoint.")
@click.option("--failed", is_flag=True, help="All that were tried and not delivered.")
@click.option("--state", "states", multiple=True, type=click.Choice(DeliveryState, case_sensitive=False))
@click.option("--type", "types", multiple=True, type=click.Choice(EVENT_TYPES), help="Of this kind (several: again).")
@click.option("--since", metavar="TIME", help="Only those made since: 90s, 15m, 2h, 7d ago, or a time.")
@click.option("--until", metavar="TIME", help="Only those made before.")
@click.option("--rate", type=click.IntRange(1, HIGHEST_RATE), help=f"So many a second. [default: {DEFAULT_RATE}]")
@click.option("--new-id", is_flag=True, help="As new messages, for receivers that drop ids they know.")
@click.option("--dry-run", is_flag=True, help="Say how many that would be, and send nothing.")
@json_option
def replay(
    delivery_id: str | None,
    rate: int | None,
    new_id: bool,
    dry_run: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Send callbacks again: the same id and body, a fresh signature.

    A receiver that drops ids which it knows will drop them, unless they are sent with --new-id.
    """
    choice = {name: list(value) if isinstance(value, tuple) else value for name, value in chosen.items() if value}
    how = {"new_id": new_id} | ({"rate": rate} if rate else {})
    _check(delivery_id, choice, rate, dry_run)
    with Client() as client:
        if delivery_id:
            _tell_one(client.replay("deliveries", delivery_id, {"new_id": new_id}), delivery_id, as_json)
        elif dry_run:
            _tell_would(client.begin_replay(choice | how | {"dry_run": True}), as_json)
        elif list(choice) == ["task"]:
            _tell_begun(client.replay("tasks", str(choice["task"]), how), as_json)
        else:
            _tell_begun(client.begin_replay(choice | how), as_json)


def _check(delivery_id: str | None, choice: dict[str, Any], rate: int | None, dry_run: bool) -> None:
    if delivery_id and (choice or rate or dry_run):
        raise Misused("The ID of a callback says it all; only --new-id can be added to it.")
    if not (delivery_id or choice):
        raise Misused(NEEDED)


def _tell_one(delivery: dict[str, Any], asked: str, as_json: bool) -> None:
    if as_json:
        print_json(delivery)
        return
    under = "" if delivery["id"] == asked else f" as {delivery['id']}"
    click.echo(f"{asked} is sent again{under} to {delivery['url']}")


def _tell_begun(begun: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(begun)
    else:
        click.echo(f"{begun['id']} has begun. See how it goes: ringback replays show {begun['id']} --follow")


def _tell_would(would: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(would)
        return
    print_table(SAMPLE, _rows(would["sample"]), "There is nothing to send again.")
    if would["matched"]:
        oldest, newest = when(would["oldest"]), when(would["newest"])
        click.echo(f"\n{would['matched']} would be sent again, made from {oldest} to {newest}. Nothing was sent.")


def _rows(sample: Sequence[dict[str, Any]]) -> list[list[Any]]:
    names = ("id", "state", "type", "task_id", "url")
    return [[*(one[name] for name in names), when(one["created_at"])] for one in sample]
