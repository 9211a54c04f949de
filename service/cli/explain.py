"""`ringback explain`: what a task would become at each provider. Nothing is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any

import click

from service.cli.asking import content, video_options
from service.cli.client import Client
from service.cli.exits import Failed, Misused
from service.cli.options import json_option
from service.cli.output import print_json


@click.command()
@video_options
@json_option
def explain(body: IO[bytes] | None, shape: str, provider: str | None, as_json: bool, **fields: Any) -> None:
    """Show, for every provider, what a task would become there: the exact request, what is said in other words, what is
    filled in, what is left out and why, and the price. Nothing is sent and nothing is kept.

    Exit code 1 if no provider can take it.

    \b
    ringback explain --model wan2.7-t2v --prompt "A lighthouse at sunset" --duration 4
    ringback explain --shape native --body request.json --provider acedata
    """
    with Client() as client:
        question = {"shape": shape, "body": _parsed(content(body, shape, fields, client.model)), "provider": provider}
        told = client.explain({name: value for name, value in question.items() if value is not None})
    if as_json:
        print_json(told)
    else:
        for one in told["candidates"]:
            click.echo("\n".join(_lines(one, told["chosen"] == one["provider"])))
        if len(told["order"]) > 1:
            titles = {one["provider"]: one["title"] for one in told["candidates"]}
            asked = ", then ".join(titles[name] for name in told["order"])
            click.echo(f"While nothing is accepted they would be asked in this order: {asked}")
    if told["chosen"] is None:
        raise Failed("No provider can take this." if told["candidates"] else "The server has no provider.")


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise Misused("--body: this is not JSON.") from None


def _lines(one: dict[str, Any], chosen: bool) -> Iterator[str]:
    if not one["takes"]:
        yield f"{one['title']} cannot take it"
        yield from (f"  {objection['path']}: {objection['reason']}" for objection in one["objections"])
        return
    yield f"{one['title']} {'would be chosen' if chosen else 'can take it'}"
    request = one["request"]
    yield f"  {request['method']} {request['path']}"
    yield from (f"  {name}: {value}" for name, value in request["headers"].items())
    yield from (f"  {line}" for line in json.dumps(request["body"], indent=2, ensure_ascii=False).splitlines())
    yield from (f"  renamed: {change['from']} -> {change['to']}" for change in one["renamed"])
    for word in ("defaulted", "added"):
        yield from (f"  {word}: {_pair(change)}" for change in one[word])
    yield from (f"  left out: {field['name']} ({field['reason']})" for field in one["left_out"])
    yield f"  price: {_price(one['price'])}"


def _pair(change: dict[str, Any]) -> str:
    return f"{change['name']} = {json.dumps(change['value'], ensure_ascii=False)}"


def _price(price: dict[str, Any] | None) -> str:
    if price is None:
        return "unknown"
    rate = f"{price['per_second']:g} {price['currency']} a second of {price['resolution']}"
    source = f", by {price['source']}" if price["source"] else ""
    if price["amount"] is None:
        most = f", at most {price['most']:g} {price['currency']}" if price["most"] is not None else ""
        return f"{rate}; how many seconds is not known before{most}{source}"
    return f"{price['amount']:g} {price['currency']} ({price['seconds']} s, {rate}{source})"
