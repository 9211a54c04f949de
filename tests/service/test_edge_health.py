"""Is it alive, may it get traffic: what a monitor and a load balancer are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.providers import PROVIDERS
from tests.service.asking import created
from tests.world import World, world

pytestmark = pytest.mark.anyio
LOOPS = {"doubt", "deliver", "missing", "replay", "retention"} | {
    f"{kind}.{provider}" for kind in ("send", "look") for provider in PROVIDERS
}
LOOPS |= {f"look.{provider}:watchers" for provider in PROVIDERS}


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[World]:
    """A world whose server runs its loops, with the turned clock."""
    async with world(folder) as it, it.ringback.running():
        await until(it, 200)
        yield it


async def until(it: World, status: int) -> dict[str, Any]:
    """What /health says as soon as it has this status."""
    async with asyncio.timeout(10):
        while (answer := await it.client.get("/health")).status_code != status:
            await asyncio.sleep(0)
    said: dict[str, Any] = answer.json()
    return said


def loop_named(name: str) -> asyncio.Task[Any]:
    [loop] = [task for task in asyncio.all_tasks() if task.get_name() == name]
    return loop


async def test_a_server_whose_loops_run_is_healthy_and_ready(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        health = await until(it, 200)
        assert health["status"] == "ok"
        assert health["loops"].keys() == LOOPS
        assert all(loop == {"alive": True, "last_beat_ms": 0} for loop in health["loops"].values())
        ready = await it.client.get("/ready")
        assert (ready.status_code, ready.json()) == (200, {"status": "ready"})


@pytest.mark.parametrize("name", sorted(LOOPS))
async def test_a_loop_that_has_died_makes_the_server_unhealthy(tmp_path: Path, name: str) -> None:
    async with running(tmp_path) as it:
        loop_named(name).cancel()
        health = await until(it, 503)
        assert health["status"] == "failing"
        assert {one for one, loop in health["loops"].items() if not loop["alive"]} == {name}
        assert (await it.client.get("/ready")).status_code == 503


async def test_a_loop_that_does_not_come_round_makes_the_server_unhealthy(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        it.clock.turn(61)
        health = (await it.client.get("/health")).json()
        assert health["loops"]["doubt"] == {"alive": False, "last_beat_ms": 61_000}
        for worker in it.ringback.workers.values():
            worker.wake()
        assert (await until(it, 200))["status"] == "ok"  # they only slept


async def test_a_server_that_has_not_started_or_is_stopping_is_not_ready(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        assert (await it.client.get("/ready")).status_code == 503
        assert (await it.client.get("/health")).status_code == 503
        async with it.ringback.running():
            await until(it, 200)
            it.ringback.hurry()
            assert (await it.client.get("/ready")).status_code == 503
            assert (await it.client.get("/health")).status_code == 200


async def test_a_stop_leaves_no_loop_behind(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        async with it.ringback.running():
            await until(it, 200)
            await created(it, "seconds=5")
        assert not {task.get_name() for task in asyncio.all_tasks()} & LOOPS
        assert not any(worker.running for worker in it.ringback.workers.values())


async def test_nothing_of_anybodys_tasks_is_shown(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        task_id = await created(it, "seconds=5")
        for path in ("/health", "/ready"):
            stranger = await it.client.get(path, headers={"authorization": ""})
            assert stranger.status_code == 200
            assert task_id not in stranger.text
