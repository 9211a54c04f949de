"""`ringback models`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from adapters.catalogue import Catalogue, CatalogueError, Mistake
from adapters.providers import PROVIDERS
from service.cli.client import Client
from service.cli.exits import Failed, Misused
from service.cli.options import json_option, misused
from service.cli.output import print_json, print_table
from service.settings import SettingsError, catalogue_path, read_catalogue, sentence


@click.command()
@click.option("--check", "checks", is_flag=True, help="Check FILE, or the file of RINGBACK_CATALOGUE; asks no server.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@json_option
def models(checks: bool, file: Path | None, as_json: bool) -> None:
    """List the models, what they take, and which providers offer them; those in brackets are not configured here.

    With --check, say what is wrong with a catalogue of your own, line by line, and end with code 1 if anything is.
    """
    if checks:
        _check(file or _configured(), as_json)
    elif file is not None:
        raise Misused("To check a catalogue: ringback models --check FILE.")
    else:
        _list(as_json)


def _list(as_json: bool) -> None:
    with Client() as client:
        answer = client.get("/v1/models")
    if as_json:
        print_json(answer)
        return
    rows = [
        (model["model"], model["mode"], _providers(model), _media(model), _notes(model)) for model in answer["models"]
    ]
    print_table(("model", "mode", "providers", "media", ""), rows, "The catalogue is empty.")


def _configured() -> Path:
    try:
        path = catalogue_path()
    except SettingsError as error:
        raise misused(error) from None
    if path is None:
        raise Misused("Name the file to check, or set RINGBACK_CATALOGUE.")
    return path


def _check(path: Path, as_json: bool) -> None:
    try:
        catalogue = read_catalogue(path)
    except CatalogueError as error:
        _tell_wrong(path, error.mistakes, as_json)
        return
    found = _found(catalogue)
    if as_json:
        print_json({"file": str(path), "ok": True, "problems": [], **found})
        return
    parts = [f"{name}: {', '.join(names)}" for name, names in found.items() if names]
    click.echo(f"{path} is good. It has {'; '.join(parts) or 'nothing in it'}.")


def _tell_wrong(path: Path, mistakes: Sequence[Mistake], as_json: bool) -> None:
    if as_json:
        told = [{"line": one.line or None, "key": one.key, "reason": one.reason} for one in mistakes]
        print_json({"file": str(path), "ok": False, "problems": told})
    else:
        for one in mistakes:
            click.echo(sentence(path, one))
    raise Failed(f"{path} cannot be used: {len(mistakes)} {'mistake' if len(mistakes) == 1 else 'mistakes'}.")


def _found(catalogue: Catalogue) -> dict[str, list[str]]:
    """What the operator's file added or changed."""
    rows = catalogue.providers
    return {
        "models": [name for name in catalogue.models if name in catalogue.own],
        "providers": [name for name, row in rows.items() if row != PROVIDERS.get(name)],
        "aliases": list(catalogue.aliases),
    }


def _providers(model: dict[str, Any]) -> str:
    return ", ".join(name if name in model["available"] else f"({name})" for name in model["providers"])


def _media(model: dict[str, Any]) -> str:
    return ", ".join(_rule(rule) for rule in model["media"])


def _rule(rule: dict[str, Any]) -> str:
    least, most, kinds = rule["min"], rule["max"], " or ".join(rule["kinds"])
    if least == most == 1:
        return kinds
    return f"up to {most} {kinds}" if least == 0 else f"{least} to {most} {kinds}"


def _notes(model: dict[str, Any]) -> str:
    """What of it is the operator's own."""
    return "; ".join(
        [*(["your catalogue's"] if model["own"] else []), *(f"also {alias}" for alias in model["aliases"])]
    )
