"""`ringback keys`: client keys, in the database itself: while a server works on it, and before the first one does."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from service.cli.exits import Failed, Misused
from service.cli.options import config_option, json_option, load_settings, misused
from service.cli.output import print_fields, print_json, print_table, when
from service.clients import Clients, clients_of
from service.clock import system_clock
from service.egress import Refused as RefusedUrl
from service.egress import egress_policy
from service.settings import Settings, SettingsError
from service.store import Key, Store
from service.tell import iso

T = TypeVar("T")
COLUMNS = ("id", "name", "callback URL", "created", "revoked")


@click.group()
def keys() -> None:
    """Make, list and revoke client keys, in the database that the server's settings name."""


@keys.command()
@click.argument("name")
@click.option("--import", "imports", is_flag=True, help="Take a key that a program sends already: asked for, or piped.")
@click.option("--callback-url", metavar="URL", help="Told of the end of tasks that name no callback themselves.")
@config_option
@json_option
def create(name: str, imports: bool, callback_url: str | None, config: Path | None, as_json: bool) -> None:
    """Make a key for a client program. The key and its webhook secret are shown this once."""
    settings = load_settings(config)
    key = _read_key() if imports else None
    if callback_url is not None:
        _check(settings, callback_url)
    made = _with(settings, lambda clients: clients.create(name, key=key, callback_url=callback_url), first=True)
    if made is None:
        raise Failed("That key is registered already.")
    shown = {"id": made.id, "name": made.name, "key": made.key, "webhook_secret": made.webhook_secret}
    if as_json:
        print_json(shown)
    else:
        print_fields(shown)
        where = "" if settings.on_postgres else f" The key is good for a server on {Path(settings.database).resolve()}."
        click.echo(f"Keep both now: they are not shown again.{where}", err=True)


@keys.command("list")
@config_option
@json_option
def list_keys(config: Path | None, as_json: bool) -> None:
    """List the keys of the database, revoked ones included; RINGBACK_API_KEYS has its own."""
    found = _with(load_settings(config), Clients.list)
    shown = [_shown(key) for key in found]
    if as_json:
        print_json({"keys": shown})
    else:
        print_table(COLUMNS, map(_row, shown), "There are no keys.")


@keys.command()
@click.argument("key_id", metavar="ID")
@config_option
def revoke(key_id: str, config: Path | None) -> None:
    """Revoke a key, at once and for good. Its tasks go on."""
    if not _with(load_settings(config), lambda clients: clients.revoke(key_id)):
        raise Failed("There is no such key, or it is revoked already. `ringback keys list` shows the ids.")
    click.echo(f"{key_id} is revoked.")


def _with(settings: Settings, verb: Callable[[Clients], Awaitable[T]], *, first: bool = False) -> T:
    """Runs one verb on the database of `settings`; only a verb that may be the `first` makes the file."""

    async def run() -> T:
        store = Store.open(Path(settings.database), serve=False)
        try:
            return await verb(clients_of(settings, store, system_clock))
        finally:
            await store.close()

    if settings.on_postgres:
        raise Misused("RINGBACK_DATABASE: only SQLite is supported yet; give the path of a file.")
    path = Path(settings.database)
    if not first and not path.exists():
        raise Failed(f"There is no database at {path.resolve()}. Go to the server's folder, or set RINGBACK_DATABASE.")
    try:
        return asyncio.run(run())
    except OSError as error:
        raise Failed(f"The database cannot be used: {error.strerror or error}.") from None


def _read_key() -> str:
    """Never from the arguments, which every user of the machine can see."""
    seen = sys.stdin.isatty()
    key = str(click.prompt("Key", hide_input=True, err=True)) if seen else sys.stdin.readline()
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise Misused("A key is visible ASCII characters without blanks, as an HTTP header can carry them.")
    return key


def _check(settings: Settings, url: str) -> None:
    """What the URL itself says; where its name leads is looked at when something is sent there."""
    try:
        egress_policy(settings).check_url(url)
    except SettingsError as error:
        raise misused(error) from None
    except RefusedUrl as error:
        raise Misused(f"--callback-url: {error.reason}") from None


def _shown(key: Key) -> dict[str, str | None]:
    return {
        "id": key.id,
        "name": key.name,
        "callback_url": key.callback_url,
        "created_at": iso(key.created_at),
        "revoked_at": iso(key.revoked_at) if key.revoked_at else None,
    }


def _row(key: dict[str, str | None]) -> list[str | None]:
    return [key["id"], key["name"], key["callback_url"], when(key["created_at"]), when(key["revoked_at"])]
