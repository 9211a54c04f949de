"""`ringback listen`: events come over a connection from here to the server, and are handed to a receiver here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import click

from service.cli.client import Client
from service.cli.event_stream import OPENED, Frame, follow
from service.cli.exits import Misused
from service.cli.forwarding import Forwarded, Forwarder, task_of
from service.cli.listening import address_option, secret_option, signing_secret
from service.cli.options import json_option
from service.domain.deliveries import RUNNING
from service.domain.event_log import STREAMED
from service.domain.tell import EVENT_TYPES

FORMS = [*map(str, STREAMED)]
ENDS = ",".join(type_ for type_ in EVENT_TYPES if type_ != RUNNING)


@click.command()
@address_option("--forward-to", "Where to POST them, such as http://localhost:3000/hook.")
@click.option("--events", "types", metavar="TYPES", default=ENDS, help=f"Of {', '.join(EVENT_TYPES)}. [default: ends]")
@click.option("--since", metavar="TIME", help="Begin earlier: 90s, 15m, 2h, 7d ago, or at a time. [default: now]")
@click.option("--last-event-id", "place", metavar="ID", help="Begin behind this event.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMS),
    default="event",
    show_default=True,
    help="own: in the shape of the API that the task was created by.",
)
@secret_option
@json_option
def listen(
    forward_to: str | None,
    types: str,
    since: str | None,
    place: str | None,
    form: str,
    secret: str | None,
    as_json: bool,
) -> None:
    """Show what happens to your tasks and hand it to a receiver on this machine, which nobody must reach from outside.

    Each event is POSTed as the server POSTs them, signed with a secret that stays the same. Ends by Ctrl-C.
    """
    _check(types, place)
    query = {"types": types, "since": since, "format": form}
    with Client() as client:
        if forward_to is None:
            _listen(client, place, query, None, as_json)
            return
        with Forwarder(forward_to, signing_secret(secret), _say) as forwarder:
            _say(f"events are forwarded to {forward_to}; Ctrl-C ends it")
            _listen(client, place, query, forwarder.forward, as_json)


def _listen(
    client: Client,
    place: str | None,
    query: Mapping[str, str | None],
    forward: Callable[[Frame], Forwarded] | None,
    as_json: bool,
) -> None:
    try:
        for frame in follow(client, place, _say, **query):
            if frame.type != OPENED:
                _show(frame, forward(frame) if forward else None, as_json)
            else:
                _opened(frame, client, place)
            place = frame.id or place
    except KeyboardInterrupt:
        _say(f"go on with: ringback listen --last-event-id {place} ..." if place else "nothing was heard")


def _opened(frame: Frame, client: Client, place: str | None) -> None:
    if json.loads(frame.data)["data"].get("gap"):
        _say(f"events behind {place} were deleted for their age and are missing here; tasks can still be read")
    elif place is None:
        _say(f"listening at {client.url}")


def _check(types: str, place: str | None) -> None:
    if unknown := set(types.split(",")) - {*EVENT_TYPES}:
        raise Misused(f"--events {', '.join(sorted(unknown))}: it may be {', '.join(EVENT_TYPES)}.")
    if place is not None and not place.isdecimal():
        raise Misused("--last-event-id: the id of an event is needed, a whole number.")


def _show(frame: Frame, forwarded: Forwarded | None, as_json: bool) -> None:
    """A line for each event."""
    event = json.loads(frame.data)
    if as_json:
        click.echo(json.dumps(_shown(frame, event, forwarded), ensure_ascii=False))
        return
    line = f"{_now()}  {frame.type:<14}  {task_of(event)}"
    if forwarded is None:
        click.echo(f"{line}  {_result(event)}".rstrip())
        return
    told = str(forwarded.status) if forwarded.status else f"not forwarded: {forwarded.error}"
    repeat = "" if forwarded.taken or frame.id is None else f"; again with --last-event-id {int(frame.id) - 1}"
    click.secho(f"{line}  {told}  {forwarded.elapsed_ms} ms{repeat}", fg=None if forwarded.taken else "red")


def _result(event: Mapping[str, Any]) -> str:
    """Of an event its video or error; a body in another shape is shown by --json."""
    data = event["data"] if "timestamp" in event else {}
    return str(data.get("video_url") or (data.get("error") or {}).get("code", ""))


def _shown(frame: Frame, event: Any, forwarded: Forwarded | None) -> dict[str, Any]:
    shown = {"id": int(frame.id) if frame.id else None, "type": frame.type, "event": event}
    if forwarded is None:
        return shown
    return shown | {
        "webhook_id": forwarded.webhook_id,
        "status": forwarded.status,
        "error": forwarded.error,
        "tries": forwarded.tries,
        "elapsed_ms": forwarded.elapsed_ms,
    }


def _say(text: str) -> None:
    """On standard error: standard output is for events."""
    click.echo(f"{_now()}  {text}", err=True)


def _now() -> str:
    return datetime.now(UTC).astimezone().strftime("%H:%M:%S")
