"""`ringback subscribe`."""

from __future__ import annotations

import click

from service.cli.client import Client
from service.cli.options import json_option
from service.cli.output import print_json
from service.deliveries import Format


@click.command()
@click.argument("task_id", metavar="ID")
@click.argument("url", metavar="URL")
@click.option(
    "--format",
    "form",
    type=click.Choice([each.value for each in Format]),
    default=Format.OWN.value,
    show_default=True,
    help="The body: what the task's own API says, or Ringback's event.",
)
@json_option
def subscribe(task_id: str, url: str, form: str, as_json: bool) -> None:
    """Have one more URL called back when a task ends; if it has ended, at once."""
    with Client() as client:
        subscription = client.subscribe(task_id, url, form)
    if as_json:
        print_json(subscription)
    else:
        click.echo(f"{subscription['url']} is called back ({subscription['format']}).")
