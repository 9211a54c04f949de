"""What `ringback doctor` finds of addresses, callbacks and open networks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from service.cli.doctor_egress import check_egress, check_proxy
from service.cli.doctor_reach import check_reach
from service.domain.findings import Finding, Level
from service.network.addresses import Address, read_address
from service.network.http import upstream_client
from service.network.proxy import parse_proxy
from service.settings import Settings
from tests.cli.findings import CLOSED, KEYS, accounts, said
from tests.world import serve

PUBLIC = {"ringback.example.com": ["93.184.216.34"], "intranet.example.com": ["10.0.0.7"]}


async def resolve(name: str, port: int) -> list[Address]:
    found = (read_address(text) for text in PUBLIC.get(name, []))
    return [address for address in found if address is not None]


@asynccontextmanager
async def listening(instance: str | None = "this", *, status: int = 200, callbacks: int = 404) -> AsyncIterator[str]:
    """What a server, a proxy or something else says to a doctor."""

    async def health(request: Request) -> Response:
        return JSONResponse({"instance": instance} if instance else {"hello": "world"}, status)

    async def callback(request: Request) -> Response:
        ours = callbacks == 404
        return JSONResponse({"error": {"code": "not_found"}} if ours else {"login": "please"}, callbacks)

    routes = [Route("/health", health), Route("/callbacks/{provider}/{token}", callback, methods=["POST"])]
    async with serve(Starlette(routes=routes)) as url:
        yield url


async def reach(local: str, public: str | None, names: Sequence[str] = ("acedata",)) -> list[Finding]:
    port = int(local.rpartition(":")[2])
    settings = Settings(port=port, public_url=public, accounts=accounts(names, CLOSED), **KEYS)
    async with upstream_client() as client:
        return await check_reach(settings, client, resolve)


@pytest.mark.anyio
async def test_without_a_public_url_polling_is_explained() -> None:
    server, callbacks = await reach(CLOSED, None)
    assert (server.level, callbacks.level) == (Level.WARNING, Level.OK)
    assert "NAT" in callbacks.said
    assert "RINGBACK_PUBLIC_URL" in callbacks.step
    _, callbacks = await reach(CLOSED, None, ("apiyi",))
    assert callbacks.step == ""


@pytest.mark.anyio
async def test_a_public_url_that_leads_here_and_callbacks_that_arrive() -> None:
    async with listening() as local, listening() as proxy:
        found = said(await reach(local, proxy))
        assert found["server"][0] is Level.OK
        assert found["public URL"] == (
            Level.WARNING, f"{proxy} leads to this server, but only from this machine.",
        )  # fmt: skip
        assert found["callbacks"][0] is Level.OK
        assert "No configured provider calls back" in said(await reach(local, proxy, ("apiyi",)))["callbacks"][1]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("proxy", "told"),
    [
        ({"instance": "other"}, "leads to another Ringback server"),
        ({"instance": None}, "(HTTP 200) is not Ringback"),
        ({"instance": None, "status": 502}, "(HTTP 502) is not Ringback"),
        ({"instance": None, "status": 421}, "replaces the Host header"),
    ],
)
async def test_a_public_url_that_leads_elsewhere_is_a_problem(proxy: dict[str, Any], told: str) -> None:
    async with listening() as local, listening(**proxy) as public:
        found = said(await reach(local, public))
    level, text = found["public URL"]
    assert (level, told in text) == (Level.PROBLEM, True), text
    assert found["callbacks"][0] is Level.WARNING


@pytest.mark.anyio
async def test_a_public_url_where_nobody_answers_is_a_problem() -> None:
    async with listening() as local:
        assert "the connection was refused" in said(await reach(local, CLOSED))["public URL"][1]


@pytest.mark.anyio
async def test_a_proxy_that_keeps_callbacks_away_is_a_problem() -> None:
    async with listening() as local, listening(callbacks=403) as proxy:
        level, text = said(await reach(local, proxy))["callbacks"]
    assert (level, "does not arrive (HTTP 403)" in text) == (Level.PROBLEM, True)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("host", "told"),
    [("intranet.example.com", "not public (a private network)"), ("nowhere.example.com", "does not resolve")],
)
async def test_a_public_name_that_no_provider_can_dial_is_a_problem(host: str, told: str) -> None:
    async with listening() as local:
        level, text = said(await reach(local, f"https://{host}"))["public URL"]
    assert (level, told in text) == (Level.PROBLEM, True)


@pytest.mark.anyio
async def test_without_a_running_server_the_public_url_is_not_judged() -> None:
    found = said(await reach(CLOSED, "https://ringback.example.com"))
    assert {name: level for name, (level, _) in found.items()} == dict.fromkeys(
        ("server", "public URL", "callbacks"), Level.WARNING
    )


@pytest.mark.anyio
async def test_a_server_that_is_none_or_fails_is_a_problem() -> None:
    async with listening(None) as stranger, listening(status=503) as failing:
        for local, told in ((stranger, "is not Ringback"), (failing, "has stopped")):
            level, text = said(await reach(local, None))["server"]
            assert (level, told in text) == (Level.PROBLEM, True)


@pytest.mark.parametrize(
    ("allow", "level", "told"),
    [
        ("", Level.OK, "public https addresses only"),
        ("93.184.216.0/24:8443", Level.OK, "public https addresses only"),
        ("10.0.0.0/8:9000", Level.WARNING, "opens 10.0.0.0/8:9000 (a private network)"),
        ("127.0.0.1", Level.WARNING, "(loopback)"),
        ("fd00::/8", Level.PROBLEM, "outside of public IPv6"),
        ("fd12::/16", Level.WARNING, "outside of public IPv6"),
        ("169.254.0.0/16", Level.PROBLEM, "link-local"),
        ("0.0.0.0/0", Level.PROBLEM, "and more"),
    ],
)
def test_open_networks_are_named(allow: str, level: Level, told: str) -> None:
    [finding] = check_egress(allow)
    assert (finding.level, told in finding.said) == (level, True), finding


@pytest.mark.anyio
async def test_a_proxy_for_callbacks_is_named_without_its_password() -> None:
    assert await check_proxy(None) == []
    async with listening() as url:
        [found] = await check_proxy(parse_proxy(url.replace("http://", "http://me:hush@")))
    assert found.level is Level.OK
    assert found.said == f"Callbacks go through the proxy {url[7:]} (with a user name), which guards where they lead."
    [found] = await check_proxy(parse_proxy(url.replace("http://", "http://me:hush@")))
    assert (found.level, found.said) == (Level.PROBLEM, f"The proxy for callbacks, {url[7:]}, cannot be reached.")
    assert "RINGBACK_EGRESS_PROXY" in found.step
