"""`ringback doctor` on pushes: the URL to configure, and whether what is pushed there would arrive."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import pytest

from adapters.eventbridge import certificate_host
from service.addresses import Address, read_address
from service.cli.doctor_push import check_pushes
from service.findings import Finding, Level
from service.settings import Settings
from tests.cli.findings import CLOSED, KEYS, accounts, said

pytestmark = pytest.mark.anyio
PUBLIC = "https://ringback.test"


async def resolve(name: str, port: int) -> list[Address]:
    found = read_address("203.0.113.7") if name == f"{certificate_host('cn-beijing')}." else None
    return [found] if found else []


async def pushes(
    answer: httpx.Response | None, names: Sequence[str] = ("dashscope",), **changes: object
) -> list[Finding]:
    def reply(request: httpx.Request) -> httpx.Response:
        assert request.url.path.startswith("/callbacks/dashscope/push-dashscope.")
        if answer is None:
            raise httpx.ConnectError("nobody")
        return answer

    settings = Settings.model_validate(KEYS | {"accounts": accounts(names, CLOSED), "public_url": PUBLIC} | changes)
    async with httpx.AsyncClient(transport=httpx.MockTransport(reply)) as client:
        return await check_pushes(settings, client, resolve, lambda: 0)


async def test_the_url_of_the_rule_is_shown_when_it_leads_here() -> None:
    level, told = said(await pushes(httpx.Response(403)))["pushes"]
    assert level is Level.OK
    assert f"{PUBLIC}/callbacks/dashscope/push-dashscope." in told
    assert "without a token" in told
    _, told = said(await pushes(httpx.Response(403), eventbridge_token="console"))["pushes"]
    assert "RINGBACK_EVENTBRIDGE_TOKEN" in told
    assert "console" not in told


@pytest.mark.parametrize("answer", [None, httpx.Response(404), httpx.Response(200)])
async def test_a_url_that_leads_elsewhere_is_a_warning(answer: httpx.Response | None) -> None:
    level, told = said(await pushes(answer))["pushes"]
    assert level is Level.WARNING
    assert "does not arrive" in told


async def test_a_region_that_there_is_not_is_a_warning() -> None:
    level, told = said(await pushes(httpx.Response(403), eventbridge_regions="cn-nowhere"))["pushes"]
    assert level is Level.WARNING
    assert "cn-nowhere" in told


async def test_without_a_public_url_or_a_pushing_provider_nothing_is_said() -> None:
    assert await pushes(httpx.Response(403), public_url=None) == []
    assert await pushes(httpx.Response(403), ("acedata", "apiyi")) == []
