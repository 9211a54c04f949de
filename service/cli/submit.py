"""`ringback submit`: a task from options, or any body of any shape as it is."""

from __future__ import annotations

import json
from typing import IO, Any
from uuid import uuid4

import click

from service.cli.asking import content, video_options
from service.cli.client import Client
from service.cli.composing import path_for
from service.cli.exits import Misused
from service.cli.options import endpoint_option, events_option, json_option
from service.cli.output import print_json
from service.cli.wait import finish, timeout_option


@click.command()
@video_options
@click.option("--callback", metavar="URL", help="Where to POST the end of the task.")
@endpoint_option
@events_option
@click.option("--metadata", metavar="JSON", help="An object of yours that comes back with the task.")
@click.option("--idempotency-key", metavar="KEY", help="The same key again means the same task. [default: a new one]")
@click.option("--wait", "waits", is_flag=True, help="Wait for the end, as `ringback wait` does.")
@timeout_option
@json_option
def submit(
    body: IO[bytes] | None,
    shape: str,
    callback: str | None,
    endpoint: str | None,
    events: tuple[str, ...],
    provider: str | None,
    metadata: str | None,
    idempotency_key: str | None,
    waits: bool,
    timeout: float | None,
    as_json: bool,
    **fields: Any,
) -> None:
    """Submit a video task and print its id.

    \b
    ringback submit --model wan2.6-t2v --prompt "A lighthouse at sunset" --wait
    ringback submit --shape native --body request.json --callback https://example.com/hook
    """
    told = {"x-callback-url": callback, "x-callback-endpoint": endpoint, "x-callback-events": ",".join(events) or None}
    named = told | {"x-ringback-provider": provider, "x-ringback-metadata": _metadata(metadata)}
    headers = {name: value for name, value in named.items() if value is not None}
    with Client() as client:
        sent = content(body, shape, fields, client.model)
        reply = client.submit(path_for(shape, sent, client.model), sent, headers, idempotency_key or str(uuid4()))
        task_id = _task_id(reply)
        if not (waits and as_json):  # then the record says it
            print_json(reply) if as_json else click.echo(task_id)
        if waits:
            finish(client, task_id, timeout, as_json)


def _metadata(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Misused("--metadata: a JSON object is needed, such as '{\"order\": 7}'.")
    return json.dumps(value, separators=(",", ":"))  # ASCII, as a header must be


def _task_id(reply: Any) -> str:
    """Flat has it at the top, native and gateway in `output`."""
    place = reply.get("output", reply)
    task_id: str = place["task_id"]
    return task_id
