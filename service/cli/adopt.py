"""`ringback adopt`."""

from __future__ import annotations

import click

from service.cli.client import Client
from service.cli.options import json_option
from service.cli.output import print_json


@click.command()
@click.argument("task_id", metavar="ID")
@click.argument("upstream_id", metavar="UPSTREAM_ID")
@click.option("--provider", metavar="NAME", help="Of the send to this provider, where several are in doubt.")
@click.option("--account", metavar="NAME", help="Of the send by this account.")
@click.option("--placement", metavar="ID", help="Of this very send; `ringback get ID --json` lists them.")
@json_option
def adopt(task_id: str, upstream_id: str, as_json: bool, **which: str | None) -> None:
    """Say under which id the provider has a lost submission, as its console shows it. The provider is asked once; then
    the task goes on, or is recovered. Nothing new is sent. RINGBACK_KEY must be the admin token."""
    found = {name: value for name, value in which.items() if value}
    with Client() as client:
        told = client.adopt(task_id, found | {"upstream_id": upstream_id})
    if as_json:
        print_json(told)
    else:
        click.echo(f"{task_id} is {told['state']}. {told['message']}")
