"""`ringback verify`: is a received callback authentic, and if not, why."""

from __future__ import annotations

import time
from typing import IO

import click

from service.cli.exits import Failed, Misused
from service.cli.options import json_option
from service.cli.output import print_json
from service.keys.signing import TOLERANCE
from service.keys.signing import verify as judge


@click.command()
@click.option("--secret", "secrets", multiple=True, envvar="RINGBACK_WEBHOOK_SECRET", metavar="whsec_...",
              help="Or whpk_...; any one of several is enough. [default: RINGBACK_WEBHOOK_SECRET]")  # fmt: skip
@click.option("--headers", type=click.File("r"), help="A file with the received headers, one `name: value` a line.")
@click.option("-H", "--header", "lines", multiple=True, metavar="'NAME: VALUE'", help="One received header.")
@click.option("--at", type=int, metavar="SECONDS", help="When it was received, since the epoch. [default: now]")
@click.option("--tolerance", type=click.IntRange(min=0), default=TOLERANCE, show_default=True, help="Seconds.")
@click.argument("body", type=click.File("rb"))
@json_option
def verify(
    secrets: tuple[str, ...],
    headers: IO[str] | None,
    lines: tuple[str, ...],
    at: int | None,
    tolerance: int,
    body: IO[bytes],
    as_json: bool,
) -> None:
    """Check the signature of a callback: BODY is a file with its exact bytes (- is standard input)."""
    if not secrets:
        raise Misused("Give the webhook secret: --secret whsec_..., or RINGBACK_WEBHOOK_SECRET.")
    secrets = tuple(part.strip() for text in secrets for part in text.split(","))
    given = dict(map(_header, [*(headers.read().splitlines() if headers else ()), *lines]))
    verdict = judge(secrets, given, body.read(), int(time.time()) if at is None else at, tolerance)
    if as_json:
        print_json({"ok": verdict.ok, "reason": verdict.reason, "sentence": verdict.sentence})
    if not verdict.ok:
        raise Failed(verdict.sentence)
    if not as_json:
        click.echo(verdict.sentence)


def _header(line: str) -> tuple[str, str]:
    """Lines that are no headers, such as the request line of a copied request, do no harm."""
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()
