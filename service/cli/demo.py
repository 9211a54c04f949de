"""`ringback demo`: everything at once, on this machine, without an account: see it work in seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console

from service.cli.called import command
from service.cli.demo_house import House, open_house
from service.cli.demo_inbox import Received
from service.cli.demo_play import Play
from service.cli.demo_report import report_of
from service.cli.demo_runs import Run, plan
from service.cli.demo_stage import Stage
from service.cli.exits import Failed, Misused
from service.cli.options import json_option
from service.cli.output import console, print_json
from service.cli.scenarios import SCENARIOS
from service.cli.serving import stop_asked
from service.settings import scrub

DEADLINE_SECONDS = 60.0
RENDERS = 6
"""No simulated task takes this many times the median."""


@click.command()
@click.option("--once", is_flag=True, help="Stop when all is done. Exit code 0 if all went as scripted, else 1.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The service's port. [default: any free one]")
@click.option("--render-seconds", type=click.FloatRange(min=0, min_open=True), default=4.0, show_default=True,
              help="The median time of a simulated task.")  # fmt: skip
@json_option
def demo(once: bool, port: int, render_seconds: float, as_json: bool) -> None:
    """See it work: every provider simulated, every callback verified. No account, no money, no network.

    Sends the request examples of the providers' documents through every provider that has the model, receives the
    callbacks, checks their signatures, and then stays up for you to try it. --json, with --once, prints a summary.
    """
    if as_json and not once:
        raise Misused("--json prints a summary at the end, so it needs --once.")
    scrub()
    report = asyncio.run(_demo(port, render_seconds, once, as_json))
    if as_json and report:
        print_json(report)
    if once and not (report and report["ok"]):
        raise Failed("Not everything went as scripted." if report else "Stopped before the end.")
    if not once:
        click.echo("Stopped; nothing of it is left.")


async def _demo(port: int, render_seconds: float, once: bool, quiet: bool) -> dict[str, Any] | None:
    """The report; None if it was stopped before the end."""
    runs = plan(SCENARIOS)
    stage = Stage(Console(quiet=True) if quiet else console(), runs)
    with stop_asked() as stop:
        async with open_house(port, render_seconds) as house:
            up_at = time.time()
            stage.introduce(house)
            playing = asyncio.create_task(_perform(stage, house, runs, DEADLINE_SECONDS + RENDERS * render_seconds))
            if not await _before(playing, stop):
                return None
            report = report_of(house, runs, await playing, up_at)
            stage.conclude(report, house.log)
            if not once:
                stage.invite(house, command())
                await stop.wait()
            return report


async def _before(work: asyncio.Task[Any], stop: asyncio.Event) -> bool:
    """Whether `work` was done before it was to stop; if not, it has been stopped."""
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if work.done():
        return True
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    return False


async def _perform(stage: Stage, house: House, runs: Sequence[Run], seconds: float) -> list[Received]:
    """Performs all runs on stage; gives what the inbox got that belongs to none of them."""
    play = Play(house, runs, stage.reply)
    strangers: list[Received] = []

    def tell(one: Received) -> None:
        run = play.received(one)
        if run is None:
            strangers.append(one)
        stage.callback(run, one)

    house.inbox.tell = tell
    with stage:
        await play.perform(seconds)
    return strangers
