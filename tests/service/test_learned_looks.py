"""Looks are timed by how long such videos took: few before one can be done, often when it should be."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.accounts.learning import ENOUGH
from tests.service.asking import created, record, told
from tests.world import World, world

pytestmark = pytest.mark.anyio
GATEWAY = "laozhang"


async def taught(it: World, seconds: int = 90) -> None:
    """Enough videos of the same kind have taken so long."""
    for _ in range(int(ENOUGH) * 2):
        await created(it, f"seconds={seconds}", provider=GATEWAY, url="")
    await it.settle(seconds + 10)


async def test_a_video_is_looked_at_rarely_until_it_may_be_done(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await taught(it)
        asked = it.upstreams.requests[GATEWAY, "query"]
        task_id = await created(it, "seconds=90", provider=GATEWAY)
        await it.settle(60)
        assert it.upstreams.requests[GATEWAY, "query"] - asked <= 3
        await it.settle(36)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert len(told(it)) == 1
        assert it.upstreams.requests[GATEWAY, "query"] - asked <= 9  # every 5 s would be 18


async def test_what_fails_at_once_is_still_told_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await taught(it)
        task_id = await created(it, "fail seconds=1", provider=GATEWAY)
        await it.settle(5)
        assert (await record(it, task_id))["state"] == "FAILED"


async def test_of_another_kind_of_video_nothing_is_known(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await taught(it)
        body = {"model": "wan2.7-t2v", "input": {"prompt": "a cat [sim:seconds=12]"}, "parameters": {"duration": 3}}
        headers = {"x-ringback-provider": GATEWAY, "x-dashscope-async": "enable"}
        path = "/wan/api/v1/services/aigc/video-generation/video-synthesis"
        task_id = (await it.client.post(path, json=body, headers=headers)).json()["output"]["task_id"]
        await it.settle(18)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"


async def test_the_record_says_when_it_is_expected_and_how_soon_its_end_was_noticed(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        first = await created(it, "seconds=90", provider="dashscope")
        assert (await record(it, first))["eta"] is None  # nothing is known yet
        for _ in range(int(ENOUGH)):
            await created(it, "seconds=90", provider="dashscope", url="")
        await it.settle(100)
        done = await record(it, first)
        assert 0 <= done["noticed_after_ms"] <= 5000
        assert done["eta"] is None
        task_id = await created(it, "seconds=90", provider="dashscope")
        await it.settle(30)
        running = await record(it, task_id)
        assert running["elapsed_ms"] == 30_000
        assert running["created_at"] < running["eta"]["p50"] < running["eta"]["p90"]


async def test_what_was_learned_outlives_a_restart(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await taught(it)
        await it.stop()
        await it.start()
        asked = it.upstreams.requests[GATEWAY, "query"]
        await created(it, "seconds=90", provider=GATEWAY)
        await it.settle(55)
        assert it.upstreams.requests[GATEWAY, "query"] - asked <= 3


async def test_lost_callbacks_are_made_up_for_by_looks_when_such_videos_end_many_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        for _ in range(int(ENOUGH) * 2):
            await created(it, "seconds=90")
        await it.settle(100)
        asked = it.upstreams.requests["acedata", "query"]
        tasks = [await created(it, "seconds=90 callback=lost") for _ in range(20)]
        await it.settle(50)
        assert it.upstreams.requests["acedata", "query"] - asked <= 2, "none can be done yet"
        await it.settle(52)
        assert {(await record(it, task))["state"] for task in tasks} == {"SUCCEEDED"}
        assert it.upstreams.requests["acedata", "query"] - asked <= 8, "one query asks for all of them"
