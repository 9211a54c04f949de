"""`ringback endpoints`: standing receivers of the client whose key is in RINGBACK_KEY."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any, TypeVar

import click

from service.cli.client import Client
from service.cli.endpoint_words import in_fields, in_row
from service.cli.exits import Failed, Misused
from service.cli.options import events_option, json_option, limit_option, overlap_option, secret_given, secret_option
from service.cli.output import print_fields, print_json, print_table
from service.domain.deliveries import Format, Signature

F = TypeVar("F", bound=Callable[..., Any])
COLUMNS = ("id", "URL", "default", "events", "format", "signature", "health")
USUAL = ("events", "schedule", "timeout_seconds", "headers", "rate_per_second", "concurrency")

OPTIONS = (
    click.option("--description", metavar="TEXT", help="For people."),
    events_option,
    click.option("--format", type=click.Choice([each.value for each in Format]), help="What the body is."),
    click.option("--schedule", metavar="S,S,...", help="Seconds before the second and each further attempt."),
    click.option("--timeout", "timeout_seconds", type=int, metavar="S", help="Seconds of one attempt, 1 to 30."),
    click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Sent too (repeatable)."),
    click.option("--signature", type=click.Choice([each.value for each in Signature]), help="HMAC, ed25519, or both."),
    click.option("--default/--no-default", default=None, help="Tell it of tasks that name no receiver."),
    click.option("--rate", "rate_per_second", type=int, metavar="N", help="Attempts a second at most."),
    click.option("--concurrency", type=int, metavar="N", help="Open attempts at most."),
)  # fmt: skip


def fields_options(command: F) -> F:
    return reduce(lambda decorated, option: option(decorated), reversed(OPTIONS), command)


@click.group()
def endpoints() -> None:
    """Make, list and change endpoints: receivers that are told by name or by default, each with a secret of its own."""


@endpoints.command("list")
@limit_option
@json_option
def list_endpoints(limit: int, as_json: bool) -> None:
    """List endpoints, the newest first."""
    with Client() as client:
        page = client.get("/v1/endpoints", limit=limit)
    if as_json:
        print_json(page)
    else:
        print_table(COLUMNS, map(in_row, page["endpoints"]), "There are no endpoints.")


@endpoints.command()
@click.argument("url", metavar="URL")
@fields_options
@secret_option
@json_option
def create(url: str, secret: str | None, as_json: bool, **options: Any) -> None:
    """Make an endpoint. Its secret is shown this once.

    \b
    ringback endpoints create https://hook.example.com/videos --format event --default
    ringback endpoints create https://hook.example.com/videos --event task.succeeded --header "X-Token: ..."
    """
    fields = {"url": url, **_fields(options), **({"secret": secret_given(secret)} if secret else {})}
    with Client() as client:
        _print(client.post("/v1/endpoints", fields), as_json)


@endpoints.command()
@click.argument("endpoint", metavar="ID")
@json_option
def show(endpoint: str, as_json: bool) -> None:
    """Show an endpoint."""
    with Client() as client:
        _print(client.get(client.path("/v1/endpoints", endpoint)), as_json)


@endpoints.command()
@click.argument("endpoint", metavar="ID")
@click.option("--url", metavar="URL", help="Messages that wait go there too.")
@fields_options
@click.option("--usual", multiple=True, type=click.Choice(USUAL), help="Take back what was said of this.")
@json_option
def update(endpoint: str, url: str | None, usual: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Change what is named; the rest stays."""
    fields = {**({"url": url} if url else {}), **_fields(options), **dict.fromkeys(usual)}
    if not fields:
        raise Misused("Name what is to be changed; `ringback endpoints update --help` shows what can be.")
    with Client() as client:
        _print(client.patch(client.path("/v1/endpoints", endpoint), fields), as_json)


@endpoints.command()
@click.argument("endpoint", metavar="ID")
def delete(endpoint: str) -> None:
    """Delete an endpoint: what waits for it is abandoned, what was sent stays readable."""
    with Client() as client:
        client.delete(client.path("/v1/endpoints", endpoint))
    click.echo(f"{endpoint} is deleted.")


@endpoints.command()
@click.argument("endpoint", metavar="ID")
@json_option
def disable(endpoint: str, as_json: bool) -> None:
    """Send nothing more there; what there is to send is kept."""
    with Client() as client:
        _print(client.post(client.path("/v1/endpoints", endpoint, "disable"), {}), as_json)


@endpoints.command()
@click.argument("endpoint", metavar="ID")
@json_option
def enable(endpoint: str, as_json: bool) -> None:
    """Send again, what was kept too."""
    with Client() as client:
        _print(client.post(client.path("/v1/endpoints", endpoint, "enable"), {}), as_json)


@endpoints.command("rotate-secret")
@click.argument("endpoint", metavar="ID")
@overlap_option
@secret_option
@json_option
def rotate_secret(endpoint: str, overlap: int, secret: str | None, as_json: bool) -> None:
    """Replace its secret and its signing key. Until the overlap is over, messages carry the signatures of both."""
    fields = {"overlap_seconds": overlap, **({"secret": secret_given(secret)} if secret else {})}
    with Client() as client:
        _print(client.post(client.path("/v1/endpoints", endpoint, "rotate-secret"), fields), as_json)


@endpoints.command()
@click.argument("receiver", metavar="URL|ID")
@json_option
def check(receiver: str, as_json: bool) -> None:
    """Have the server send test messages there, and explain each step: name, address, TLS, answer, and whether the
    receiver refuses a wrong signature and an old message."""
    asked = {"url" if "://" in receiver else "endpoint": receiver}
    with Client() as client:
        found = client.post("/v1/endpoints/check", asked)
    if as_json:
        print_json(found)
    else:
        rows = [[finding[name] for name in ("level", "check", "said", "step")] for finding in found["findings"]]
        print_table(("", "check", "finding", "next step"), rows, "There is nothing to check.")
    if not found["ok"]:
        raise Failed("Deliveries there would fail.")


def _fields(options: dict[str, Any]) -> dict[str, Any]:
    """The body of a request, of those options that were given."""
    given = {name: value for name, value in options.items() if value not in (None, ())}
    if "schedule" in given:
        given["schedule"] = _seconds(given["schedule"])
    if "headers" in given:
        given["headers"] = dict(map(_header, given["headers"]))
    return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}


def _seconds(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise Misused("--schedule: numbers of seconds, separated by commas, are needed: 5,30,120.") from None


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise Misused("--header: a name, a colon and a value are needed: 'X-Token: abc'.")
    return name.strip(), value.strip()


def _print(endpoint: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(endpoint)
        return
    print_fields(in_fields(endpoint))
    if "secret" in endpoint:
        click.echo("Keep the secret now: it is not shown again.", err=True)
