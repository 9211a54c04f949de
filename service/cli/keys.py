"""`ringback keys`: client keys, in the database itself: while a server works on it, and before the first one does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from service.cli.allowing import allowance_options, changed, in_short, in_words
from service.cli.exits import Failed
from service.cli.key_inputs import check_url, read_key, webhook_secret
from service.cli.on_database import on_database
from service.cli.options import (
    config_option,
    json_option,
    load_settings,
    overlap_option,
    secret_option,
)
from service.cli.output import print_fields, print_json, print_table, when
from service.domain.allowances import Allowance, written
from service.domain.tell import iso
from service.keys.clients import Clients, NewKey
from service.store import Key

COLUMNS = ("id", "name", "callback URL", "created", "revoked", "limits and rights")


@click.group()
def keys() -> None:
    """Make, list and revoke client keys, and say what they may do, in the database that the server's settings name."""


@keys.command()
@click.argument("name")
@click.option("--import", "imports", is_flag=True, help="Take a key that a program sends already: asked for, or piped.")
@click.option("--callback-url", metavar="URL", help="Told of the end of tasks that name no callback themselves.")
@allowance_options
@secret_option
@config_option
@json_option
def create(
    name: str,
    imports: bool,
    callback_url: str | None,
    secret: str | None,
    config: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Make a key for a client program. The key and its webhook secret are shown this once."""
    settings = load_settings(config)
    allowance = changed(Allowance(""), settings.catalogue.providers, **options)
    key = read_key() if imports else None
    own = webhook_secret(secret)
    if callback_url is not None:
        check_url(settings, callback_url)
    given = {"key": key, "callback_url": callback_url, "allowance": allowance, "webhook_secret": own}
    made = on_database(settings, lambda clients: _create(clients, name, given), first=True)
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
    """List the keys of the database, revoked ones included, and what they and the clients of RINGBACK_API_KEYS may do
    and spend."""
    found, allowed = on_database(load_settings(config), _listed)
    others = {client: each for client, each in allowed.items() if client not in {key.id for key in found}}
    if as_json:
        keys = [_shown(key) | {"allowance": written(allowed.get(key.id, Allowance(key.id)))} for key in found]
        print_json({"keys": keys, "others": [written(each) for each in others.values()]})
    else:
        rows = [[*_row(_shown(key)), in_short(allowed.get(key.id))] for key in found]
        rows += [[client, None, None, None, None, in_short(each)] for client, each in others.items()]
        print_table(COLUMNS, rows, "There are no keys in the database. Those of RINGBACK_API_KEYS are not kept there.")


@keys.command()
@click.argument("client", metavar="CLIENT")
@allowance_options
@config_option
@json_option
def allow(client: str, config: Path | None, as_json: bool, **options: Any) -> None:
    """Say what a client may do and spend: the id or the name of a key, env:NAME of RINGBACK_API_KEYS, or open. What no
    option names stays as it is; without any it is shown. A running server takes it at once.

    \b
    ringback keys allow studio --budget "20 USD/month" --budget "3 USD/day"
    ringback keys allow env:app --provider dashscope --model wan2.7-t2v --no-watch
    """
    settings = load_settings(config)
    providers = settings.catalogue.providers
    allowance = on_database(
        settings, lambda clients: _allow(clients, client, lambda old: changed(old, providers, **options))
    )
    for model in options["models"]:
        if settings.catalogue.find(model) is None:
            click.echo(f"{model} is not in the catalogue: it can only go to a provider that a client names.", err=True)
    if as_json:
        print_json(written(allowance))
    else:
        print_fields({"client": allowance.client, **in_words(allowance)})


@keys.command()
@click.argument("key_id", metavar="ID")
@config_option
def revoke(key_id: str, config: Path | None) -> None:
    """Revoke a key, at once and for good. Its tasks go on."""
    if not on_database(load_settings(config), lambda clients: clients.revoke(key_id)):
        raise Failed("There is no such key, or it is revoked already. `ringback keys list` shows the ids.")
    click.echo(f"{key_id} is revoked.")


@keys.command("rotate-secret")
@click.argument("key", metavar="ID|NAME")
@overlap_option
@secret_option
@config_option
@json_option
def rotate_secret(key: str, overlap: int, secret: str | None, config: Path | None, as_json: bool) -> None:
    """Replace the webhook secret of a key. Until the overlap is over, callbacks carry the signatures of both."""
    given = webhook_secret(secret)
    shown = on_database(load_settings(config), lambda clients: _rotate(clients, key, given, overlap))
    if as_json:
        print_json(shown)
    else:
        print_fields(shown | {"old_secret_until": when(shown["old_secret_until"])})
        click.echo("Keep the secret now: it is not shown again.", err=True)


@keys.command()
@config_option
@json_option
def reseal(config: Path | None, as_json: bool) -> None:
    """Seal every secret of the database with the newest of RINGBACK_SECRET_KEYS, its last one. After that the others
    can go, once the tasks of before have ended: their callback URLs are signed with them."""
    resealed, lost = on_database(load_settings(config), lambda clients: clients.reseal())
    if as_json:
        print_json({"resealed": resealed, "unopenable": lost})
    else:
        click.echo(f"{resealed} secrets are sealed with the newest key.")
    if lost:
        text = "none of RINGBACK_SECRET_KEYS opens them. Add the key they were sealed with, or rotate them."
        raise Failed(f"{lost} secrets stay as they are: {text}")


async def _create(clients: Clients, name: str, given: Mapping[str, Any]) -> NewKey:
    """Under a name of its own: people mean keys by their names, and tell them apart so where costs are listed."""
    if others := await clients.meant_by(name):
        text = f"There is a key with the name {name} already ({', '.join(others)})"
        raise Failed(f"{text}. Choose another name, or revoke that one first.")
    made = await clients.create(name, **given)
    if made is None:
        raise Failed("That key is registered already.")
    return made


async def _rotate(clients: Clients, key: str, secret: str | None, overlap: int) -> dict[str, str]:
    meant = await clients.meant_by(key)
    rotated = await clients.rotate(meant[0], secret, overlap) if len(meant) == 1 else None
    if rotated is None:
        raise Failed("There is no such key, or several have that name. `ringback keys list` shows the ids.")
    return {"id": meant[0], "webhook_secret": rotated[0], "old_secret_until": iso(rotated[1])}


async def _listed(clients: Clients) -> tuple[list[Key], Mapping[str, Allowance]]:
    return await clients.list(), await clients.allowances()


async def _allow(clients: Clients, client: str, change: Callable[[Allowance], Allowance]) -> Allowance:
    meant = await clients.meant_by(client)
    if len(meant) != 1:
        there = f"Several keys have the name {client}" if meant else "There is no such client"
        raise Failed(f"{there}. `ringback keys list` shows the ids; those of RINGBACK_API_KEYS are env:NAME.")
    allowance = await clients.allowance(meant[0])
    wanted = change(allowance)
    if wanted != allowance:
        await clients.allow(wanted)
    return wanted


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
