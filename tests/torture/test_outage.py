"""A provider, the network or the server itself is away for half an hour: no task fails of it, and every result is
delivered after it.

More tasks: `RINGBACK_TORTURE_TASKS=1000 pytest tests/torture/test_outage.py`.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from adapters.providers import PROVIDERS
from service.settings import Account
from tests.service.asking import SHAPES, body_of, id_of, paths, record
from tests.torture import laws
from tests.world import World, accounts, world

pytestmark = pytest.mark.anyio
TASKS = int(os.environ.get("RINGBACK_TORTURE_TASKS", "120"))
SEED = int(os.environ.get("RINGBACK_TORTURE_SEED", "1"))
MINUTE = 60.0
LIVES = (5, 60, 400, 700, 1000, 1600, 2300, 2800, 4000)
"""Seconds that tasks take: they end before the outage, at any time of it, and after it."""
TROUBLE = ("", "", "", "", "fail", "create=lost", "create=429:20 times=1", "lag=30", "poll=503")
MAY_DOUBT = ("create=lost", "create=429")
"""Creates whose answer is lost, or that wait and are sent while nothing can be heard."""
ROUNDS = 8
PROMPT_SECONDS = 660.0
"""How soon after the outage everybody knows of what ended during it."""


@dataclass
class Wish:
    number: int
    provider: str
    prompt: str
    task_id: str = ""

    @property
    def hook(self) -> str:
        return f"/{self.number}"


@dataclass
class House:
    """The service with many tasks in every stage."""

    it: World
    wishes: list[Wish] = field(default_factory=list)
    random: Random = field(default_factory=lambda: Random(SEED))

    async def ask(self, provider: str, words: str) -> Wish:
        number = len(self.wishes)
        wish = Wish(number, provider, f"video {number} [sim:{words}]")
        headers = {"x-ringback-provider": provider, "x-callback-url": self.it.inbox.url + wish.hook}
        shape = SHAPES[provider]
        response = await self.it.client.post(paths(shape), json=body_of(shape, wish.prompt), headers=headers)
        assert response.status_code == 200, response.text
        wish.task_id = id_of(response)
        self.wishes.append(wish)
        return wish

    async def fill(self) -> None:
        """Tasks come for ten minutes, and then nobody waits to be sent."""
        providers = list(PROVIDERS)
        for number in range(TASKS):
            words = f"seconds={self.random.choice(LIVES)} {self.random.choice(TROUBLE)}"
            await self.ask(providers[number % len(providers)], words)
            if number % (TASKS // ROUNDS) == 0:
                await self.it.settle(10 * MINUTE / ROUNDS, 5)
        await self.it.settle(MINUTE, 5)  # what an account had no room for is sent too

    async def polls(self) -> None:
        """What clients see: no error, and no failure but the upstream's own."""
        for wish in self.random.sample(self.wishes, 20):
            shape = SHAPES[wish.provider]
            response = await poll(self.it.client, shape, wish.task_id)
            assert response.status_code == 200, response.text
            if not any(word in wish.prompt for word in ("fail", *MAY_DOUBT)):
                assert not says_failed(shape, response.json()), (wish, response.text)

    async def check(self) -> None:
        """Every task has the outcome that its create has upstream, and its subscriber knows."""
        for wish in self.wishes:
            task = await record(self.it, wish.task_id)
            creates = [one for one in self.it.upstreams.creates if one.task.order.prompt == wish.prompt]
            laws.check_the_bill(task, creates)
            laws.check_the_end(task, creates)
            laws.check_the_story(task, [one for one in self.it.inbox.received if one.path == wish.hook])
            if not any(word in wish.prompt for word in MAY_DOUBT):
                assert (task["state"] == "SUCCEEDED") == creates[0].billed, (wish, task)

    async def check_all_come(self) -> None:
        """After the outage: what ended during it is told soon, and in the end all is."""
        back_at = self.it.clock.seconds()
        assert len(await self.untold(back_at)) > TASKS / 5
        await self.it.settle(PROMPT_SECONDS, 5)
        assert await self.untold(back_at) == []
        await self.it.settle(2 * 60 * MINUTE, 60)
        await self.check()

    async def untold(self, by: float) -> list[Wish]:
        """Whose video was ready then, or known never to be, and who was not told yet, though its id is known."""
        ended = {one.task_id for one in self.it.upstreams.creates if one.task.script.ends_at <= by}
        told = {one.path for one in self.it.inbox.received}
        waiting = [(await record(self.it, wish.task_id), wish) for wish in self.wishes if wish.hook not in told]
        return [wish for task, wish in waiting if task["placements"][-1]["upstream_id"] in ended]


def roomy() -> tuple[Account, ...]:
    """Accounts without a limit: whatever waits for room would be sent in the middle of the outage."""
    return tuple(account.model_copy(update={"active": 0}) for account in accounts(tuple(PROVIDERS)))


async def poll(client: httpx.AsyncClient, shape: str, task_id: str) -> httpx.Response:
    if shape == "flat":
        return await client.post("/wan/tasks", json={"action": "retrieve", "id": task_id})
    return await client.get(f"/api/v1/tasks/{task_id}" if shape == "native" else f"/v1/tasks/{task_id}")


def says_failed(shape: str, body: Any) -> bool:
    match shape:
        case "flat":
            return (body.get("response") or {}).get("success") is False
        case "native":
            return body["output"]["task_status"] in ("FAILED", "UNKNOWN")
        case _:
            return body["status"] == "failed"


async def no_connection(request: httpx.Request) -> httpx.Response | None:
    raise httpx.ConnectError("all attempts failed")


async def no_answer(request: httpx.Request) -> httpx.Response | None:
    raise httpx.ReadTimeout("")


async def proxy_page(request: httpx.Request) -> httpx.Response | None:
    return httpx.Response(503, html="<html><h1>503 Service Temporarily Unavailable</h1></html>")


AWAY = {"no connection": no_connection, "no answer": no_answer, "a proxy's page": proxy_page}


async def nobody(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("nobody listens")


@asynccontextmanager
async def cut_off(
    it: World, answer: Callable[[httpx.Request], Awaitable[httpx.Response | None]]
) -> AsyncIterator[None]:
    """No request of ours comes through, and no callback to us."""
    way = it.to_service._transport
    it.between, it.to_service._transport = answer, httpx.MockTransport(nobody)
    yield
    it.between, it.to_service._transport = None, way


@pytest.mark.parametrize("answer", AWAY.values(), ids=AWAY)
async def test_half_an_hour_without_the_providers_fails_nothing(tmp_path: Path, answer: Any) -> None:
    async with world(tmp_path, accounts=roomy()) as it:
        house = House(it)
        await house.fill()
        async with cut_off(it, answer):
            for _ in range(6):
                await it.settle(5 * MINUTE, 15)
                await house.polls()
        await house.check_all_come()


async def test_half_an_hour_without_the_server_loses_nothing(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=roomy()) as it:
        house = House(it)
        await house.fill()
        await it.stop()
        for _ in range(30):
            it.clock.turn(MINUTE)
            await it.upstreams.send_due_callbacks()
        await it.start()
        await house.check_all_come()
