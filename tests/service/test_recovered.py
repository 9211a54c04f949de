"""A result that comes after the task was given up: it is paid for, so it is kept and told, once more and only once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.service.asking import created, record, told
from tests.service.lost import unlisted
from tests.world import World, world

pytestmark = pytest.mark.anyio


async def given_up(it: World, words: str = "seconds=1000") -> str:
    """The upstream has it, but does not show it in time."""
    task_id = await created(it, f"create=lost lag=950 {words}")
    await it.settle(905, 5)
    task = await record(it, task_id)
    assert (task["state"], task["error"]["code"]) == ("FAILED", "outcome_unknown")
    return task_id


async def test_a_late_callback_recovers_a_task_that_was_given_up(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await given_up(it)
        await it.settle(120, 5)
        task = await record(it, task_id)
        assert (task["state"], task["error"]) == ("SUCCEEDED", None)
        assert task["placements"][0]["upstream_id"] == it.upstreams.creates[0].task_id
        assert [one["type"] for one in task["deliveries"]] == ["task.recovered", "task.failed"]
        assert [(body["success"], body["task_id"]) for body in told(it)] == [(False, task_id), (True, task_id)]
        await it.settle(7200, 600)
        assert len(told(it)) == 2
        assert it.upstreams.requests["acedata", "create"] == 1


async def test_an_event_says_that_it_was_recovered(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await given_up(it)
        url = f"/v1/tasks/{task_id}/subscriptions"
        await it.client.post(url, json={"url": f"{it.inbox.url}/event", "format": "event"})
        await it.settle(120, 5)
        assert [body["type"] for body in it.inbox.bodies("/event")] == ["task.failed", "task.recovered"]


@pytest.mark.parametrize("end", ["fail", "nourl"])
async def test_a_late_end_without_a_result_changes_nothing_and_ends_the_looks(tmp_path: Path, end: str) -> None:
    async with world(tmp_path) as it:
        task_id = await given_up(it, f"seconds=1000 {end}")
        await it.settle(120, 5)
        task = await record(it, task_id)
        assert task["error"]["code"] == "outcome_unknown"
        assert len(told(it)) == 1
        looks = it.upstreams.requests["acedata", "query"]
        await it.settle(7200, 600)
        assert it.upstreams.requests["acedata", "query"] == looks


async def test_a_late_callback_that_nothing_confirms_costs_one_look(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await given_up(it, "seconds=50000 callback=lost")
        placement = (await record(it, task_id))["placements"][0]["id"]
        path = f"/callbacks/acedata/{it.ringback.tokens.issue(placement)}"
        before = it.upstreams.requests["acedata", "query"]
        forged = {"success": True, "task_id": "somebody-elses", "video_url": "https://evil.example/x.mp4"}
        assert (await it.client.post(path, json=forged)).status_code == 200
        await it.settle(3600, 60)
        assert it.upstreams.requests["acedata", "query"] == before + 1
        assert (await record(it, task_id))["state"] == "FAILED"
        assert len(told(it)) == 1


async def test_a_callback_in_the_last_moment_of_the_doubt_is_not_lost(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "create=lost seconds=899")
        it.between = unlisted  # but known to whoever asks for it by its id
        await it.settle(898, 2)
        it.clock.turn(2)
        await it.upstreams.send_due_callbacks()
        await it.ringback.workers["doubt"].tick()  # the doubt is worked off before the look
        assert (await record(it, task_id))["state"] == "FAILED"
        await it.settle(2)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
