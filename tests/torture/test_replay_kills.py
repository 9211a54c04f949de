"""The process is killed again and again during a replay: every message arrives, under its own id, and the progress is
right in the end.

All of it: `RINGBACK_TORTURE_REPLAY=10000 RINGBACK_TORTURE_KILLS=10 pytest tests/torture/test_replay_kills.py`.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import defaultdict
from pathlib import Path
from random import Random
from typing import Any

import pytest

from service.domain.deliveries import DeliveryState
from service.domain.replays import HIGHEST_RATE
from service.domain.tasks import TaskState
from service.store import Store
from service.store.engine import Transaction
from service.store.subscriptions import insert_delivery, insert_subscription
from service.store.tasks import insert_task
from tests.service.nouns import NOW, a_message, a_subscription, a_task
from tests.torture.stage import Stage, staged, until

pytestmark = pytest.mark.anyio
DELIVERIES = int(os.environ.get("RINGBACK_TORTURE_REPLAY", "240"))
KILLS = int(os.environ.get("RINGBACK_TORTURE_KILLS", "3"))
SEED = int(os.environ.get("RINGBACK_TORTURE_SEED", "1"))
FOR_EVER = dict.fromkeys(("keep_bodies_days", "keep_attempts_days", "keep_tasks_days"), 0)
"""The tasks here are old."""

SHARE = DELIVERIES // (KILLS + 1)
"""How much each life of the server gets done, at least."""
RATE = min(max(SHARE // 2, 10), HIGHEST_RATE)


async def keep_exhausted(folder: Path, inbox: str) -> dict[str, bytes]:
    """So many deliveries that were given up, each of a task of its own; gives their bodies by id."""
    bodies: dict[str, bytes] = {}

    def verb(tx: Transaction) -> None:
        for number in range(DELIVERIES):
            task = a_task(state=TaskState.SUCCEEDED, placement=None, finished_at=NOW, created_at=NOW + number)
            subscription = a_subscription(task, url=f"{inbox}/hook/{number}")
            message = a_message(
                task, subscription, body=b'{"number":%d}' % number, state=DeliveryState.EXHAUSTED, attempts=13,
                tries=13, due_at=None, created_at=NOW + number,
            )  # fmt: skip
            insert_task(tx, task)
            insert_subscription(tx, subscription)
            insert_delivery(tx, message)
            bodies[message.id] = message.body

    store = Store.open(folder / "ringback.db")
    await store._engine.write(verb)
    await store.close()
    return bodies


async def progress(stage: Stage, replay: str) -> dict[str, Any]:
    reply = await stage.client.get(f"/v1/replays/{replay}")
    assert reply.status_code == 200, reply.text
    told: dict[str, Any] = reply.json()
    return told


async def started(stage: Stage) -> None:
    await stage.start()
    await until(stage.ready, "the server is ready")


async def in_line(stage: Stage) -> int:
    """How many deliveries of the only replay are in line or were tried."""
    [replay] = (await stage.client.get("/v1/replays")).json()["replays"]
    count: int = replay["replayed"]
    return count


async def killed_during(stage: Stage, random: Random) -> list[int]:
    """How many deliveries had been replayed shortly before each kill. The first one comes while they are written
    down."""
    replayed: list[int] = []
    for number in range(KILLS):

        async def far_enough(least: int = number * SHARE) -> bool:
            return await in_line(stage) >= least

        await until(far_enough, "the replay goes on")
        await asyncio.sleep(random.uniform(0, 0.3) if number else 0.0)
        replayed.append(await in_line(stage))
        assert await stage.end(signal.SIGKILL) == -signal.SIGKILL
        await started(stage)
    return replayed


def heard(stage: Stage) -> dict[str, set[bytes]]:
    """Every message that arrived, with the bodies it had."""
    bodies: dict[str, set[bytes]] = defaultdict(set)
    for one in stage.inbox.received:
        bodies[one.id].add(one.raw)
    return bodies


async def test_a_replay_of_a_server_that_is_killed_sends_everything_and_counts_right(tmp_path: Path) -> None:
    random = Random(SEED)
    async with staged(tmp_path, **FOR_EVER) as stage:
        bodies = await keep_exhausted(tmp_path, stage.inbox.url)
        stage.inbox.answers += random.sample([(500, {})] * 5 + [(204, {})] * 95, 100)
        await started(stage)
        reply = await stage.client.post("/v1/replays", json={"failed": True, "rate": RATE})
        assert reply.status_code == 202, reply.text
        replay = reply.json()["id"]
        replayed = await killed_during(stage, random)
        assert replayed == sorted(replayed)
        assert len({count for count in replayed if 0 < count < DELIVERIES}) >= KILLS // 2

        while len(known := heard(stage)) < DELIVERIES:
            await until(lambda: len(heard(stage)) > len(known), "one more has arrived")

        async def all_delivered() -> bool:
            return bool((await progress(stage, replay))["delivered"] == DELIVERIES)

        await until(all_delivered, "everything is delivered")
        told = await progress(stage, replay)
        counts = {name: told[name] for name in ("matched", "replayed", "skipped", "failed_again", "left")}
        assert counts == {"matched": DELIVERIES, "replayed": DELIVERIES, "skipped": 0, "failed_again": 0, "left": 0}
        assert (told["state"], told["skipped_because"]) == ("DONE", {})

        assert heard(stage) == {message: {body} for message, body in bodies.items()}
        assert stage.inbox.forged == []
