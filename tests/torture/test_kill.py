"""The process is killed again and again: nothing is lost, nothing is paid for twice, nobody is told two stories.

More of it: `RINGBACK_TORTURE_TASKS=300 RINGBACK_TORTURE_KILLS=30 RINGBACK_TORTURE_SEED=7 pytest tests/torture`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from adapters.providers import PROVIDERS
from tests.torture import outcomes
from tests.torture.orders import Order, order, submit
from tests.torture.outcomes import all_delivered, waiting
from tests.torture.stage import Stage, staged, until

pytestmark = pytest.mark.anyio
TASKS = int(os.environ.get("RINGBACK_TORTURE_TASKS", "88"))
KILLS = int(os.environ.get("RINGBACK_TORTURE_KILLS", "8"))
SEED = int(os.environ.get("RINGBACK_TORTURE_SEED", "1"))
QUICK: dict[str, Any] = {"in_doubt_seconds": 4, "create_timeout_seconds": 3, "submit_wait_seconds": 1}
STOP_SECONDS = 10.0
HELD = ("create=delay:0", "create=slow:0")
"""Of a held answer nothing is there, or its head and half of its body."""


async def kill_at_random(stage: Stage, orders: list[Order], random: Random) -> list[int]:
    """How many tasks were in flight at each kill. Now and then the server dies before it is ready."""
    in_flight = []
    for number in range(KILLS):
        await stage.start()
        if number % 4 != 3:
            await until(stage.ready, "the server is ready")
        await asyncio.sleep(random.uniform(0.02, 1.2))
        in_flight.append(len(waiting(stage, orders)))
        assert await stage.end(signal.SIGKILL) == -signal.SIGKILL
    return in_flight


async def told_and_delivered(stage: Stage, orders: list[Order]) -> None:
    await stage.start()
    await until(stage.ready, "the server is ready")
    await until(lambda: not waiting(stage, orders), "everyone is told")
    await until(lambda: all_delivered(stage, orders), "every callback was taken")


async def test_a_server_that_is_killed_loses_nothing_and_pays_for_nothing_twice(tmp_path: Path) -> None:
    random = Random(SEED)
    async with staged(tmp_path, **QUICK) as stage:
        orders = [order(number, random, stage.inbox.url) for number in range(TASKS)]
        failures = TASKS // 10  # spread, so that no circuit opens
        stage.inbox.answers += random.sample([(500, {})] * failures + [(204, {})] * (TASKS - failures), TASKS)
        async with asyncio.TaskGroup() as clients:
            for one in orders:
                clients.create_task(submit(stage, one))
            in_flight = await kill_at_random(stage, orders, random)
            await told_and_delivered(stage, orders)
        assert max(in_flight) >= min(50, TASKS)
        await outcomes.check(stage, orders)


async def kill_between_send_and_commit(stage: Stage, orders: list[Order], *, held: bool, random: Random) -> None:
    """All upstreams have accepted and none has answered; the server dies so, or while the answers come."""
    wanted = {one.prompt for one in orders}
    await until(lambda: wanted <= {one.task.order.prompt for one in stage.upstreams.creates}, "all creates are there")
    if not held:
        stage.answering.set()
        await asyncio.sleep(random.uniform(0, 0.05))
    assert await stage.end(signal.SIGKILL) == -signal.SIGKILL
    stage.answering.set()


async def test_a_server_killed_between_a_send_and_its_commit_does_not_send_again(tmp_path: Path) -> None:
    random = Random(SEED)
    waves = max(KILLS // 2, len(HELD))
    each = max(TASKS // 2 // waves, 2 * len(PROVIDERS))
    sent: list[Order] = []
    async with staged(tmp_path, **QUICK) as stage, asyncio.TaskGroup() as clients:
        for wave in range(waves):
            words = HELD[wave // 2 % len(HELD) :][:1]
            orders = [order(wave * each + number, random, stage.inbox.url, words) for number in range(each)]
            stage.answering.clear()
            await stage.start()
            await until(stage.ready, "the server is ready")
            for one in orders:
                clients.create_task(submit(stage, one))
            sent += orders
            await kill_between_send_and_commit(stage, orders, held=wave % 2 == 0, random=random)
        await told_and_delivered(stage, sent)
        assert {one.provider for one in stage.upstreams.creates} == set(PROVIDERS)
        assert len(stage.upstreams.creates) == len(sent)
        await outcomes.check(stage, sent)


async def test_a_server_that_is_told_to_stop_does_so_soon_and_goes_on_later(tmp_path: Path) -> None:
    async with staged(tmp_path, **QUICK) as stage:
        orders = [order(number, Random(number), stage.inbox.url) for number in range(24)]
        async with asyncio.TaskGroup() as clients:
            await stage.start()
            await until(stage.ready, "the server is ready")
            for one in orders:
                clients.create_task(submit(stage, one))
            await until(lambda: len(stage.upstreams.creates) >= 10, "work is under way")
            begun = time.monotonic()
            assert await stage.end(signal.SIGTERM) in (0, -signal.SIGTERM)  # uvicorn hands the signal on at the end
            assert time.monotonic() - begun < STOP_SECONDS
            await told_and_delivered(stage, orders)
        await outcomes.check(stage, orders)


async def test_health_and_readiness_follow_the_server(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        with pytest.raises(httpx.ConnectError):
            await stage.client.get("/health")
        await stage.start()
        await until(stage.ready, "the server is ready")
        health = (await stage.client.get("/health")).json()
        assert health["status"] == "ok"
        assert {"send.acedata", "doubt", "deliver", "look.acedata"} <= health["loops"].keys()
        assert all(loop["alive"] and loop["last_beat_ms"] < 60_000 for loop in health["loops"].values())
