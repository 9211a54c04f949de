"""`ringback expunge`."""

from __future__ import annotations

import click

from service.cli.client import Client
from service.cli.options import json_option
from service.cli.output import print_json


@click.command()
@click.argument("task_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def expunge(task_id: str, yes: bool, as_json: bool) -> None:
    """Delete what an ended task was about, at once: prompt, media, result, callbacks and who was told. What it cost
    stays. The provider keeps what it has; this is about this server."""
    with Client() as client:
        if not yes:
            model = client.record(task_id)["model"]
            click.confirm(
                f"{task_id} ({model}) cannot be had back. Delete it (--yes does not ask)?", abort=True, err=True
            )
        told = client.expunge(task_id)
    if as_json:
        print_json(told)
    else:
        click.echo(f"{task_id} is expunged. {told['message']}")
