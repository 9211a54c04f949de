"""`ringback doctor`: is everything as a server needs it, and if not, what to do next."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path

import click

from service.cli.doctor_egress import check_egress, check_proxy
from service.cli.doctor_providers import check_providers
from service.cli.doctor_push import check_pushes
from service.cli.doctor_reach import check_reach
from service.cli.doctor_storage import check_storage
from service.cli.exits import Failed
from service.cli.options import config_option, json_option
from service.cli.output import print_json, print_table
from service.clock import Clock, system_clock
from service.domain.findings import Finding, Level, good, problem, warning
from service.network.egress import egress_policy
from service.network.guard import Resolve, SystemResolver
from service.network.http import upstream_client
from service.network.proxy import proxy_of
from service.settings import Settings, SettingsError, load


@click.command()
@config_option
@json_option
def doctor(config: Path | None, as_json: bool) -> None:
    """Check the settings, the providers' keys, the clock, the public URL, callbacks, and the database.

    It reads the settings that `ringback serve` would, while a server runs or before. Providers are asked after a task
    that there cannot be, which costs nothing. Exit code 1 if there is a problem.
    """
    findings = examined(config)
    if as_json:
        print_json({"findings": [asdict(finding) for finding in findings]})
    else:
        rows = [(finding.level.value, finding.check, finding.said, finding.step) for finding in findings]
        print_table(("", "check", "finding", "next step"), rows, "There is nothing to check.")
    problems = sum(finding.level is Level.PROBLEM for finding in findings)
    if problems:
        raise Failed("There is 1 problem." if problems == 1 else f"There are {problems} problems.")


def examined(config: Path | None) -> list[Finding]:
    """Settings with which no server starts are findings, too."""
    step = "Mend it; until then `ringback serve` does not start."
    try:
        settings = load(config)
        egress_policy(settings)
        proxy_of(settings)
    except SettingsError as error:
        return [problem("settings", said, step) for said in error.problems]
    resolver = SystemResolver()
    try:
        return asyncio.run(examine(settings, system_clock, resolver))
    finally:
        resolver.close()


async def examine(settings: Settings, clock: Clock, resolve: Resolve) -> list[Finding]:
    async with upstream_client() as client:
        return [
            *_settings(settings),
            *await check_providers(settings, client, clock),
            *await check_reach(settings, client, resolve),
            *await check_pushes(settings, client, resolve, clock),
            *check_egress(settings.egress_allow),
            *await check_proxy(proxy_of(settings)),
            *check_storage(settings),
        ]


def _settings(settings: Settings) -> list[Finding]:
    odd = [warning("settings", said, "Correct the name, or remove it.") for said in settings.warnings]
    return odd or [good("settings", "They can be used.")]
