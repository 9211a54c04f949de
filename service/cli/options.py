"""Options that several commands have, and the settings behind them."""

from __future__ import annotations

from pathlib import Path

import click

from service.cli.exits import Misused
from service.settings import ClientSettings, Settings, SettingsError, load, load_client

config_option = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A TOML file with settings; variables come before it. [default: RINGBACK_CONFIG]",
)
limit_option = click.option(
    "--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="Only the newest so many."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def load_settings(config: Path | None) -> Settings:
    """The server's settings. Raises `Misused`."""
    try:
        return load(config)
    except SettingsError as error:
        raise misused(error) from None


def load_client_settings() -> ClientSettings:
    """Where the server is and who asks. Raises `Misused`."""
    try:
        return load_client()
    except SettingsError as error:
        raise misused(error) from None


def misused(error: SettingsError) -> Misused:
    return Misused("\n          ".join(error.problems))
