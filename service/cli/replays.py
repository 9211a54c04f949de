"""`ringback replays`: which there are, how one goes, and an end to it."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

import click

from service.cli.client import Client
from service.cli.options import json_option, limit_option
from service.cli.output import print_fields, print_json, print_table, when
from service.cli.wait import progress
from service.domain.replays import ReplayState

FOLLOW_SECONDS = 1.0
COLUMNS = ("id", "state", "matched", "replayed", "skipped", "what", "begun")
COUNTS = ("matched", "replayed", "skipped", "delivered", "failed_again", "left")
ENDED = (ReplayState.DONE, ReplayState.CANCELED)

Replay = dict[str, Any]


@click.group(invoke_without_command=True)
@limit_option
@json_option
@click.pass_context
def replays(context: click.Context, limit: int, as_json: bool) -> None:
    """List replays, the newest first; show how one goes, or cancel it."""
    if context.invoked_subcommand is not None:
        return
    with Client() as client:
        page = client.get("/v1/replays", limit=limit)
    if as_json:
        print_json(page)
    else:
        print_table(COLUMNS, map(_row, page["replays"]), "There are no replays.")


@replays.command()
@click.argument("replay_id", metavar="ID")
@click.option("--follow", is_flag=True, help="Wait until everything has been tried, and say how it goes.")
@json_option
def show(replay_id: str, follow: bool, as_json: bool) -> None:
    """Show how far a replay has come."""
    with Client() as client:
        told = _shown(client, replay_id)
        if follow:
            with progress() as say:
                while not (told["state"] in ENDED and not told["left"]):
                    say(", ".join(f"{name.replace('_', ' ')} {told[name]}" for name in COUNTS if told[name]))
                    time.sleep(FOLLOW_SECONDS)
                    told = _shown(client, replay_id)
    _print(told, as_json)


@replays.command()
@click.argument("replay_id", metavar="ID")
@json_option
def cancel(replay_id: str, as_json: bool) -> None:
    """Put no more callbacks in line; those that are there are still sent."""
    with Client() as client:
        told = client.cancel_replay(replay_id)
    _print(told, as_json)


def _shown(client: Client, replay_id: str) -> Replay:
    told: Replay = client.get(f"/v1/replays/{quote(replay_id, safe='')}")
    return told


def _print(told: Replay, as_json: bool) -> None:
    if as_json:
        print_json(told)
        return
    fields = {name: told[name] for name in ("id", "state")} | {"what": _what(told), "rate": f"{told['rate']} a second"}
    fields |= {name.replace("_", " "): told[name] for name in COUNTS}
    because = ", ".join(f"{name.replace('_', ' ')} {times}" for name, times in told["skipped_because"].items())
    times = {"begun": when(told["created_at"]), "in line by": when(told["eta"]), "ended": when(told["finished_at"])}
    print_fields(fields | {"skipped because": because or None} | times)


def _row(told: Replay) -> list[Any]:
    return [*(told[name] for name in COLUMNS[:5]), _what(told), when(told["created_at"])]


def _what(told: Replay) -> str:
    """What it chose, as the options of `ringback replay`."""
    chosen = told["selection"]
    words = ["--failed"] if chosen["failed"] else []
    words += [f"--state {one}" for one in chosen["states"]] + [f"--type {one}" for one in chosen["types"]]
    words += [f"--{name} {chosen[name]}" for name in ("task", "endpoint", "since", "until") if chosen[name]]
    return " ".join([*words, *(["--new-id"] if told["new_id"] else [])])
