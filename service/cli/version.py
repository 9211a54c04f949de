"""`ringback version`."""

from __future__ import annotations

from importlib.metadata import version as version_of

import click

NAME = "ringback"


@click.command()
def version() -> None:
    """Show the version of this program."""
    click.echo(f"{NAME} {version_of(NAME)}")
