"""Options that several commands have, and the settings behind them."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import click

from service.cli.exits import Misused
from service.domain.tell import EVENT_TYPES
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


class Span(click.ParamType[int]):
    """A length of time in seconds: 0, 90s, 15m, 24h, 7d."""

    name = "time"
    UNITS: ClassVar[Mapping[str, int]] = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"([0-9]{1,9})([smhd]?)", str(value))
        if found is None:
            self.fail("a time is needed, such as 0, 90s, 15m, 24h or 7d.", param, ctx)
        return int(found[1]) * self.UNITS[found[2]]


overlap_option = click.option(
    "--overlap", type=Span(), default="24h", show_default=True, help="How long the old one signs too (0: not at all)."
)
secret_option = click.option(
    "--secret", metavar="whsec_...", help="One that a receiver has already (- reads it). [default: a new one]"
)


endpoint_option = click.option(
    "--endpoint", metavar="ID", help="An endpoint that is told (too); see `ringback endpoints`."
)
events_option = click.option(
    "--event", "events", multiple=True, type=click.Choice(EVENT_TYPES), help="Tell only this (repeatable)."
)


def secret_given(text: str) -> str:
    """The webhook secret that was given as an option, or as a line of standard input."""
    return sys.stdin.readline().strip() if text == "-" else text


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
