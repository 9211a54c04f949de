"""Rounds of deletion for age: when, how much at once, and what is said afterwards."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from service.keeping.retention import PAUSE_MS, ROUND_MS, ROWS_AT_ONCE, TASKS_AT_ONCE, Step
from tests.service.asking import created
from tests.world import World, world

pytestmark = pytest.mark.anyio
DAY = 24 * 3600.0


async def delivered(it: World) -> tuple[str, str]:
    """A task that has ended, and its delivery, which was taken."""
    task = await created(it, "seconds=1", provider="dashscope")
    await it.settle(8)
    shown = (await it.client.get(f"/v1/tasks/{task}/record")).json()
    assert shown["deliveries"][0]["state"] == "DELIVERED"
    return task, shown["deliveries"][0]["id"]


async def days_pass(it: World, days: float) -> None:
    """And the next round is run to its end."""
    it.clock.turn(days * DAY)
    await it.settle(30)


async def test_bodies_and_attempts_go_first_and_tasks_later(tmp_path: Path) -> None:
    days = {"keep_bodies_days": 2, "keep_attempts_days": 5, "keep_tasks_days": 8}
    async with world(tmp_path, **days) as it:
        task, delivery = await delivered(it)
        await days_pass(it, 1)
        shown = (await it.client.get(f"/v1/deliveries/{delivery}")).json()
        assert (shown["body_kept"], len(shown["log"])) == (True, 1)
        await days_pass(it, 2)
        shown = (await it.client.get(f"/v1/deliveries/{delivery}")).json()
        assert (shown["body_kept"], len(shown["log"])) == (False, 1)
        replay = await it.client.post(f"/v1/deliveries/{delivery}/replay")
        assert (replay.status_code, replay.json()["error"]["code"]) == (409, "body_pruned")
        await days_pass(it, 3)
        shown = (await it.client.get(f"/v1/deliveries/{delivery}")).json()
        assert (shown["attempts"], shown["log"]) == (1, [])
        cost = (await it.client.get("/v1/cost")).json()
        await days_pass(it, 3)
        gone = await it.client.get(f"/v1/tasks/{task}/record")
        assert (gone.status_code, gone.json()["error"]["message"]) == (
            404, "There is no such task. A task is deleted 8 days after its end, or when it is expunged.",
        )  # fmt: skip
        assert (await it.client.get("/v1/cost")).json() == cost


async def test_zero_keeps_for_ever(tmp_path: Path) -> None:
    async with world(tmp_path, keep_bodies_days=0, keep_attempts_days=0, keep_tasks_days=0) as it:
        task, _ = await delivered(it)
        await days_pass(it, 4000)
        shown = (await it.client.get(f"/v1/tasks/{task}/record")).json()
        assert (shown["deliveries"][0]["body_kept"], len(shown["deliveries"][0]["log"])) == (True, 1)
        gone = (await it.client.get("/v1/tasks/nobodys/record")).json()
        assert gone["error"]["message"] == "There is no such task."


async def test_a_round_is_paced_and_the_next_one_comes_in_an_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.keeping.retention.TASKS_AT_ONCE", 2)
    async with world(tmp_path, keep_tasks_days=7) as it:
        for _ in range(5):
            await delivered(it)
        it.clock.turn(8 * DAY)
        left = []
        work = it.ringback.workers["retention"]
        for _ in range(7):
            assert await work.tick() == 1
            left.append(len((await it.client.get("/v1/tasks")).json()["tasks"]))
            it.clock.now += PAUSE_MS
        assert left == [5, 5, 3, 1, 0, 0, 0]  # bodies, attempts, three batches of tasks, secrets, space
        assert await work.tick() == 0
        it.clock.now += ROUND_MS
        assert await work.tick() == 1


async def test_what_a_round_deleted_is_one_line_of_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ringback.retention")
    async with world(tmp_path, keep_tasks_days=7) as it:
        await delivered(it)
        await days_pass(it, 40)
        [told] = [record for record in caplog.records if record.message == "retention.pruned"]
        assert vars(told)["fields"] == {"bodies": 2, "attempts": 1, "tasks": 1, "secrets": 0, "pages": 0}


def test_a_batch_is_small() -> None:
    assert max(ROWS_AT_ONCE, TASKS_AT_ONCE) <= 500
    assert list(Step)[-1] is Step.SPACE
