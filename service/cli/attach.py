"""`ringback attach`: be called back for a task that was created at a provider itself."""

from __future__ import annotations

import click

from service.cli.client import Client
from service.cli.exits import Misused
from service.cli.options import endpoint_option, events_option, json_option
from service.cli.output import print_json
from service.cli.wait import finish, timeout_option
from service.domain.deliveries import Format
from service.settings import read_variable


@click.command()
@click.argument("provider", metavar="PROVIDER")
@click.argument("task_id", metavar="TASK_ID")
@click.option("--callback", metavar="URL", help="Where to POST the end of the task.")
@click.option(
    "--format",
    "form",
    type=click.Choice([each.value for each in Format]),
    help="The body: what the provider's own API says, Ringback's event, or a CloudEvent.",
)
@endpoint_option
@events_option
@click.option(
    "--upstream-key-env",
    "variable",
    metavar="NAME",
    help="The variable with your own key at the provider; without it the server's account is asked.",
)
@click.option("--model", help="Where the provider does not say it.")
@click.option("--wait", "waits", is_flag=True, help="Wait for the end, as `ringback wait` does.")
@timeout_option
@json_option
def attach(
    provider: str,
    task_id: str,
    callback: str | None,
    form: str | None,
    endpoint: str | None,
    events: tuple[str, ...],
    variable: str | None,
    model: str | None,
    waits: bool,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Watch a task that was created at PROVIDER itself, where it is TASK_ID, and print its id here.

    \b
    ringback attach dashscope 0385dc79-5ff8-4d82-bcb6-7a1c --callback https://example.com/hook
    ringback attach acedata 2006fb24-3bd4-4d1c --upstream-key-env ACEDATA_API_KEY --wait
    """
    told = {"callback_url": callback, "endpoint": endpoint, "format": form, "events": list(events) or None}
    named = told | {"upstream_key": _key(variable), "model": model}
    wish = {"provider": provider, "task_id": task_id}
    with Client() as client:
        task = client.watch(wish | {name: value for name, value in named.items() if value is not None})
        if not (waits and as_json):  # then the record says it
            print_json(task) if as_json else click.echo(task["task_id"])
        if waits:
            finish(client, task["task_id"], timeout, as_json)


def _key(variable: str | None) -> str | None:
    """Never an option of its own: the list of processes and the shell's history would show it. Raises `Misused`."""
    if variable is None:
        return None
    key = read_variable(variable)
    if not key:
        raise Misused(f"--upstream-key-env: {variable} is not set; export your key at the provider in it.")
    return key
