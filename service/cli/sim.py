"""`ringback sim`: the simulated providers as a server of their own, and how to point a Ringback server at them."""

from __future__ import annotations

import asyncio
import json
import socket

import click

from adapters.providers import PROVIDERS
from service import logs
from service.cli.called import command
from service.cli.options import json_option
from service.cli.serving import bind, port_of, served, stop_asked, url_of
from service.settings import VARIABLES, scrub
from service.simulator import SimulatorSettings, create_simulator

HOST = "127.0.0.1"
ANY_KEY = "simulated"
LOOK_SECONDS = "1"
ABOVE_ZERO = click.FloatRange(min=0, min_open=True)


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=9000, show_default=True, help="0 takes any free one.")
@click.option("--seed", type=int, default=1, show_default=True, help="Fixes how long tasks take.")
@click.option("--speed", type=ABOVE_ZERO, default=1.0, show_default=True, help="Divides every time of a task.")
@click.option("--render-seconds", type=ABOVE_ZERO, default=8.0, show_default=True, help="The median time of a task.")
@click.option("--limits", is_flag=True, help="Refuse what exceeds the providers' rate limits.")
@json_option
def sim(port: int, seed: int, speed: float, render_seconds: float, limits: bool, as_json: bool) -> None:
    """Run the simulated providers until Ctrl-C or SIGTERM.

    They speak the wire of the real ones, take any key and cost nothing. They see no setting and no key of the
    environment. A prompt can ask for trouble: "a cat [sim:fail]", "a cat [sim:create=429]".
    """
    scrub()
    logs.configure()
    sockets = bind(HOST, port)
    settings = SimulatorSettings(seed=seed, speed=speed, render_seconds=render_seconds, limits=limits)
    asyncio.run(_serve(settings, sockets, as_json))


async def _serve(settings: SimulatorSettings, sockets: list[socket.socket], as_json: bool) -> None:
    url = url_of(HOST, port_of(sockets))
    with stop_asked() as stop:
        async with served(create_simulator(settings), sockets, lifespan="on"):
            click.echo(json.dumps(directions(url)) if as_json else _told(url))
            await stop.wait()


def base_url(url: str, provider: str) -> str:
    """Where one simulated provider is, in a simulator at `url`."""
    return f"{url}/{provider}"


def directions(url: str) -> dict[str, object]:
    """`url`, `base_urls` by provider, and the `environment` that points a server at them."""
    return {
        "url": url,
        "base_urls": {name: base_url(url, name) for name in PROVIDERS},
        "environment": {key: value for name in PROVIDERS for key, value in _environment(url, name).items()},
    }


def _environment(url: str, provider: str) -> dict[str, str]:
    return {
        PROVIDERS[provider].api_key_env: ANY_KEY,
        VARIABLES[f"{provider}_base_url"]: base_url(url, provider),
        VARIABLES[f"{provider}_poll_seconds"]: LOOK_SECONDS,
    }


def _told(url: str) -> str:
    titles = ", ".join(provider.title for provider in PROVIDERS.values())
    exports = [
        "  export " + " ".join(f"{variable}={value}" for variable, value in _environment(url, name).items())
        for name in PROVIDERS
    ]
    return "\n".join(
        [
            f"Simulated providers listen on {url}: {titles}. Any key will do.",
            "\nTo point a server at them:\n",
            *exports,
            f"  {command()} serve",
            f"\nWhat they were asked for: curl {url}/_sim/stats",
        ]
    )
