"""Lost answers among others: other programs on the account, several of ours, and the pace of the lists."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from service.simulator import SimulatorSettings
from service.simulator.markers import read_words
from service.simulator.world import Plan
from tests.service.asking import record, told
from tests.service.lost import asked, counting, elsewhere, lost, outcome, proven, unproven
from tests.world import world

pytestmark = pytest.mark.anyio


async def test_another_programs_task_with_another_prompt_is_not_taken_for_ours(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await elsewhere(it, "a dog [sim:seconds=10]")
        task_id = await lost(it, "a cat", "seconds=20")
        await elsewhere(it, "a cow [sim:seconds=10]")
        await it.settle(120)
        assert await proven(it, task_id, it.upstreams.creates[1].task_id)


async def test_another_programs_task_alone_is_not_adopted(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await asked(it, "a cat [sim:create=dropped]")
        await elsewhere(it, "a dog [sim:seconds=10]")
        await it.settle(910, 10)
        assert await unproven(it, task_id)


async def test_another_programs_task_with_the_same_prompt_leaves_it_open_whose_is_whose(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        prompt = "a cat [sim:create=lost seconds=20 times=1]"
        task_id = await asked(it, prompt)
        await elsewhere(it, prompt)
        await it.settle(910, 10)
        assert len(it.upstreams.creates) == 2
        assert await unproven(it, task_id)


@pytest.mark.parametrize("older", [False, True])
async def test_a_list_that_is_too_young_to_be_whole_proves_nothing(tmp_path: Path, older: bool) -> None:
    """Another program's video is seen sooner than ours; an older doubt may have the list read at that very time."""
    async with world(tmp_path) as it:
        if older:
            await asked(it, "a dog [sim:create=dropped]")
            await it.settle(25)
        it.upstreams.plans += [Plan(read_words(words), 1) for words in ("create=lost lag=15 seconds=3", "seconds=1")]
        task_id = await asked(it, "a cat")
        await elsewhere(it, "a cat")
        await it.settle(910, 10)
        assert await unproven(it, task_id)


async def test_as_long_as_another_programs_task_runs_it_may_be_ours(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await lost(it, "a cat", "seconds=20")
        await elsewhere(it, "a dog [sim:seconds=1500]")
        await it.settle(1490, 10)
        assert (await record(it, task_id))["state"] == "IN_DOUBT"
        await it.settle(90, 10)
        assert await proven(it, task_id)


async def test_another_programs_failure_is_in_nobodys_way(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await lost(it, "a cat", "seconds=20")
        await elsewhere(it, "a cat [sim:seconds=10 fail]")
        await it.settle(120)
        assert await proven(it, task_id)


@pytest.mark.parametrize(
    "theirs",
    [{"duration": 10}, {"resolution": "720P"}, {"ratio": "9:16"}],
)
async def test_a_video_that_was_billed_otherwise_is_not_ours(tmp_path: Path, theirs: dict[str, object]) -> None:
    ours = {"duration": 5, "resolution": "1080P", "ratio": "16:9"}
    async with world(tmp_path) as it:
        prompt = "a cat [sim:create=dropped times=1 seconds=10]"
        task_id = await asked(it, prompt, **ours)
        await elsewhere(it, prompt, **(ours | theirs))
        await it.settle(910, 10)
        assert await unproven(it, task_id)


async def test_of_two_videos_with_our_prompt_the_one_that_was_billed_so_is_ours(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        prompt = "a cat [sim:create=lost seconds=20 times=1]"
        task_id = await asked(it, prompt, duration=5)
        await elsewhere(it, prompt, duration=10)
        await it.settle(120)
        assert await proven(it, task_id)


async def test_a_task_of_another_model_or_another_time_is_none_of_ours(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await elsewhere(it, "a cat [sim:seconds=5000]")
        it.clock.turn(200)
        await elsewhere(it, "a cat [sim:seconds=5000]", model="wan2.7-t2v")
        task_id = await lost(it, "a cat", "seconds=20")
        await it.settle(90)
        await elsewhere(it, "a cat [sim:seconds=500]")
        await it.settle(60)
        assert await proven(it, task_id, it.upstreams.creates[2].task_id)


async def test_a_task_of_ours_that_is_known_is_no_candidate(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        known = await asked(it, "a cat [sim:seconds=20]")
        task_id = await asked(it, "a cat [sim:create=dropped]")
        await it.settle(910, 10)
        assert await unproven(it, task_id)
        assert (await record(it, known))["state"] == "SUCCEEDED"


async def test_a_task_of_ours_that_is_known_is_in_nobodys_way(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.upstreams.plans += [Plan(read_words(words), 1) for words in ("seconds=1500", "create=lost seconds=20")]
        await asked(it, "a cat")
        task_id = await asked(it, "a cat")
        await it.settle(90)
        assert await proven(it, task_id, it.upstreams.creates[1].task_id)


async def test_two_of_ours_with_the_same_prompt_stay_unproven(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        tasks = [await lost(it, "a cat", "seconds=20"), await lost(it, "a cat", "seconds=20")]
        await it.settle(910, 10)
        for task_id in tasks:
            assert await unproven(it, task_id)


async def test_a_video_that_another_doubt_could_claim_just_as_well_stays_unproven(tmp_path: Path) -> None:
    """One create was accepted, one was not; both answers are lost, and both asked for the same."""
    async with world(tmp_path) as it:
        it.upstreams.plans += [Plan(read_words(words), 1) for words in ("create=dropped", "create=lost seconds=20")]
        tasks = [await asked(it, "a cat"), await asked(it, "a cat")]
        await it.settle(910, 10)
        assert len(it.upstreams.creates) == 1
        for task_id in tasks:
            assert await unproven(it, task_id)


async def test_a_video_that_a_create_under_way_could_have_made_is_not_given_to_another(tmp_path: Path) -> None:
    async with world(tmp_path, submit_wait_seconds=0.01) as it:
        it.upstreams.plans += [
            Plan(read_words(words), 1) for words in ("create=dropped", "create=delay:3600 seconds=20 queue=1")
        ]
        task_id, under_way = await asked(it, "a cat"), await asked(it, "a cat")
        await it.settle(100)
        assert (await record(it, task_id))["state"] == "IN_DOUBT"
        assert (await record(it, under_way))["state"] == "SUBMITTING"


async def test_two_of_ours_with_different_prompts_get_each_its_own(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        tasks = [await lost(it, prompt, f"seconds={seconds}") for prompt, seconds in (("a cat", 20), ("a dog", 90))]
        await it.settle(200)
        for task_id, create in zip(tasks, it.upstreams.creates, strict=True):
            assert await proven(it, task_id, create.task_id)


@pytest.mark.parametrize("limits", [False, True])
@pytest.mark.parametrize("provider", ["dashscope", "acedata"])
async def test_sixty_lost_at_once_cost_a_handful_of_lists(tmp_path: Path, provider: str, limits: bool) -> None:
    lists: list[httpx.Request] = []
    async with world(tmp_path, simulator=SimulatorSettings(limits=limits)) as it:
        it.between = counting(lists)
        tasks = []
        for number in range(60):
            tasks.append(await lost(it, f"a cat no. {number}", "seconds=20 callback=lost", provider))
            it.clock.turn(0.5)
        await it.settle(240)
        for task_id, create in zip(tasks, it.upstreams.creates, strict=True):
            assert await proven(it, task_id, create.task_id)
        assert 0 < len(lists) <= 12
        assert len(told(it)) == 60


async def test_what_is_lost_one_after_the_other_is_looked_for_together(tmp_path: Path) -> None:
    lists: list[httpx.Request] = []
    async with world(tmp_path) as it:
        it.between = counting(lists)
        for number in range(30):
            await asked(it, f"a cat no. {number} [sim:create=dropped]", "acedata")
            await it.settle(2)
        assert 10 <= len(lists) <= 14


async def test_a_list_of_many_pages_is_read_to_its_end_at_the_accounts_pace(tmp_path: Path) -> None:
    lists: list[httpx.Request] = []
    async with world(tmp_path, simulator=SimulatorSettings(limits=True)) as it:
        task_id = await lost(it, "a cat", "seconds=200 callback=lost", "acedata")
        for number in range(320):
            it.clock.turn(0.1)
            await asked(it, f"a dog {number} [sim:seconds=1000]", "acedata")
        it.between = counting(lists)
        await it.settle(30)
        assert await outcome(it, task_id) == ("RUNNING", None, it.upstreams.creates[0].task_id)
        assert len(lists) == 4


async def test_a_list_that_is_too_long_to_read_decides_nothing(tmp_path: Path) -> None:
    """A round that could not read all pages cannot say that a task is not there."""
    async with world(tmp_path) as it:
        task_id = await asked(it, "a cat [sim:create=dropped]")
        rows = [{"task_id": str(number), "status": "FAILED", "gmt_create": it.clock()} for number in range(100)]
        it.between = counting([], httpx.Response(200, json={"data": rows, "total": 10**6, "page_size": 100}))
        await it.settle(1800, 10)
        assert (await record(it, task_id))["state"] == "IN_DOUBT"
        it.between = None
        await it.settle(90)
        assert await unproven(it, task_id)


async def test_a_list_that_says_too_much_is_asked_again_later(tmp_path: Path) -> None:
    lists: list[httpx.Request] = []
    async with world(tmp_path) as it:
        task_id = await lost(it, "a cat", "seconds=20 callback=lost", "acedata")
        it.between = counting(lists, httpx.Response(429, headers={"retry-after": "60"}))
        await it.settle(59)
        assert len(lists) == 1
        it.between = counting(lists)
        await it.settle(60)
        assert await proven(it, task_id)
        assert len(lists) == 2


async def test_an_id_that_came_to_another_task_meanwhile_is_left_alone(tmp_path: Path) -> None:
    """Between the list and the adoption the operator gave the upstream's task to another one."""
    async with world(tmp_path) as it:
        task_id = await lost(it, "a cat", "seconds=20")
        other = await lost(it, "a dog", "seconds=20 lag=10000")
        upstream_id = it.upstreams.creates[0].task_id
        store = it.ringback.store
        placement = (await record(it, other))["placements"][0]["id"]

        async def between(request: httpx.Request) -> httpx.Response | None:
            if request.url.path.endswith(f"/tasks/{upstream_id}"):
                await store.doubts.adopted(placement, upstream_id, it.clock(), it.clock())
            return None

        it.between = between
        await it.settle(910, 10)
        assert await unproven(it, task_id)
        assert await outcome(it, other) == ("SUCCEEDED", None, upstream_id)
