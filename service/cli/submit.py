"""`ringback submit`: a task from options, or any body of any shape as it is."""

from __future__ import annotations

import json
from typing import IO, Any
from uuid import uuid4

import click

from service.cli.client import Client
from service.cli.composing import MEDIA, compose, path_for
from service.cli.exits import Misused
from service.cli.options import json_option
from service.cli.output import print_json
from service.cli.wait import finish, timeout_option

SHAPES = ("flat", "native", "gateway")


@click.command()
@click.option("--model", help="Such as wan2.6-t2v; `ringback models` lists them.")
@click.option("--prompt", help="What the video is to show.")
@click.option("--negative-prompt", help="What it is not to show.")
@click.option("--image", "images", multiple=True, metavar="URL", help="The first frame or, by model, a reference.")
@click.option("--video", "videos", multiple=True, metavar="URL", help="The video to edit or, by model, a reference.")
@click.option("--audio", "audios", multiple=True, metavar="URL", help="The sound that drives the video.")
@click.option("--media", multiple=True, metavar="TYPE=URL", help=f"By its own name: {', '.join(MEDIA)}.")
@click.option("--duration", type=int, help="Seconds.")
@click.option("--resolution", help="Such as 720P.")
@click.option("--ratio", help="Such as 16:9.")
@click.option("--size", help="Such as 1280*720.")
@click.option("--seed", type=int)
@click.option("--watermark/--no-watermark", default=None)
@click.option("--prompt-extend/--no-prompt-extend", default=None)
@click.option("--set", "more", multiple=True, metavar="NAME=VALUE", help="Any other field, such as shot_type=multi.")
@click.option("--body", type=click.File("rb"), help="Send this JSON as it is instead (- is standard input).")
@click.option("--shape", type=click.Choice(SHAPES), default="flat", show_default=True, help="Of --body.")
@click.option("--callback", metavar="URL", help="Where to POST the end of the task.")
@click.option("--provider", metavar="NAME", help="Only this provider.")
@click.option("--metadata", metavar="JSON", help="An object of yours that comes back with the task.")
@click.option("--idempotency-key", metavar="KEY", help="The same key again means the same task. [default: a new one]")
@click.option("--wait", "waits", is_flag=True, help="Wait for the end, as `ringback wait` does.")
@timeout_option
@json_option
def submit(
    body: IO[bytes] | None,
    shape: str,
    callback: str | None,
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
    content = _content(body, shape, fields)
    named = {"x-callback-url": callback, "x-ringback-provider": provider, "x-ringback-metadata": _metadata(metadata)}
    headers = {name: value for name, value in named.items() if value is not None}
    with Client() as client:
        reply = client.submit(path_for(shape, content), content, headers, idempotency_key or str(uuid4()))
        task_id = _task_id(reply)
        if not (waits and as_json):  # then the record says it
            print_json(reply) if as_json else click.echo(task_id)
        if waits:
            finish(client, task_id, timeout, as_json)


def _content(body: IO[bytes] | None, shape: str, fields: dict[str, Any]) -> bytes:
    given = [name for name, value in fields.items() if value not in (None, ())]
    if body is not None:
        if given:
            raise Misused(f"--body is sent as it is, so --{given[0].replace('_', '-')} cannot be added to it.")
        return body.read()
    if shape != "flat":
        raise Misused(f"--shape {shape} needs --body.")
    if not fields["model"]:
        raise Misused("Name a --model (`ringback models` lists them), or send a --body.")
    return json.dumps(compose(**fields)).encode()


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
