"""`ringback send-again`."""

from __future__ import annotations

import click

from service.cli.client import Client
from service.cli.exits import Refused
from service.cli.options import json_option
from service.cli.output import print_json

CONFIRM = "confirmation_needed"


@click.command("send-again")
@click.argument("task_id", metavar="ID")
@click.option("--provider", metavar="NAME", help="Send it to this provider instead.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def send_again(task_id: str, provider: str | None, yes: bool, as_json: bool) -> None:
    """Have a task made once more that is in doubt, or that ended without a word on its video. Says first what that may
    cost: it may be the second payment. RINGBACK_KEY must be the admin token."""
    with Client() as client:
        if not yes:
            click.confirm(f"{_bill(client, task_id, provider)}\nSend it again?", abort=True, err=True)
        told = client.send_again(task_id, provider, confirm=True)
    if as_json:
        print_json(told)
    else:
        click.echo(f"{task_id} is sent again, to {told['provider']}. {told['message'] if yes else ''}".rstrip())


def _bill(client: Client, task_id: str, provider: str | None) -> str:
    try:
        client.send_again(task_id, provider, confirm=False)
    except Refused as refusal:
        if refusal.code == CONFIRM:
            return refusal.message
        raise
    raise AssertionError("nothing is sent again without being confirmed")
