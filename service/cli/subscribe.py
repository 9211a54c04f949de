"""`ringback subscribe`."""

from __future__ import annotations

from typing import Any

import click

from service.cli.client import Client
from service.cli.options import events_option, json_option
from service.cli.output import print_json
from service.domain.deliveries import Format


@click.command()
@click.argument("task_id", metavar="ID")
@click.argument("receiver", metavar="URL|ENDPOINT")
@click.option(
    "--format",
    "form",
    type=click.Choice([each.value for each in Format]),
    help="The body: what the task's own API says, Ringback's event, or a CloudEvent.",
)
@events_option
@json_option
def subscribe(task_id: str, receiver: str, form: str | None, events: tuple[str, ...], as_json: bool) -> None:
    """Have one more URL or endpoint called back when a task ends; if it has ended, at once."""
    wish: dict[str, Any] = {"url" if "://" in receiver else "endpoint": receiver}
    wish |= ({"format": form} if form else {}) | ({"events": list(events)} if events else {})
    with Client() as client:
        subscription = client.subscribe(task_id, wish)
    if as_json:
        print_json(subscription)
    else:
        form = subscription["format"] or "in the endpoint's format"
        click.echo(f"{subscription['url']} is called back ({form}).")
