"""`ringback models`."""

from __future__ import annotations

from typing import Any

import click

from service.cli.client import Client
from service.cli.options import json_option
from service.cli.output import print_json, print_table


@click.command()
@json_option
def models(as_json: bool) -> None:
    """List the models, what they take, and which providers offer them; those in brackets are not configured here."""
    with Client() as client:
        answer = client.get("/v1/models")
    if as_json:
        print_json(answer)
        return
    rows = [(model["model"], model["mode"], _providers(model), _media(model)) for model in answer["models"]]
    print_table(("model", "mode", "providers", "media"), rows, "The catalogue is empty.")


def _providers(model: dict[str, Any]) -> str:
    return ", ".join(name if name in model["available"] else f"({name})" for name in model["providers"])


def _media(model: dict[str, Any]) -> str:
    return ", ".join(_rule(rule) for rule in model["media"])


def _rule(rule: dict[str, Any]) -> str:
    least, most, kinds = rule["min"], rule["max"], " or ".join(rule["kinds"])
    if least == most == 1:
        return kinds
    return f"up to {most} {kinds}" if least == 0 else f"{least} to {most} {kinds}"
