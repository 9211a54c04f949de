"""The process is killed again and again: nothing is lost, nothing is paid for twice, nobody is told two stories.

More of it: `RINGBACK_TORTURE_TASKS=300 RINGBACK_TORTURE_KILLS=30 RINGBACK_TORTURE_SEED=7 pytest tests/torture`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter, defaultdict
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from tests.torture.orders import Order, order, submit
from tests.torture.stage import Stage, staged, until

pytestmark = pytest.mark.anyio
TASKS = int(os.environ.get("RINGBACK_TORTURE_TASKS", "88"))
KILLS = int(os.environ.get("RINGBACK_TORTURE_KILLS", "8"))
SEED = int(os.environ.get("RINGBACK_TORTURE_SEED", "1"))
QUICK: dict[str, Any] = {"in_doubt_seconds": 4, "create_timeout_seconds": 3, "submit_wait_seconds": 1}
STOP_SECONDS = 10.0


def told_ids(stage: Stage, path: str) -> set[str]:
    return {one.id for one in stage.inbox.received if one.path == path}


def waiting(stage: Stage, orders: list[Order]) -> list[Order]:
    """The orders that were sent and of whose end nobody was told yet."""
    told = {one.path for one in stage.inbox.received}
    return [one for one in orders if one.asked and one.hook not in told]


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


async def test_a_server_that_is_killed_loses_nothing_and_pays_for_nothing_twice(tmp_path: Path) -> None:
    random = Random(SEED)
    async with staged(tmp_path, **QUICK) as stage:
        orders = [order(number, random, stage.inbox.url) for number in range(TASKS)]
        stage.inbox.answers += [(random.choice((500, 503, 429)), {}) for _ in range(TASKS // 10)]
        async with asyncio.TaskGroup() as clients:
            for one in orders:
                clients.create_task(submit(stage, one))
            in_flight = await kill_at_random(stage, orders, random)
            await stage.start()
            await until(stage.ready, "the server is ready")
            await until(lambda: not waiting(stage, orders), "everyone is told")
        await until(lambda: all_delivered(stage, orders), "every callback was taken")
        assert max(in_flight) >= min(50, TASKS)
        check_the_bill(stage, orders)
        for one in orders:
            check_the_story(stage, one, await stage.record(one.task_id or ""))
        assert stage.inbox.forged == []


async def all_delivered(stage: Stage, orders: list[Order]) -> bool:
    """Every message was taken, and what was given up and then heard of after all is recovered."""
    tasks = {one.prompt: await stage.record(one.task_id or "") for one in orders}
    taken = all(each["state"] == "DELIVERED" for task in tasks.values() for each in task["deliveries"])
    prompts = [create.task.order.prompt for create in stage.upstreams.creates if create.billed]
    billed = {prompt for prompt in prompts if "nourl" not in prompt}
    return taken and not any(heard_of(task) and task["state"] == "FAILED" for task in map(tasks.get, billed) if task)


def heard_of(task: dict[str, Any]) -> bool:
    """Whether the outcome of a send that was given up as unknown has been proven since."""
    code, placement = (task["error"] or {}).get("code"), task["placements"][-1]
    return code == "outcome_unknown" and placement["upstream_id"] is not None


def check_the_bill(stage: Stage, orders: list[Order]) -> None:
    """At most one create for each task, however often its client asked and the server died."""
    creates = Counter(create.task.order.prompt for create in stage.upstreams.creates)
    assert set(creates) <= {one.prompt for one in orders}
    assert max(creates.values()) == 1
    assert len({one.task_id for one in orders}) == len(orders)


def check_the_story(stage: Stage, wanted: Order, task: dict[str, Any]) -> None:
    """One message, in the same bytes each time, that says what the record says and what happened upstream. Two only
    where a task was given up and its result came after all."""
    said: defaultdict[str, set[bytes]] = defaultdict(set)
    for one in stage.inbox.received:
        if one.path == wanted.hook:
            said[one.id].add(one.raw)
    types = {one["id"]: one["type"] for one in task["deliveries"]}
    assert set(said) == set(types), wanted
    assert sorted(types.values()) in (["task.succeeded"], ["task.failed"], ["task.failed", "task.recovered"]), wanted
    for versions in said.values():
        [raw] = versions
        assert (wanted.task_id or "?").encode() in raw
    happened = [one for one in stage.upstreams.creates if one.task.order.prompt == wanted.prompt]
    if task["state"] == "SUCCEEDED":
        assert happened[0].billed
        assert happened[0].task_id == task["placements"][-1]["upstream_id"]
    else:
        assert task["state"] == "FAILED"
        code, known = task["error"]["code"], task["placements"][-1]["upstream_id"] is not None
        assert known or code == "outcome_unknown", (wanted, task)  # what the upstream named is never given up
        assert "nourl" in wanted.prompt or not (known and happened[0].billed), (wanted, task)


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
            await stage.start()
            await until(stage.ready, "the server is ready")
            await until(lambda: not waiting(stage, orders), "everyone is told")
        check_the_bill(stage, orders)


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
