"""The demo tells the truth: what does not verify, what belongs to another task, what cannot be downloaded is not ok."""

from __future__ import annotations

import io
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from adapters.catalogue import builtin
from service.cli.demo_house import House
from service.cli.demo_inbox import Inbox, Received
from service.cli.demo_play import Play
from service.cli.demo_report import report_of
from service.cli.demo_runs import Run, plan
from service.cli.demo_stage import Stage
from service.cli.scenarios import SCENARIOS
from service.cli.serving import bind, port_of, served
from service.keys.signing import new_secret, sign

pytestmark = pytest.mark.anyio
VIDEO = b"\0\0\0\x18ftypmp42"
FLAT = next(scenario for scenario in SCENARIOS if scenario.shape == "flat" and not scenario.held)


class Service:
    """Stands where the service would: accepts, and calls back with what a test wants to be told (None: never)."""

    def __init__(self, secret: str, told: dict[str, Any] | None, video: int) -> None:
        self.secret, self.told, self.video = secret, told, video

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive()).get("body", b"")
        status, reply = self.video, VIDEO
        if scope["path"] == "/v1/tasks":
            status, reply = 200, b'{"tasks":[]}'
        elif scope["method"] == "POST":
            status, reply = 200, b'{"task_id":"ours"}'
            if self.told is not None:
                await self.call_back(json.loads(body)["callback_url"])
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": reply})

    async def call_back(self, url: str) -> None:
        raw = json.dumps(self.told).encode()
        headers = sign([self.secret], "msg_1", int(time.time()), raw)
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.post(url, content=raw, headers=headers)


@asynccontextmanager
async def listening(app: Any) -> AsyncIterator[str]:
    sockets = bind("127.0.0.1", 0)
    async with served(app, sockets):
        yield f"http://127.0.0.1:{port_of(sockets)}"


async def played(
    told: dict[str, Any] | None, *, forged: bool = False, video: int = 200, seconds: float = 10
) -> tuple[Run, House]:
    """One run against a service that says `told`; a `video_url` in it becomes a link that works."""
    secret = new_secret()
    inbox = Inbox([secret])
    service = Service(new_secret() if forged else secret, told, video)
    run = Run(1, FLAT, "apiyi")
    async with listening(inbox) as inbox_url, listening(service) as url:
        if told is not None:
            service.told = told | {"video_url": f"{url}/v.mp4"}
        house = House(url, "", inbox_url, inbox, Path(), "key")
        play = Play(house, [run], lambda run: None)
        inbox.tell = play.received
        await play.perform(seconds)
    return run, house


GOOD = {"success": True, "task_id": "ours", "state": "completed"}


async def test_what_goes_as_scripted_is_ok() -> None:
    run, _ = await played(GOOD)
    assert (run.ok, run.problem, run.verified, run.video_bytes) == (True, None, True, len(VIDEO))


async def test_a_forged_callback_is_not_ok() -> None:
    run, _ = await played(GOOD, forged=True)
    assert not run.ok
    assert not run.verified
    assert str(run.problem).startswith("a callback did not verify: The signature does not fit")


@pytest.mark.parametrize(
    ("told", "video", "problem"),
    [
        (GOOD | {"task_id": "theirs"}, 200, "another task"),
        (GOOD | {"state": "failed"}, 200, "it ended as FAILED, not as SUCCEEDED"),
        (GOOD, 403, "cannot be downloaded: the link was answered 403"),
    ],
)
async def test_what_does_not_go_as_scripted_is_not_ok(told: dict[str, Any], video: int, problem: str) -> None:
    run, _ = await played(told, video=video)
    assert not run.ok
    assert problem in str(run.problem)


async def test_an_end_that_never_comes_is_not_ok() -> None:
    run, _ = await played(None, seconds=0.2)
    assert not run.ok
    assert run.problem == "nothing was heard of its end within 0.2 s"


async def test_one_callback_that_does_not_verify_spoils_the_whole_report() -> None:
    run, house = await played(GOOD)
    assert report_of(house, [run], [], 0.0)["ok"] is True
    assert report_of(house, [run], [await received(forged=True)], 0.0)["ok"] is False


async def test_a_forged_callback_is_shown_red_and_a_good_one_is_not() -> None:
    for forged in (True, False):
        page = io.StringIO()
        console = Console(file=page, force_terminal=True, width=200, color_system="standard")
        Stage(console, []).callback(None, await received(forged=forged))
        assert ("\x1b[1;31m✗ " in page.getvalue()) is forged
        assert ("signature verified" in page.getvalue()) is not forged


async def received(*, forged: bool) -> Received:
    secret = new_secret()
    found: list[Received] = []
    async with listening(Inbox([secret], found.append)) as url, httpx.AsyncClient(trust_env=False) as client:
        headers = sign([new_secret() if forged else secret], "msg_1", int(time.time()), b"{}")
        reply = await client.post(f"{url}/mine", content=b"{}", headers=headers)
        assert reply.status_code == (401 if forged else 204)
    return found[0]


def test_every_request_goes_to_every_provider_that_has_its_model() -> None:
    runs = plan(SCENARIOS)
    for scenario in SCENARIOS:
        model = builtin().find(scenario.model)
        assert model is not None
        assert {run.provider for run in runs if run.scenario is scenario} == set(model.providers)
    assert len({run.hook for run in runs}) == len(runs)
