"""`ringback trigger`: an event that did not happen, to try a receiver with."""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import uuid4

import click

from adapters import SHAPES
from adapters.catalogue import builtin
from service.cli.client import Client
from service.cli.exits import Failed, Misused
from service.cli.forwarding import Forwarder
from service.cli.listening import address_option, secret_option, signing_secret
from service.cli.options import json_option
from service.cli.output import print_json
from service.domain.deliveries import Format, Subscription
from service.domain.tell import EVENT_TYPES, Teller
from service.receivers.trial import trial


@click.command()
@click.argument("type_", metavar="TYPE", type=click.Choice(EVENT_TYPES))
@click.option("--url", help="The server POSTs it there, through its guard.")
@click.option("--endpoint", metavar="ID", help="The server POSTs it to this endpoint of yours.")
@address_option("--forward-to", "POST it from here, without a server.")
@click.option("--format", "form", type=click.Choice([*map(str, Format)]), help="[default: the endpoint's, or event]")
@click.option("--shape", type=click.Choice(list(SHAPES)), default="flat", show_default=True, help="Of the task.")
@secret_option
@json_option
def trigger(
    type_: str,
    url: str | None,
    endpoint: str | None,
    forward_to: str | None,
    form: str | None,
    shape: str,
    secret: str | None,
    as_json: bool,
) -> None:
    """Send an event that did not happen, marked as a test and signed like a real one: to a receiver, or (without a
    target) to whoever runs `ringback listen` with your key. No task is touched. TYPE is one of those that are told.

    Exit code 1 if it was not taken."""
    if sum(each is not None for each in (url, endpoint, forward_to)) > 1:
        raise Misused("Give one of --url, --endpoint and --forward-to.")
    if forward_to is not None:
        shown = _forwarded(type_, Format(form or Format.EVENT), shape, forward_to, signing_secret(secret))
    else:
        wish = {"type": type_, "url": url, "endpoint": endpoint, "format": form, "shape": shape}
        with Client() as client:
            shown = client.try_receiver({name: given for name, given in wish.items() if given is not None})
    _show(shown, as_json)


def _show(shown: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(shown)
    elif shown["delivered"]:
        heard = f"{shown['listeners']} listening" if shown["listeners"] else f"{shown['url']}: {shown['reason']}"
        click.echo(f"{shown['type']} {shown['webhook_id']} sent to {heard}")
    if not shown["delivered"]:
        nobody = "Nobody listens with your key: run `ringback listen`, or give --url, --endpoint or --forward-to."
        raise Failed(nobody if shown["listeners"] == 0 else f"{shown['url']}: {shown['reason']}")


def _forwarded(type_: str, form: Format, shape: str, url: str, secret: str) -> dict[str, Any]:
    now = int(time.time() * 1000)
    teller = Teller({name: adapter(builtin()) for name, adapter in SHAPES.items()}, lambda: f"msg_{uuid4().hex}")
    message = trial(teller, type_, shape, Subscription("", "", url, form, now), "", now)
    with Forwarder(url, secret, lambda text: click.echo(text, err=True)) as forwarder:
        done = forwarder.post(message.id, message.body, message.content_type)
    return {
        "webhook_id": message.id,
        "type": type_,
        "url": url,
        "listeners": None,
        "delivered": done.taken,
        "status": done.status,
        "reason": done.error or f"answered {done.status}",
        "elapsed_ms": done.elapsed_ms,
        "body": json.loads(message.body),
    }
