"""What is handed in for a client key: the key itself, its callback URL, its webhook secret. All raise `Misused`."""

from __future__ import annotations

import sys

import click

from service.cli.exits import Misused
from service.cli.options import misused, secret_given
from service.keys.signing import is_secret
from service.network.egress import Refused as RefusedUrl
from service.network.egress import egress_policy
from service.settings import Settings, SettingsError


def read_key() -> str:
    """A client key, asked for or piped. Never from the arguments, which every user of the machine can see."""
    seen = sys.stdin.isatty()
    key = str(click.prompt("Key", hide_input=True, err=True)) if seen else sys.stdin.readline()
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise Misused("A key is visible ASCII characters without blanks, as an HTTP header can carry them.")
    return key


def check_url(settings: Settings, url: str) -> None:
    """What the URL itself says; where its name leads is looked at when something is sent there."""
    try:
        egress_policy(settings).check_url(url)
    except SettingsError as error:
        raise misused(error) from None
    except RefusedUrl as error:
        raise Misused(f"--callback-url: {error.reason}") from None


def webhook_secret(text: str | None) -> str | None:
    given = secret_given(text) if text else None
    if given is not None and not is_secret(given):
        raise Misused("--secret: whsec_ and the padded base64 of 24 to 64 bytes is needed.")
    return given
