"""Replays: what is sent again, how fast, what it is called, and what is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from service.telling.replay import RELEASED_AT_ONCE, pace
from tests.service.asking import created, record
from tests.service.nouns import an_endpoint
from tests.world import ADMIN, OTHER_KEY, World, world

pytestmark = pytest.mark.anyio


async def delivered(it: World, count: int, **how: Any) -> list[str]:
    """The ids of the deliveries of so many tasks, which were taken."""
    tasks = [await created(it, "seconds=1", provider="dashscope", **how) for _ in range(count)]
    await it.settle(8)
    return [(await record(it, task))["deliveries"][0]["id"] for task in tasks]


async def begun(it: World, status: int = 202, **wish: Any) -> dict[str, Any]:
    reply = await it.client.post("/v1/replays", json=wish)
    assert reply.status_code == status, reply.text
    told: dict[str, Any] = reply.json()
    return told


async def shown(it: World, replay: dict[str, Any], **headers: str) -> dict[str, Any]:
    reply = await it.client.get(f"/v1/replays/{replay['id']}", headers=headers)
    assert reply.status_code == 200, reply.text
    told: dict[str, Any] = reply.json()
    return told


async def test_what_failed_is_sent_again_with_the_same_ids_and_bodies(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await delivered(it, 2)
        it.inbox.answers += [(500, {})] * 99
        failed = await delivered(it, 3)
        it.inbox.answers.clear()
        before = {one.id: one.raw for one in it.inbox.received}
        it.inbox.received.clear()
        replay = await begun(it, failed=True, since="1h")
        assert (replay["state"], replay["matched"]) == ("COLLECTING", 0)
        await it.tick()
        assert {one.id: one.raw for one in it.inbox.received} == {one: before[one] for one in failed}
        told = await shown(it, replay)
        counts = {name: told[name] for name in ("matched", "replayed", "skipped", "delivered", "failed_again", "left")}
        assert counts == {"matched": 3, "replayed": 3, "skipped": 0, "delivered": 3, "failed_again": 0, "left": 0}
        assert (told["state"], told["eta"], told["skipped_because"]) == ("DONE", None, {})


async def test_a_receiver_that_was_given_a_rest_is_tried_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.inbox.answers += [(500, {})] * 999
        failed = await delivered(it, 8)
        await it.settle(1200, 5)
        it.inbox.answers.clear()
        before = len(it.inbox.received)
        await it.tick()
        assert len(it.inbox.received) == before  # its circuit is open, and no attempt is due
        await begun(it, failed=True)
        await it.tick()
        assert {one.id for one in it.inbox.received[before:]} == set(failed)


async def test_no_more_are_sent_in_a_second_than_the_rate_allows(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await delivered(it, 7)
        it.inbox.received.clear()
        replay = await begun(it, states=["DELIVERED"], rate=2)
        seen = []
        for _ in range(5):
            await it.tick()
            seen.append(len(it.inbox.received))
            it.clock.turn(1)
        assert seen == [2, 4, 6, 7, 7]
        assert (await shown(it, replay))["delivered"] == 7


async def test_a_replay_goes_on_where_a_dead_server_left_it(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        made = await delivered(it, 6)
        it.inbox.received.clear()
        replay = await begun(it, states=["DELIVERED"], rate=2)
        await it.tick()
        told = await shown(it, replay)
        assert (told["state"], told["replayed"], told["left"]) == ("RUNNING", 2, 4)
        assert told["eta"] is not None
        await it.ringback.workers["replay"]._work.claim(1)  # it dies with a batch in hand
        it.clock.turn(1)
        await it.ringback.workers["replay"]._work.claim(1)
        await it.stop()
        await it.start()
        await it.settle(5)
        assert sorted(one.id for one in it.inbox.received) == sorted(made)
        assert (await shown(it, replay))["delivered"] == 6


async def test_what_fails_again_is_counted_and_tried_by_its_schedule(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await delivered(it, 3)
        it.inbox.answers += [(500, {})]
        replay = await begun(it, since="1h")
        await it.tick()
        told = await shown(it, replay)
        assert (told["delivered"], told["failed_again"], told["left"]) == (2, 1, 0)
        await it.settle(10)
        told = await shown(it, replay)
        assert (told["delivered"], told["failed_again"], told["left"]) == (3, 0, 0)


async def test_a_canceled_replay_puts_no_more_in_line(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await delivered(it, 4)
        it.inbox.received.clear()
        replay = await begun(it, since="1h", rate=1)
        await it.tick()
        reply = await it.client.post(f"/v1/replays/{replay['id']}/cancel")
        assert (reply.json()["state"], reply.json()["replayed"], reply.json()["left"]) == ("CANCELED", 1, 0)
        await it.settle(30, 5)
        assert len(it.inbox.received) == 1
        again = (await it.client.post(f"/v1/replays/{replay['id']}/cancel")).json()
        assert again["finished_at"] == reply.json()["finished_at"]


async def test_a_dry_run_tells_and_sends_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        made = await delivered(it, 7)
        it.inbox.received.clear()
        told = await begun(it, 200, since="1h", dry_run=True)
        assert told["matched"] == 7
        assert told["oldest"] <= told["newest"]
        assert len(told["sample"]) == 5
        assert {one["id"] for one in told["sample"]} <= set(made)
        await it.settle(10)
        assert it.inbox.received == []
        assert (await it.client.get("/v1/replays")).json()["replays"] == []


async def test_all_messages_of_a_task_are_sent_again(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task = await created(it, "seconds=1", provider="dashscope")
        second = {"url": f"{it.inbox.url}/second", "format": "event"}
        await it.client.post(f"/v1/tasks/{task}/subscriptions", json=second)
        early = await it.client.post(f"/v1/tasks/{task}/replay")
        assert (early.status_code, early.json()["error"]["code"]) == (409, "nothing_to_replay")
        await it.settle(8)
        await delivered(it, 1)
        before = sorted(one.id for one in it.inbox.received)
        it.inbox.received.clear()
        reply = await it.client.post(f"/v1/tasks/{task}/replay")
        assert reply.status_code == 202
        await it.tick()
        assert {one.path for one in it.inbox.received} == {"/hook", "/second"}
        assert len(it.inbox.received) == 2
        assert {one.id for one in it.inbox.received} < set(before)
        theirs = await it.client.post(f"/v1/tasks/{task}/replay", headers=it.as_key(OTHER_KEY))
        assert theirs.status_code == 404


async def test_with_a_new_id_it_is_another_message_that_names_the_earlier_one(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        [old] = await delivered(it, 1)
        it.clock.turn(1)
        [first] = it.inbox.received
        reply = await it.client.post(f"/v1/deliveries/{old}/replay", json={"new_id": True})
        assert (reply.status_code, reply.json()["replay_of"]) == (202, old)
        copy = reply.json()["id"]
        await it.tick()
        it.clock.turn(1)
        await begun(it, until="1s", states=["DELIVERED"], new_id=True)  # of the first one, and not of its copy
        await it.tick()
        assert [one.id for one in it.inbox.received][:2] == [old, copy]
        assert {one.raw for one in it.inbox.received} == {first.raw}
        listed = (await it.client.get("/v1/deliveries")).json()["deliveries"]
        assert len(listed) == len(it.inbox.received) == 3
        assert [one["replay_of"] for one in listed] == [old, old, None]


async def test_a_cloud_event_with_a_new_id_says_it_in_its_body_too(tmp_path: Path) -> None:
    """Its receivers drop what they know by that id."""
    async with world(tmp_path) as it:
        task = await created(it, "seconds=1", provider="dashscope")
        url = f"{it.inbox.url}/cloud"
        await it.client.post(f"/v1/tasks/{task}/subscriptions", json={"url": url, "format": "cloudevents"})
        await it.settle(6)
        [first] = [one for one in it.inbox.received if one.path == "/cloud"]
        await it.client.post(f"/v1/deliveries/{first.id}/replay", json={"new_id": True})
        await it.tick()
        [_, second] = [one for one in it.inbox.received if one.path == "/cloud"]
        assert (first.body["id"], second.body["id"]) == (first.id, second.id)
        assert first.id != second.id
        assert {**first.body, "id": ""} == {**second.body, "id": ""}


async def test_a_client_replays_only_its_own_and_the_operator_all(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await delivered(it, 1)
        await delivered(it, 2, key=OTHER_KEY)
        it.inbox.received.clear()
        replay = await begun(it, since="1h")
        await it.tick()
        assert len(it.inbox.received) == 1
        for path in (f"/v1/replays/{replay['id']}", f"/v1/replays/{replay['id']}/cancel"):
            method = "POST" if path.endswith("cancel") else "GET"
            assert (await it.client.request(method, path, headers=it.as_key(OTHER_KEY))).status_code == 404
        assert (await it.client.get("/v1/replays", headers=it.as_key(OTHER_KEY))).json()["replays"] == []
        await it.client.post("/v1/replays", json={"since": "1h"}, headers=it.as_key(ADMIN))
        await it.tick()
        assert len(it.inbox.received) == 4
        everyones = (await it.client.get("/v1/replays", headers=it.as_key(ADMIN))).json()["replays"]
        assert len(everyones) == 2


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({}, "body: say what is to be sent again, by one or more of failed, states, types, task, endpoint, since"),
        ({"failed": False}, "body: say what"),
        ({"failed": "yes"}, "failed: true or false"),
        ({"states": ["LOST"]}, "states: a list is needed, of PENDING, DELIVERED"),
        ({"states": "DELIVERED"}, "states: a list"),
        ({"types": ["task.done"]}, "types: a list is needed, of task."),
        ({"since": "yesterday"}, "since: how long ago (90s, 15m, 2h, 7d)"),
        ({"until": 5}, "until: a text is needed"),
        ({"failed": True, "rate": 0}, "rate: a whole number from 1 to 1000"),
        ({"failed": True, "rate": True}, "rate: "),
        ({"failed": True, "speed": 9}, "speed: it may be failed"),
    ],
)
async def test_what_cannot_be_understood_is_named(wish: dict[str, Any], said: str, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        reply = await it.client.post("/v1/replays", json=wish)
        assert reply.status_code == 400
        assert reply.json()["error"]["message"].startswith(said)


async def test_what_cannot_be_sent_again_says_why(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        [one] = await delivered(it, 1)
        for noun in ("endpoint", "task"):
            for how in ({}, {"dry_run": True}, {"failed": True}):
                nobodys = await it.client.post("/v1/replays", json={noun: "nobody's", **how})
                said = nobodys.json()["error"]["message"]
                assert (nobodys.status_code, said) == (404, f"There is no such {noun}."), how
        endpoint = an_endpoint(disabled_at=it.clock.now, disabled_by="client")
        await it.ringback.store.endpoints.create(endpoint, 10)
        for wish in ({"endpoint": endpoint.id}, {"endpoint": endpoint.id, "dry_run": True}):
            disabled = await it.client.post("/v1/replays", json=wish)
            assert (disabled.status_code, disabled.json()["error"]["code"]) == (409, "endpoint_disabled")
            assert "Enable it" in disabled.json()["error"]["message"]
        pruned = "UPDATE deliveries SET body = x'' WHERE id = :id"
        await it.ringback.store._engine.write(lambda tx: tx.run(pruned, id=one))
        for how in ({}, {"new_id": True}):
            reply = await it.client.post(f"/v1/deliveries/{one}/replay", json=how)
            assert (reply.status_code, reply.json()["error"]["code"]) == (409, "body_pruned")
        assert (await it.client.get(f"/v1/deliveries/{one}")).json()["body_kept"] is False


@pytest.mark.parametrize("rate", [1, 2, 50, RELEASED_AT_ONCE, 333, 1000])
def test_batches_keep_the_rate(rate: int) -> None:
    size, pause = pace(rate)
    assert 1 <= size <= RELEASED_AT_ONCE
    assert size * 1000 / pause == pytest.approx(rate, rel=0.01)
