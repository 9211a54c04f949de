"""What `listen` and `trigger` have in common: where to forward, and what signs that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click

from service.cli.exits import Misused
from service.cli.options import misused
from service.keys.signing import sign
from service.settings import SettingsError, listen_secret

F = TypeVar("F", bound=Callable[..., Any])

secret_option = click.option(
    "--secret", envvar="RINGBACK_WEBHOOK_SECRET", help="Sign with this one. [default: one that is kept]"
)


def address_option(name: str, text: str) -> Callable[[F], F]:
    return click.option(name, metavar="URL", callback=_address, help=text)


def _address(ctx: click.Context, option: click.Parameter, url: str | None) -> str | None:
    parts = urlsplit(url or "http://localhost")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Misused(f"{option.opts[0]} {url}: an address that begins with http:// or https:// is needed.")
    return url


def signing_secret(given: str | None) -> str:
    """The given secret, or the one that is kept for this; said on standard error. Raises `Misused`."""
    try:
        secret, kept = (given, None) if given else listen_secret()
        sign([secret], "evt", 0, b"")
    except SettingsError as error:
        raise misused(error) from None
    except ValueError as error:
        raise Misused(f"The secret cannot be used: {error}.") from None
    click.echo(f"webhook secret: {secret}" + (f" (always the same, kept in {kept})" if kept else ""), err=True)
    return secret
