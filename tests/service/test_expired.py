"""The upstream can no longer know a task: it has expired, that is told, and a late result is welcome all the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from service.domain.look_times import LATE_MS
from tests.service.asking import created, record, told
from tests.service.test_stalled import Outage, events, placement, state
from tests.world import World, world

pytestmark = pytest.mark.anyio
HOUR = 3600.0
DAY = 24 * HOUR


def types(task: dict[str, Any]) -> list[str]:
    return [one["type"] for one in reversed(task["deliveries"])]


async def expired_unheard(it: World) -> tuple[str, Outage]:
    """A task of AceData, which never forgets, that ended in an outage of 26 hours."""
    task_id = await created(it, "seconds=60")
    outage = Outage(it)
    await it.settle(26 * HOUR, 120)
    return task_id, outage


async def test_an_outage_past_the_end_is_told_once_and_the_late_result_is_told_too(tmp_path: Path) -> None:
    async with world(tmp_path, public_url=None) as it:
        task_id, outage = await expired_unheard(it)
        task = await record(it, task_id)
        assert (task["state"], task["error"]["code"], types(task)) == ("EXPIRED", "task_expired", ["task.expired"])
        assert "could not be asked" in task["error"]["message"]
        [event] = await events(it, "task.expired")
        assert (event["subject"], event["times"]) == (task_id, 1)
        assert task["placements"][0]["verdict"] == "unproven"
        outage.down = False
        await it.settle(1.5 * HOUR, 60)
        task = await record(it, task_id)
        assert (task["state"], task["error"]) == ("SUCCEEDED", None)
        assert types(task) == ["task.expired", "task.recovered"]
        assert task["placements"][0]["verdict"] == "ended"
        assert len(told(it)) == 2
        looks = outage.looks.total()
        await it.settle(DAY, 600)
        assert (outage.looks.total(), len(told(it))) == (looks, 2)


async def test_the_first_success_of_the_account_looks_for_late_results_too(tmp_path: Path) -> None:
    async with world(tmp_path, public_url=None) as it:
        task_id, outage = await expired_unheard(it)
        outage.down = False
        await created(it, "seconds=600")
        await it.settle(5)
        assert await state(it, task_id) == "SUCCEEDED"


async def test_after_an_unheard_end_looks_go_on_hourly_for_a_week(tmp_path: Path) -> None:
    async with world(tmp_path, public_url=None) as it:
        task_id, outage = await expired_unheard(it)
        before = outage.looks.total()
        await it.settle(10 * HOUR, 120)
        assert 8 <= outage.looks.total() - before <= 11
        await it.settle(LATE_MS / 1000, 600)
        assert (await placement(it, task_id))["next_look_at"] is None
        before = outage.looks.total()
        await it.settle(2 * DAY, 600)
        assert outage.looks.total() == before
        assert len(told(it)) == 1


async def test_what_is_heard_late_and_is_no_result_ends_the_looks(tmp_path: Path) -> None:
    async with world(tmp_path, public_url=None) as it:
        failed, unknown = await created(it, "seconds=60 fail"), await created(it, f"lag={9 * DAY}")
        outage = Outage(it)
        await it.settle(26 * HOUR, 120)
        outage.down = False
        await it.settle(1.5 * HOUR, 60)
        assert [await state(it, task_id) for task_id in (failed, unknown)] == ["EXPIRED"] * 2
        assert [(await placement(it, task_id))["verdict"] for task_id in (failed, unknown)] == ["ended", "unproven"]
        looks = outage.looks.total()
        await it.settle(DAY, 600)
        assert (outage.looks.total(), len(told(it))) == (looks, 2)


async def test_a_callback_recovers_a_task_that_its_upstream_did_not_know_for_a_day(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, f"lag={30 * HOUR} callback=lost seconds=60")
        await it.settle(25 * HOUR, 300)
        task = await record(it, task_id)
        assert (task["state"], types(task)) == ("EXPIRED", ["task.expired"])
        [event] = await events(it, "task.expired")
        assert "forgot the task" in event["fields"]["reason"]
        await it.settle(6 * HOUR, 300)
        looks = it.upstreams.requests["acedata", "query"]
        assert await state(it, task_id) == "EXPIRED"
        sent = it.upstreams.creates[0]
        await it.to_service.post(sent.body["callback_url"], json={"success": True, "task_id": sent.task_id})
        await it.settle(2)
        task = await record(it, task_id)
        assert (task["state"], types(task)) == ("SUCCEEDED", ["task.expired", "task.recovered"])
        await it.settle(HOUR, 60)
        assert (it.upstreams.requests["acedata", "query"], len(told(it))) == (looks + 1, 2)


async def test_a_start_without_a_network_expires_nothing_at_once(tmp_path: Path) -> None:
    async with world(tmp_path, public_url=None) as it:
        tasks = [await created(it, "seconds=60") for _ in range(3)]
        await it.stop()
        it.clock.turn(30 * HOUR)
        outage = Outage(it)
        await it.start()
        await it.settle(540, 5)
        assert outage.looks.total() >= 5
        assert [await state(it, task_id) for task_id in tasks] == ["QUEUED"] * 3
        outage.down = False
        await it.settle(300, 5)
        assert [await state(it, task_id) for task_id in tasks] == ["SUCCEEDED"] * 3
        assert len(told(it)) == 3


async def test_whoever_was_down_past_the_end_looks_before_it_gives_up(tmp_path: Path) -> None:
    async with world(tmp_path, public_url=None) as it:
        known, lost = await created(it, "seconds=60"), await created(it, "seconds=60", provider="dashscope")
        await it.stop()
        it.clock.turn(30 * HOUR)
        await it.start()
        await it.settle(5)
        assert [await state(it, task_id) for task_id in (known, lost)] == ["SUCCEEDED", "EXPIRED"]


async def test_a_start_that_never_finds_a_network_gives_up_in_the_end(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "seconds=60", provider="dashscope")
        await it.stop()
        it.clock.turn(30 * HOUR)
        Outage(it)
        await it.start()
        await it.settle(HOUR, 10)
        assert await state(it, task_id) == "EXPIRED"
        assert len(told(it)) == 1


@pytest.mark.parametrize("provider", ["laozhang", "dashscope"])
async def test_a_last_look_falls_before_the_upstream_forgets(tmp_path: Path, provider: str) -> None:
    """Between two looks of a long outage there is half an hour, and the upstream is back in it only at the very end."""
    async with world(tmp_path) as it:
        task_id = await created(it, "seconds=60", provider=provider)
        outage = Outage(it)
        await it.settle(DAY - 420, 60)
        outage.down = False
        await it.settle(415, 5)
        assert await state(it, task_id) == "SUCCEEDED"


async def test_done_without_a_video_waits_for_a_second_look_that_is_heard(tmp_path: Path) -> None:
    """What cannot be heard says nothing about the video, and a restart in between is no second look."""
    async with world(tmp_path) as it:
        task_id = await created(it, "seconds=1", provider="dashscope")

        async def without_url(request: httpx.Request) -> httpx.Response | None:
            body = {"output": {"task_id": it.upstreams.creates[0].task_id, "task_status": "SUCCEEDED"}}
            return httpx.Response(200, json=body)

        it.between = without_url
        await it.settle(4)
        assert await state(it, task_id) == "QUEUED"
        outage = Outage(it)
        await it.stop()
        await it.start()
        await it.settle(600, 5)
        assert (await state(it, task_id), outage.looks.total() > 3) == ("QUEUED", True)
        outage.down = False
        await it.settle(900, 5)
        assert await state(it, task_id) == "SUCCEEDED"
        assert len(told(it)) == 1
