"""`ringback cancel`."""

from __future__ import annotations

import click

from service.cli.client import Client
from service.cli.exits import Failed
from service.cli.options import json_option
from service.cli.output import print_json


@click.command()
@click.argument("task_id", metavar="ID")
@json_option
def cancel(task_id: str, as_json: bool) -> None:
    """Cancel a task: before it is sent always, after that only where the provider agrees. Exit code 1 if it goes on."""
    with Client() as client:
        told = client.cancel(task_id)
    if as_json:
        print_json(told)
    elif told["canceled"]:
        click.echo(f"{task_id} is canceled. {told['message']}")
    if not told["canceled"]:
        raise Failed(f"The task is not canceled, it is {told['state']}. {told['message']}")
