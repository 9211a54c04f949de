"""`ringback events`: what needs the operator, once or as it happens."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import click

from service.cli.client import Client
from service.cli.options import json_option, limit_option
from service.cli.output import print_json, print_table, when

FOLLOW_SECONDS = 2.0
MOST = 200
COLUMNS = ("last", "kind", "about", "times", "")

Event = dict[str, Any]


@click.command()
@click.option("--kind", metavar="KIND", help="Only this kind, such as submission.in_doubt.")
@click.option("--since", metavar="TIME", help="Only what happened since: 90s, 15m, 2h, 7d ago, or a time.")
@click.option("--follow", is_flag=True, help="Go on, and print events as they happen.")
@limit_option
@json_option
def events(kind: str | None, since: str | None, follow: bool, limit: int, as_json: bool) -> None:
    """Show what needs the operator, what it means, and what to do next. RINGBACK_KEY must be the admin token."""
    with Client() as client:
        page = client.get("/v1/operator/events", kind=kind, since=since, limit=limit)
        if follow:
            _follow(client, kind, page["events"], as_json)
        elif as_json:
            print_json(page)
        else:
            _print(page["events"])


def _print(found: list[Event]) -> None:
    print_table(COLUMNS, map(_row, found), "There are no events.")
    for kind, meaning in {event["kind"]: event["meaning"] for event in found if event["meaning"]}.items():
        click.echo(f"\n{kind}: {meaning}")


def _follow(client: Client, kind: str | None, first: list[Event], as_json: bool) -> None:
    """Prints a line for each event, and for each time that it happens again. Ends by Ctrl-C, as `tail -f` does."""
    explained: set[str] = set()
    for event in _news(client, kind, first):
        if as_json:
            click.echo(json.dumps(event, ensure_ascii=False))
            continue
        last, name, about, times, fields = _row(event)
        click.echo(f"{last}  {name}  {about}  {f'({times} times)  ' if times > 1 else ''}{fields}")
        if event["meaning"] and name not in explained:
            explained.add(name)
            click.echo(f"  {event['meaning']}")


def _news(client: Client, kind: str | None, first: list[Event]) -> Iterator[Event]:
    """The `first` ones, then whatever happens: of each event what it has become when it was asked for."""
    page, seen = first, dict[str, int]()
    while True:
        yield from (event for event in reversed(page) if seen.get(event["id"]) != event["times"])
        seen = {event["id"]: event["times"] for event in page}
        latest = page[0]["last_at"] if page else None  # asked for once more: several may be of one millisecond
        time.sleep(FOLLOW_SECONDS)
        page = client.get("/v1/operator/events", kind=kind, since=latest, limit=MOST)["events"]


def _row(event: Event) -> tuple[str | None, str, str, int, str]:
    """`about` is told once, where a field repeats it."""
    fields = ", ".join(f"{name}: {text}" for name, text in event["fields"].items() if text != event["subject"])
    return when(event["last_at"]), event["kind"], event["subject"], event["times"], fields
