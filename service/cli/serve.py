"""`ringback serve`: one server, from its settings to its orderly stop."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from pathlib import Path

import click

from service import logs
from service.app import Ringback, create_app
from service.cli.exits import Failed
from service.cli.options import config_option, load_settings, misused
from service.cli.serving import bind, more_files, port_of, served, settle, stop_asked, url_of
from service.settings import Settings, SettingsError
from service.store import AlreadyServed

NO_PROVIDER = """\
No provider is configured: every task is refused until you set one of
{keys} and start again.
Without an account: `ringback sim` runs simulated ones and says how to use them."""


@click.command()
@config_option
@click.option("--host", metavar="ADDRESS", help="The address to listen on. [default: RINGBACK_HOST, or 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="0 takes any free one. [default: RINGBACK_PORT, or 8000]")
def serve(config: Path | None, host: str | None, port: int | None) -> None:
    """Run the server until Ctrl-C or SIGTERM.

    Settings are variables of the environment (RINGBACK_..., and a provider's <NAME>_API_KEY) or a TOML file.
    """
    settings = load_settings(config)
    asked = {"host": host, "port": port}
    settings = settings.model_copy(update={name: value for name, value in asked.items() if value is not None})
    sockets = bind(settings.host, settings.port)
    settings = settings.model_copy(update={"port": port_of(sockets)})
    logs.configure(settings.log)
    try:
        more_files()
        asyncio.run(_serve(settings, sockets))
    except SettingsError as error:
        raise misused(error) from None
    except AlreadyServed as error:
        raise Failed(str(error)) from None
    except OSError as error:
        raise Failed(f"The database cannot be used: {error.strerror or error}.") from None
    click.echo("Stopped.")


async def _serve(settings: Settings, sockets: list[socket.socket]) -> None:
    """The lifespan stays off: what the server says when it cannot start is then an exception, not a log line."""
    with stop_asked() as stop:
        ringback = Ringback(settings)
        async with ringback.running(), served(create_app(ringback), sockets, leaving=ringback.hurry):
            settle()
            click.echo(await _greeting(ringback))
            await stop.wait()
            click.echo("Stopping ...")


async def _greeting(ringback: Ringback) -> str:
    settings = ringback.settings
    keys_of = Counter(account.provider.title for account in settings.accounts)
    titles = [title if keys == 1 else f"{title} ({keys} keys)" for title, keys in keys_of.items()]
    parts = [
        f"Ringback listens on {url_of(settings.host, settings.port)}",
        f"public URL {settings.public_url}" if settings.public_url else "",
        f"providers: {', '.join(titles)}" if titles else "",
        await _who_may_use(ringback),
    ]
    line = "; ".join(filter(None, parts)) + "."
    keys = ", ".join(provider.api_key_env for provider in settings.catalogue.providers.values())
    return line if titles else f"{line}\n{NO_PROVIDER.format(keys=keys)}"


async def _who_may_use(ringback: Ringback) -> str:
    if await ringback.clients.is_open():
        return "open mode: no key is needed, and only this machine is answered"
    kept = [key for key in await ringback.clients.list() if key.revoked_at is None]
    return f"client keys: {len(ringback.settings.api_keys) + len(kept)}"
