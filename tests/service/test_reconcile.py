"""Lost answers that the upstream's list proves: AceData's by our own callback URL in it, DashScope's by the result."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from service.simulator import SimulatorSettings
from tests.service.asking import created, events, record, told
from tests.service.lost import asked, counting, elsewhere, lost, outcome, proven, unproven
from tests.world import world

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("fault", ["lost", "502html", "504html", "408html", "noid"])
@pytest.mark.parametrize("provider", ["acedata", "dashscope"])
async def test_a_lost_answer_is_made_good_by_the_list(tmp_path: Path, provider: str, fault: str) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, f"create={fault} seconds=20 callback=lost", provider=provider)
        await it.settle(120)
        assert await proven(it, task_id)
        task = await record(it, task_id)
        assert task["placements"][0]["verdict"] == "ended"
        assert task["detector"] == ("list" if provider == "dashscope" else "look")
        assert len(told(it)) == 1
        await it.settle(7200, 600)
        assert len(told(it)) == len(it.upstreams.creates) == 1
        assert await events(it) == ["submission.in_doubt"]


async def test_acedatas_task_is_found_within_seconds_and_then_lives_on_like_others(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await lost(it, "a cat", "seconds=60", "acedata")
        await it.settle(6)
        assert await outcome(it, task_id) == ("RUNNING", None, it.upstreams.creates[0].task_id)
        await it.settle(60)
        assert await proven(it, task_id)
        assert len(told(it)) == 1


async def test_a_task_of_acedata_that_ended_is_told_by_the_list(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await lost(it, "a cat", "seconds=3 callback=lost", "acedata")
        await it.settle(6)
        assert await proven(it, task_id)
        assert (await record(it, task_id))["detector"] == "list"


@pytest.mark.parametrize("provider", ["acedata", "dashscope"])
async def test_of_happyhorse_too(tmp_path: Path, provider: str) -> None:
    async with world(tmp_path) as it:
        prompt = "a cat [sim:create=lost seconds=20 callback=lost]"
        body = {"model": "happyhorse-1.0-t2v", "action": "generate", "prompt": prompt}
        headers = {"x-ringback-provider": provider}
        response = await it.client.post("/happyhorse/videos", json=body | {"async": True}, headers=headers)
        await it.settle(120)
        assert await proven(it, response.json()["task_id"])


async def test_a_failed_video_at_acedata_is_proven_by_its_record(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await lost(it, "a cat", "seconds=3 fail=forbidden callback=lost", "acedata")
        await it.settle(10)
        assert await outcome(it, task_id) == ("FAILED", "forbidden", it.upstreams.creates[0].task_id)


async def test_without_a_public_url_acedatas_records_say_nothing_and_are_not_asked_for(tmp_path: Path) -> None:
    async with world(tmp_path, public_url=None) as it:
        task_id = await lost(it, "a cat", "seconds=20", "acedata")
        await it.settle(890, 10)
        assert (await record(it, task_id))["state"] == "IN_DOUBT"
        await it.settle(20, 10)
        assert await unproven(it, task_id)
        assert it.upstreams.requests["acedata", "query"] == 0
        assert await events(it) == ["submission.in_doubt", "submission.unproven"]


async def test_a_record_with_another_callback_url_proves_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        stranger = await asked(it, "a cat", "acedata")
        task_id = await asked(it, "a cat [sim:create=dropped]", "acedata")
        await it.settle(910, 10)
        assert await unproven(it, task_id)
        assert (await record(it, stranger))["state"] == "SUCCEEDED"


@pytest.mark.parametrize("provider", ["laozhang", "apiyi"])
async def test_a_gateway_is_asked_nothing(tmp_path: Path, provider: str) -> None:
    async with world(tmp_path) as it:
        task_id = await lost(it, "a cat", "", provider)
        await it.settle(910, 10)
        assert await unproven(it, task_id)
        assert it.upstreams.requests[provider, "query"] == 0
        assert await events(it) == ["submission.in_doubt", "submission.unproven"]
        assert len(told(it)) == 1


async def test_a_task_that_runs_longer_than_a_doubt_lasts_is_waited_for(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await lost(it, "a cat", "seconds=3000")
        await it.settle(2900, 10)
        assert (await record(it, task_id))["state"] == "IN_DOUBT"
        await it.settle(200, 10)
        assert await proven(it, task_id)


@pytest.mark.parametrize("end", ["fail", "noprompt"])
async def test_a_task_that_does_not_say_whose_it_is_proves_nothing(tmp_path: Path, end: str) -> None:
    async with world(tmp_path) as it:
        task_id = await lost(it, "a cat", f"seconds=20 {end}")
        await it.settle(890, 10)
        assert (await record(it, task_id))["state"] == "IN_DOUBT"
        await it.settle(20, 10)
        assert await unproven(it, task_id)


async def test_a_success_without_a_video_is_adopted_and_ends_without_a_result(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await lost(it, "a cat", "seconds=20 nourl")
        await it.settle(120)
        assert await outcome(it, task_id) == ("FAILED", "no_result", it.upstreams.creates[0].task_id)


async def test_a_client_of_another_shape_is_proven_by_what_went_over_the_wire(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "create=lost seconds=20", shape="flat", provider="dashscope")
        await it.settle(120)
        assert await proven(it, task_id)


async def test_a_list_that_lags_behind_is_asked_again(tmp_path: Path) -> None:
    async with world(tmp_path, simulator=SimulatorSettings(lag_seconds=100)) as it:
        tasks = [await lost(it, "a cat", "seconds=20 callback=lost", provider) for provider in ("dashscope", "acedata")]
        await it.settle(300)
        for task_id, create in zip(tasks, it.upstreams.creates, strict=True):
            assert await proven(it, task_id, create.task_id)


async def test_a_list_that_only_tells_what_there_is_is_not_read_before_it_can_be_whole(tmp_path: Path) -> None:
    lists: list[httpx.Request] = []
    async with world(tmp_path) as it:
        it.between = counting(lists)
        await lost(it, "a cat", "seconds=20")
        await it.settle(29)
        assert lists == []
        await it.settle(5)
        assert len(lists) == 1


async def test_a_list_that_wants_smaller_pages_is_read_in_smaller_pages(tmp_path: Path) -> None:
    async with world(tmp_path, simulator=SimulatorSettings(page_size=10)) as it:
        task_id = await lost(it, "a cat", "seconds=20")
        for number in range(25):
            await elsewhere(it, f"a dog {number} [sim:seconds=20]")
        await it.settle(120)
        assert await proven(it, task_id)


async def test_a_server_that_was_killed_finds_what_it_sent(tmp_path: Path) -> None:
    async with world(tmp_path, submit_wait_seconds=0.01) as it:
        tasks = [
            await asked(it, "a cat [sim:create=delay:3600 seconds=20 callback=lost]", provider)
            for provider in ("dashscope", "acedata")
        ]
        await it.stop()
        it.clock.turn(4000)
        await it.start()
        await it.settle(5)
        for task_id, create in zip(tasks, it.upstreams.creates, strict=True):
            assert await proven(it, task_id, create.task_id)
        assert it.upstreams.requests["dashscope", "create"] == it.upstreams.requests["acedata", "create"] == 1


async def test_a_create_that_was_accepted_late_is_found_after_the_server_was_killed(tmp_path: Path) -> None:
    """Its answer could have come until the time for it was over, so the upstream may have taken it until then."""
    async with world(tmp_path, submit_wait_seconds=0.01) as it:

        async def between(request: httpx.Request) -> httpx.Response | None:
            return await asyncio.Future() if request.url.path.endswith("/video-synthesis") else None

        it.between = between
        task_id = await asked(it, "a cat [sim:seconds=20]")
        it.clock.turn(115)
        upstream_id = await elsewhere(it, "a cat [sim:seconds=20]")  # as if what was under way had arrived now
        await it.stop()
        it.clock.turn(1)
        await it.start()
        await it.settle(90)
        assert await proven(it, task_id, upstream_id)


async def test_a_server_that_was_killed_while_it_looked_goes_on_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await lost(it, "a cat", "seconds=200")
        await it.settle(100)
        it.clock.turn(150)
        await it.ringback.workers["doubt"]._work.claim(10)  # in hand, for minutes
        await it.stop()
        await it.start()
        await it.settle(3)
        assert await proven(it, task_id)


@pytest.mark.parametrize("provider", ["acedata", "dashscope"])
async def test_while_the_list_cannot_be_heard_nobody_gives_up(tmp_path: Path, provider: str) -> None:
    async with world(tmp_path) as it:
        task_id = await lost(it, "a cat", "seconds=20 callback=lost", provider)
        it.between = counting([], httpx.Response(502, text="<html>"))
        await it.settle(4 * 3600, 30)
        assert (await record(it, task_id))["state"] == "IN_DOUBT"
        it.between = None
        await it.settle(90)
        assert await proven(it, task_id)


async def test_a_refused_key_is_the_operators_trouble_and_nobody_gives_up(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await lost(it, "a cat", "seconds=20")
        it.between = counting([], httpx.Response(401, json={"code": "InvalidApiKey", "message": "?"}))
        await it.settle(1800, 10)
        assert (await record(it, task_id))["state"] == "IN_DOUBT"
        assert set(await events(it)) == {"submission.in_doubt", "upstream.look_refused"}
        it.between = None
        await it.settle(90)
        assert await proven(it, task_id)


async def test_a_doubt_that_the_list_knows_nothing_of_is_given_up_after_an_outage(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await asked(it, "a cat [sim:create=dropped]")
        it.between = counting([], httpx.Response(502, text="<html>"))
        await it.settle(3600, 30)
        it.between = None
        await it.settle(90)
        assert await unproven(it, task_id)


async def test_an_outage_beyond_what_the_upstream_remembers_ends_the_doubt(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await lost(it, "a cat", "seconds=20")
        it.between = counting([], httpx.Response(502, text="<html>"))
        await it.settle(23.9 * 3600, 300)
        assert (await record(it, task_id))["state"] == "IN_DOUBT"
        await it.settle(3600, 300)
        assert await unproven(it, task_id)
        await it.settle(6 * 3600, 600)
        assert len(told(it)) == 1


async def test_a_provider_that_was_taken_out_is_waited_for(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await lost(it, "a cat", "seconds=20")
        both = it.settings["accounts"]
        await it.stop()
        await it.start(accounts=tuple(each for each in both if each.provider.name != "dashscope"))
        await it.settle(2000, 20)
        assert (await record(it, task_id))["state"] == "IN_DOUBT"
        await it.stop()
        await it.start(accounts=both)
        await it.settle(90)
        assert await proven(it, task_id)
