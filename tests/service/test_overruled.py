"""A provider that says no to a create, in its own words, and makes the video all the same: its own record of our
callback URL overrules what it said."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from service.simulator.markers import read_words
from service.simulator.world import Plan
from tests.service.asking import create, created, error_code, events, record, told
from tests.service.lost import counting, lost
from tests.service.test_failover import ask, sends
from tests.world import World, accounts, world

pytestmark = pytest.mark.anyio
BELIEVED = {"accounts": accounts(["acedata"], rejected_5xx="no")}
"""A server that takes an error 500 in AceData's own words for a no."""


def creates(it: World) -> int:
    return sum(count for (_, kind), count in it.upstreams.requests.items() if kind == "create")


def then(it: World, words: str) -> None:
    """How the next create behaves."""
    it.upstreams.plans.append(Plan(read_words(words), 1))


# An error body is no proof where the provider can be asked


@pytest.mark.parametrize("status", [500, 503])
async def test_an_error_of_acedatas_own_is_not_believed_before_its_list_shows_no_such_task(
    tmp_path: Path, status: int
) -> None:
    async with world(tmp_path, providers=["acedata", "dashscope"]) as it:
        task_id = (await ask(it, "flat", f"create=denied:{status} times=1 seconds=60 callback=lost")).json()["task_id"]
        await it.settle(120)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert await sends(it, task_id) == [("acedata", "ended")]
        assert creates(it) == len(it.upstreams.creates) == len(told(it)) == 1


@pytest.mark.parametrize("callback", ["callback=lost", ""])
async def test_a_task_that_is_done_before_the_list_is_read_is_found_too(tmp_path: Path, callback: str) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, f"create=denied:500 times=1 seconds=5 {callback}")
        await it.settle(120)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert creates(it) == len(it.upstreams.creates) == len(told(it)) == 1


async def test_what_the_list_does_not_show_is_sent_elsewhere_at_once(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["acedata", "dashscope"]) as it:
        task_id = (await ask(it, "flat", "create=500 only=acedata seconds=5")).json()["task_id"]
        await it.settle(29)
        assert await sends(it, task_id) == [("acedata", "in_doubt")]
        await it.settle(5)
        assert await sends(it, task_id) == [("acedata", "not_accepted"), ("dashscope", "accepted")]
        await it.settle(60)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert len(it.upstreams.creates) == len(told(it)) == 1
        assert await events(it) == []
        charges = await it.ringback.store.charges.of_task(task_id)
        assert [one.amount for one in charges.values()].count(0) == 1


async def test_without_another_provider_it_is_sent_again_there_after_it_was_asked(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "create=500 times=2 seconds=5")
        await it.settle(200)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert await sends(it, task_id) == [("acedata", "not_accepted")] * 2 + [("acedata", "ended")]
        assert creates(it) == 3


async def test_many_errors_are_asked_about_together(tmp_path: Path) -> None:
    lists: list[httpx.Request] = []
    async with world(tmp_path) as it:
        it.between = counting(lists)
        for _ in range(20):
            await created(it, "create=500 times=1 seconds=5")
        await it.settle(60)
        assert len(lists) <= 3
        await it.settle(60)
        assert len(it.upstreams.creates) == len(told(it)) == 20


async def test_while_the_list_cannot_be_heard_nothing_is_sent(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["acedata", "dashscope"]) as it:
        it.between = counting([], httpx.Response(503))
        task_id = (await ask(it, "flat", "create=denied:500 times=1 seconds=5 callback=lost")).json()["task_id"]
        await it.settle(7200, 30)
        assert (await record(it, task_id))["state"] == "IN_DOUBT"
        it.between = None
        await it.settle(200, 5)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert creates(it) == len(told(it)) == 1


async def test_a_server_that_died_over_it_goes_on_asking(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "create=500 times=1 seconds=5")
        await it.stop()
        await it.start()
        await it.settle(120)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert len(it.upstreams.creates) == 1


@pytest.mark.parametrize("meant", ["no", "ask", "doubt"])
async def test_what_an_error_means_is_the_operators_to_say(tmp_path: Path, meant: str) -> None:
    """A gateway has no list that could be asked."""
    async with world(tmp_path, accounts=accounts(["apiyi"], rejected_5xx=meant)) as it:
        task_id = await created(it, "create=500 times=1 seconds=5", provider="apiyi")
        await it.settle(950, 10)
        task = await record(it, task_id)
        assert task["state"] == ("FAILED" if meant == "doubt" else "SUCCEEDED")
        assert creates(it) == (1 if meant == "doubt" else 2)


@pytest.mark.parametrize("accepted", [True, False])
async def test_dashscope_can_be_asked_too(tmp_path: Path, accepted: bool) -> None:
    async with world(tmp_path, accounts=accounts(["dashscope"], rejected_5xx="ask")) as it:
        await lost(it, "another cat", "seconds=5")  # what is not ours to claim is in nobody's way
        words = "create=denied:500" if accepted else "create=500"
        task_id = await created(it, f"{words} times=1 seconds=20", provider="dashscope")
        await it.settle(200, 2)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert creates(it) == (2 if accepted else 3)


async def test_without_a_public_url_there_is_nothing_to_ask_for(tmp_path: Path) -> None:
    async with world(tmp_path, public_url=None) as it:
        task_id = await created(it, "create=500 times=1 seconds=5")
        assert await sends(it, task_id) == [("acedata", "not_accepted")]
        await it.settle(60)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"


# What was believed, and was not true


async def test_a_callback_while_the_task_waits_is_its_only_send(tmp_path: Path) -> None:
    async with world(tmp_path, **BELIEVED) as it:
        then(it, "create=denied:500 callback=early")
        then(it, "create=429")
        then(it, "create=429")
        task_id = await created(it)
        await it.settle(120)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert await sends(it, task_id) == [("acedata", "ended")]
        assert len(it.upstreams.creates) == len(told(it)) == 1


async def test_a_task_that_waits_for_its_next_send_goes_on_by_the_one_that_was_denied(tmp_path: Path) -> None:
    async with world(tmp_path, **BELIEVED) as it:
        then(it, "create=denied:500 seconds=20")
        then(it, "create=429:600")
        task_id = await created(it)
        await it.settle(300)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert await sends(it, task_id) == [("acedata", "ended"), ("acedata", "not_accepted")]
        assert len(it.upstreams.creates) == len(told(it)) == 1
        assert creates(it) == 2
        assert await events(it) == ["submission.overruled"]


async def test_when_it_was_sent_again_already_both_are_paid_for_and_the_operator_is_told(tmp_path: Path) -> None:
    async with world(tmp_path, **BELIEVED) as it:
        then(it, "create=denied:500 seconds=30")
        then(it, "seconds=60")
        response = await it.client.post(
            "/wan/videos",
            json={"action": "text2video", "model": "wan2.6-t2v", "prompt": "a cat", "async": True},
            headers={"x-callback-url": it.inbox.url + "/hook"},
        )
        task_id = response.json()["task_id"]
        await it.settle(20)
        assert (await record(it, task_id))["state"] in ("QUEUED", "RUNNING")
        await it.settle(200)
        task = await record(it, task_id)
        assert task["state"] == "SUCCEEDED"
        assert await sends(it, task_id) == [("acedata", "ended"), ("acedata", "ended")]
        assert {one["upstream_id"] for one in task["placements"]} == {one.task_id for one in it.upstreams.creates}
        assert len(told(it)) == 1
        assert await events(it) == ["submission.paid_twice"]


async def test_a_late_result_of_what_was_told_as_refused_is_told_as_recovered(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        response = await create(it, "create=denied:400 seconds=20")
        assert (response.status_code, error_code("flat", response.json())) == (400, "bad_request")
        await it.settle(120)
        [body] = told(it)
        assert body["success"] is True
        assert await events(it) == ["submission.overruled"]


async def test_another_waiting_task_finds_it_in_the_list(tmp_path: Path) -> None:
    """A list that is read for another one shows a record with our callback URL in it."""
    async with world(tmp_path, **BELIEVED) as it:
        await lost(it, "another cat", "seconds=20 callback=lost", "acedata")
        then(it, "create=denied:500 seconds=20 callback=lost")
        then(it, "create=429:600")
        task_id = await created(it)
        await it.settle(300)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert len(it.upstreams.creates) == 2


async def test_a_callback_without_an_echo_overrules_nothing(tmp_path: Path) -> None:
    async with world(tmp_path, **BELIEVED) as it:
        stranger = await created(it, "seconds=1")
        then(it, "create=500")
        then(it, "create=429:600")
        task_id = await created(it)
        [placement] = await it.ringback.store.lookups.placements(task_id)
        url = it.ringback.urls.of(it.ringback.catalogue.providers["acedata"], placement.id)
        known = (await record(it, stranger))["placements"][0]["upstream_id"]
        for named in (known, "nobody"):
            await it.to_service.post(str(url), json={"success": True, "task_id": named, "data": []})
        await it.settle(60)
        assert (await record(it, task_id))["state"] == "ACCEPTED"
        assert (await sends(it, task_id))[0] == ("acedata", "not_accepted")
        assert await events(it) == []


async def test_who_cancels_one_of_two_that_are_made_is_told_of_the_other(tmp_path: Path) -> None:
    async with world(tmp_path, **BELIEVED | {"accounts": accounts(["acedata", "dashscope"], rejected_5xx="no")}) as it:
        then(it, "create=denied:500 seconds=600 callback=lost")
        then(it, "queue=600")
        task_id = (await ask(it, "flat")).json()["task_id"]
        assert (await record(it, task_id))["provider"] == "dashscope"
        [first, _] = await it.ringback.store.lookups.placements(task_id)
        url = it.ringback.urls.of(it.ringback.catalogue.providers["acedata"], first.id)
        await it.to_service.post(str(url), json={"success": True, "task_id": it.upstreams.creates[0].task_id})
        await it.settle(10)
        assert await events(it) == ["submission.paid_twice"]
        told = (await it.client.post(f"/v1/tasks/{task_id}/cancel", json={})).json()
        assert told["canceled"] is True
        assert told["message"].endswith("Another send of it may be made and billed.")


async def test_of_an_expunged_task_nothing_is_heard_any_more(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        other = await created(it, "seconds=60")
        assert (await create(it, "create=denied:400 seconds=5")).status_code == 400
        [task] = (await it.client.get("/v1/tasks?state=FAILED")).json()["tasks"]
        assert (await it.client.delete(f"/v1/tasks/{task['task_id']}")).status_code in (200, 202, 204)
        await lost(it, "another cat", "seconds=20 callback=lost", "acedata")  # its list shows the expunged one, too
        await it.settle(120)
        assert (await record(it, other))["state"] == "SUCCEEDED"
        assert "submission.overruled" not in await events(it)
