"""`ringback openapi`."""

from __future__ import annotations

import click

from service.cli.output import print_json
from service.openapi import document


@click.command()
def openapi() -> None:
    """Print the server's OpenAPI 3.1 document, which it also serves at /openapi.json."""
    print_json(document())
