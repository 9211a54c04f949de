"""Tasks of a provider, or of a key, that was taken out of the settings: they end honestly, or go to somebody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.service.asking import created, events, record, told
from tests.service.test_failover import answering, ask, said, sends
from tests.service.test_pools import pool
from tests.world import World, accounts, world

pytestmark = pytest.mark.anyio
DAY = 24 * 3600


async def without(it: World, *providers: str, **settings: object) -> None:
    """The server starts again with these providers only."""
    await it.stop()
    await it.start(accounts=accounts(providers), **settings)


async def test_what_was_sent_expires_once_the_provider_has_forgotten_it_and_is_told(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "seconds=60", provider="dashscope")
        await without(it, "acedata")
        await it.settle(DAY - 600, 600)
        assert (await record(it, task_id))["state"] == "QUEUED"
        await it.settle(1800, 60)
        task = await record(it, task_id)
        assert (task["state"], task["error"]["code"]) == ("EXPIRED", "task_expired")
        assert "no key" in task["error"]["message"]
        await it.settle(7200, 600)
        assert len(told(it)) == 1
        assert await events(it) == ["provider.missing", "task.expired"]


async def test_a_key_that_is_back_has_its_tasks_looked_at_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "seconds=60", provider="dashscope")
        await without(it, "acedata")
        await it.settle(7200, 600)
        await without(it, "acedata", "dashscope")
        await it.settle(10)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"


async def test_a_late_result_is_told_when_the_key_is_back(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "seconds=60 callback=lost")
        await without(it, "dashscope")
        await it.settle(DAY + 3600, 600)
        assert (await record(it, task_id))["state"] == "EXPIRED"
        await without(it, "acedata")
        await it.settle(3700, 60)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"


async def test_the_tasks_of_one_key_of_a_pool_expire_too(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=pool("one", "two")) as it:
        tasks = [await created(it, "seconds=60", provider="dashscope") for _ in range(2)]
        await it.stop()
        await it.start(accounts=pool("one", "three"))
        await it.settle(DAY + 1800, 600)
        states = [(await record(it, task_id))["state"] for task_id in tasks]
        assert sorted(states) == ["EXPIRED", "SUCCEEDED"]


async def test_a_watched_task_expires_with_its_key_erased(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "seconds=60", provider="dashscope")
        known = (await record(it, task_id))["placements"][0]["upstream_id"]
        body = {"provider": "dashscope", "task_id": known, "upstream_key": "sk-dashscope-key"}
        watched = (await it.client.post("/v1/watch", json=body)).json()["task_id"]
        await without(it, "acedata")
        await it.settle(DAY + 1800, 600)
        assert (await record(it, watched))["state"] == "EXPIRED"
        [send] = await it.ringback.store.lookups.placements(watched)
        assert send.credential is None


async def test_what_waits_to_be_sent_goes_to_whoever_can_take_it(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["apiyi"]) as it:
        it.between = answering(apiyi=said("Throttling", 429))
        task_id = (await ask(it, marker="seconds=5")).json()["output"]["task_id"]
        await without(it, "dashscope")
        await it.settle(60)
        task = await record(it, task_id)
        assert (task["state"], task["provider"]) == ("SUCCEEDED", "dashscope")
        assert await sends(it, task_id) == [("apiyi", "not_accepted"), ("dashscope", "ended")]
        assert len(it.upstreams.creates) == 1


@pytest.mark.parametrize("why", ["off", "pinned", "unable"])
async def test_where_nobody_may_take_it_it_waits_for_a_day(tmp_path: Path, why: str) -> None:
    async with world(tmp_path, providers=["apiyi"], failover="off" if why == "off" else "safe") as it:
        it.between = answering(apiyi=said("Throttling", 429))
        headers = {"x_ringback_provider": "apiyi"} if why == "pinned" else {}
        task_id = (await ask(it, marker="seconds=5", **headers)).json()["output"]["task_id"]
        if why == "unable":
            sql = "UPDATE tasks SET body = :body"
            body = '{"model": "wan2.7-t2v", "input": {"prompt": "a cat"}}'
            await it.ringback.store._engine.write(lambda tx: tx.run(sql, body=body))
        await without(it, "acedata")
        await it.settle(DAY - 3600, 600)
        assert (await record(it, task_id))["state"] == "ACCEPTED"
        await it.settle(7200, 600)
        task = await record(it, task_id)
        assert (task["state"], task["error"]["code"]) == ("FAILED", "not_accepted")
        assert len(told(it)) == 1
        assert it.upstreams.creates == []


async def test_a_send_in_doubt_ends_unproven_when_its_provider_would_have_forgotten_it(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "create=lost seconds=60", provider="dashscope")
        await without(it, "acedata")
        await it.settle(DAY + 3600, 600)
        task = await record(it, task_id)
        assert (task["state"], task["error"]["code"]) == ("FAILED", "outcome_unknown")


async def test_many_are_worked_off(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["apiyi"], failover="safe") as it:
        it.between = answering(apiyi=said("Throttling", 429))
        for _ in range(5):
            await ask(it, marker="seconds=5")
        await without(it, "dashscope")
        await it.settle(120)
        assert len(it.upstreams.creates) == len(told(it)) == 5
