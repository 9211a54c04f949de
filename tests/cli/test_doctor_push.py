"""`ringback doctor` on pushes: the URL to configure, and whether what is pushed there would arrive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from adapters.eventbridge import certificate_host
from adapters.messages import Report, State
from service.cli.doctor_push import check_pushes
from service.domain.findings import Finding, Level
from service.domain.tasks import Verdict, advance
from service.network.addresses import Address, read_address
from service.settings import Settings
from tests.cli.findings import CLOSED, KEYS, accounts, said
from tests.service.nouns import NOW, opened, queued

pytestmark = pytest.mark.anyio
PUBLIC = "https://ringback.test"


async def resolve(name: str, port: int) -> list[Address]:
    found = read_address("203.0.113.7") if name == f"{certificate_host('cn-beijing')}." else None
    return [found] if found else []


async def pushes(
    answer: httpx.Response | None, names: Sequence[str] = ("dashscope",), now: int = 0, **changes: object
) -> list[Finding]:
    def reply(request: httpx.Request) -> httpx.Response:
        assert request.url.path.startswith("/callbacks/dashscope/push-dashscope.")
        if answer is None:
            raise httpx.ConnectError("nobody")
        return answer

    given = {"accounts": accounts(names, CLOSED), "public_url": PUBLIC, "database": "/nowhere/ringback.db"}
    settings = Settings.model_validate(KEYS | given | changes)
    async with httpx.AsyncClient(transport=httpx.MockTransport(reply)) as client:
        return await check_pushes(settings, client, resolve, lambda: now)


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


async def ended(folder: Path, *detectors: str) -> str:
    """A database in which DashScope's tasks have ended just now, noticed so."""
    async with opened("sqlite", folder) as store:
        for detector in detectors:
            task = await queued(store, provider="dashscope")
            report = Report(task_id="up", state=State.SUCCEEDED, video_url="https://videos.test/1.mp4")
            moved = advance(task, report, NOW, detector)
            assert moved is not None
            await store.tasks.record(moved, Verdict.ENDED, None)
    return str(folder / "ringback.db")


@pytest.mark.parametrize(
    ("detectors", "level", "words"),
    [
        (["list"] * 4, Level.OK, ""),
        (["list"] * 4 + ["look"], Level.WARNING, "None of the 5 ends"),
        (["push"] * 4 + ["list"], Level.OK, "4 of the 5 ends"),
    ],
)
async def test_whether_the_console_has_a_rule_is_seen_by_what_came(
    tmp_path: Path, detectors: list[str], level: Level, words: str
) -> None:
    database = await ended(tmp_path, *detectors)
    found, told = said(await pushes(httpx.Response(403), database=database, now=NOW))["pushes"]
    assert (found, words in told) == (level, True)
    assert (await pushes(httpx.Response(403), database=database, now=NOW + 2 * 86_400_000))[0].level is Level.OK
