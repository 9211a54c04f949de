"""What `ringback doctor` finds of keys and the clock, at simulated providers on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from adapters.providers import PROVIDERS
from service.cli.doctor_providers import check_providers
from service.domain.findings import Finding, Level
from service.network.http import upstream_client
from service.settings import Settings
from service.simulator import SimulatorSettings, create_simulator
from tests.cli.findings import CLOSED, accounts
from tests.world import FakeClock, serve

pytestmark = pytest.mark.anyio


async def keys_of(names: Sequence[str], base_url: str, key: str = "sk-upstream", ahead: float = 0) -> list[Finding]:
    clock = FakeClock()
    clock.turn(ahead)
    async with upstream_client() as client:
        return await check_providers(Settings(accounts=accounts(names, base_url, key)), client, clock)


@asynccontextmanager
async def answering(status: int, body: Any = None, **headers: str) -> AsyncIterator[str]:
    """A provider that says the same to everybody."""

    async def answer(request: Request) -> Response:
        if isinstance(body, str):
            return PlainTextResponse(body, status, headers)
        return JSONResponse(body, status, headers)

    async with serve(Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])) as url:
        yield url


async def test_a_key_that_is_refused_is_a_problem_at_every_provider() -> None:
    simulator = create_simulator(SimulatorSettings(key="sk-good"))
    async with serve(simulator, lifespan="off") as url:
        good = await keys_of(tuple(PROVIDERS), url, "sk-good")
        bad = await keys_of(tuple(PROVIDERS), url, "sk-bad")
    assert [finding.level for finding in good] == [Level.OK] * 5
    assert [finding.level for finding in bad] == [Level.PROBLEM] * 4 + [Level.OK]
    for finding, row in zip(bad, PROVIDERS.values(), strict=False):
        assert f"{row.title} refuses the key (HTTP 401" in finding.said
        assert row.api_key_env in finding.step
        assert "sk-bad" not in f"{finding}"
    assert not [kind for _, kind in simulator.state.world.requests if "create" in kind]


@pytest.mark.parametrize(
    ("status", "body", "level", "told"),
    [
        (403, {"error": {"message": "no"}}, Level.PROBLEM, "refuses the key (HTTP 403"),
        (200, {"success": False, "error": {"code": "invalid_token"}}, Level.PROBLEM, "refuses the key (HTTP 200 inv"),
        (403, {"error": {"code": "used_up", "message": "x"}}, Level.PROBLEM, "cannot pay (HTTP 403 used_up)"),
        (429, {"error": {"code": "too_many_requests"}}, Level.WARNING, "busy or in trouble (HTTP 429"),
        (503, "<html>", Level.WARNING, "busy or in trouble (HTTP 503"),
        (404, "<html>", Level.WARNING, "says nothing about the key (HTTP 404"),
        (200, {}, Level.OK, "takes the key of ACEDATA_API_KEY"),
    ],
)
async def test_other_answers_are_told_apart(status: int, body: Any, level: Level, told: str) -> None:
    async with answering(status, body) as url:
        key, _ = await keys_of(("acedata",), url)
    assert (key.level, told in key.said) == (level, True), key


@pytest.mark.parametrize(
    ("ahead", "level", "told"),
    [(0, Level.OK, "agrees"), (50, Level.OK, "agrees"), (90, Level.PROBLEM, "ahead"), (-3600, Level.PROBLEM, "behind")],
)
async def test_a_clock_that_is_off_is_a_problem(ahead: float, level: Level, told: str) -> None:
    async with serve(create_simulator(), lifespan="off") as url:
        *_, clock = await keys_of(("acedata", "apiyi"), url, ahead=ahead)
    assert (clock.check, clock.level) == ("clock", level)
    assert told in clock.said


async def test_one_providers_wrong_clock_is_not_ours() -> None:
    async with (
        answering(200, {}, date="Mon, 01 Jan 2024 00:00:00 GMT") as wrong,
        serve(create_simulator(), lifespan="off") as right,
    ):
        settings = Settings(accounts=(*accounts(("acedata",), wrong), *accounts(("apiyi",), right)))
        async with upstream_client() as client:
            *_, clock = await check_providers(settings, client, FakeClock())
    assert clock.level is Level.OK


async def test_without_a_provider_or_an_answer_it_says_so() -> None:
    [nobody] = await keys_of((), CLOSED)
    assert (nobody.level, "ACEDATA_API_KEY" in nobody.step) == (Level.PROBLEM, True)
    silent, clock = await keys_of(("acedata",), CLOSED)
    assert (silent.level, clock.level) == (Level.PROBLEM, Level.WARNING)


async def test_each_key_of_a_pool_is_checked_by_its_name() -> None:
    simulator = create_simulator(SimulatorSettings(key="sk-good"))
    async with serve(simulator, lifespan="off") as url:
        pool = [
            account.model_copy(update={"name": name})
            for name, key in (("main", "sk-good"), ("second", "sk-bad"))
            for account in accounts(("dashscope",), url, key)
        ]
        async with upstream_client() as client:
            main, second, _ = await check_providers(Settings(accounts=tuple(pool)), client, FakeClock())
    assert (main.check, main.level) == ("key main of Alibaba DashScope", Level.OK)
    assert (second.check, second.level) == ("key second of Alibaba DashScope", Level.PROBLEM)
    assert "sk-" not in f"{main}{second}"
