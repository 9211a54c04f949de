"""Sends whose answer was lost: never sent again, adopted on proof, otherwise given up with everyone told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.providers import PROVIDERS
from service.domain.tasks import Verdict
from tests.service.asking import ACEDATA, create, created, events, id_of, record, told
from tests.world import World, world

pytestmark = pytest.mark.anyio
LOST = ("lost", "502html", "504html", "408html", "noid")
"""Answers after which the create may have been accepted, and here was."""
UNLISTED = ("laozhang", "apiyi")
"""The providers that cannot be asked which tasks there are; what they accepted cannot be proven."""
UNSEEN = "lag=100000"
"""The create was accepted, but neither a list nor a look ever finds it."""


async def lost_create(it: World, fault: str, **how: Any) -> str:
    task_id = await created(it, f"create={fault} seconds=20", **how)
    task = await record(it, task_id)
    assert (task["state"], task["placements"][0]["verdict"]) == ("IN_DOUBT", "in_doubt")
    return task_id


def creates(it: World) -> int:
    """How often any create was asked for, accepted or not."""
    return sum(count for (_, kind), count in it.upstreams.requests.items() if kind == "create")


async def given_up(it: World, task_id: str) -> None:
    task = await record(it, task_id)
    assert (task["state"], task["error"]["code"]) == ("FAILED", "outcome_unknown")
    assert task["placements"][0]["verdict"] == "unproven"
    assert len(task["placements"]) == 1


@pytest.mark.parametrize(
    ("provider", "fault"),
    [*((provider, fault) for provider in UNLISTED for fault in (*LOST, "dropped")), ("dashscope", "dropped")],
)
async def test_a_lost_answer_is_given_up_after_its_time_and_told(tmp_path: Path, provider: str, fault: str) -> None:
    async with world(tmp_path) as it:
        task_id = await lost_create(it, fault, provider=provider)
        await it.settle(890, 10)
        assert (await record(it, task_id))["state"] == "IN_DOUBT"
        assert told(it) == []
        await it.settle(20, 10)
        await given_up(it, task_id)
        assert len(told(it)) == 1
        await it.settle(7200, 600)
        assert creates(it) == 1


@pytest.mark.parametrize("fault", LOST)
async def test_a_lost_answer_of_acedata_is_made_good_by_its_callback(tmp_path: Path, fault: str) -> None:
    async with world(tmp_path) as it:
        task_id = await lost_create(it, fault)
        await it.settle(30)
        task = await record(it, task_id)
        assert task["state"] == "SUCCEEDED"
        [placement] = task["placements"]
        assert (placement["verdict"], placement["upstream_id"]) == ("ended", it.upstreams.creates[0].task_id)
        [body] = told(it)
        assert (body["task_id"], body["success"]) == (task_id, True)
        await it.settle(7200, 600)
        assert creates(it) == 1
        assert len(told(it)) == 1


async def test_a_failed_video_of_a_lost_create_is_told_as_failed(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "create=lost seconds=20 fail=forbidden")
        await it.settle(30)
        assert (await record(it, task_id))["error"]["code"] == "forbidden"
        assert [body["success"] for body in told(it)] == [False]


async def test_without_any_sign_acedatas_lost_answer_is_given_up_too(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, f"create=lost callback=lost {UNSEEN}")
        await it.settle(910, 10)
        await given_up(it, task_id)
        assert len(told(it)) == 1


async def test_a_callback_that_names_another_task_proves_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, f"create=lost callback=wrongid seconds=5 {UNSEEN}")
        await it.settle(910, 10)
        await given_up(it, task_id)


async def test_an_answer_that_takes_longer_than_the_create_may_is_doubted(tmp_path: Path) -> None:
    async with world(tmp_path, create_timeout_seconds=0.05) as it:
        task_id = await lost_create(it, "delay:3600", provider="laozhang")
        assert await events(it) == ["submission.in_doubt"]
        await it.settle(910, 10)
        await given_up(it, task_id)
        assert creates(it) == 1


async def test_the_clients_own_time_may_be_set(tmp_path: Path) -> None:
    async with world(tmp_path, in_doubt_seconds=30) as it:
        task_id = await lost_create(it, "lost", provider="laozhang")
        await it.settle(29)
        assert (await record(it, task_id))["state"] == "IN_DOUBT"
        await it.settle(2)
        await given_up(it, task_id)


@pytest.mark.parametrize("shape", ["flat", "native", "gateway"])
async def test_in_doubt_a_client_sees_a_task_that_waits(tmp_path: Path, shape: str) -> None:
    async with world(tmp_path) as it:
        response = await create(it, "create=lost", provider="dashscope", shape=shape)
        assert response.status_code == 200
        asked = await it.client.get(f"/api/v1/tasks/{id_of(response)}")
        assert asked.json()["output"]["task_status"] == "PENDING"


async def test_what_was_lost_under_an_old_secret_key_is_adopted_under_a_new_one(tmp_path: Path) -> None:
    async with world(tmp_path, secret_keys=("old-key",)) as it:
        task_id = await lost_create(it, "lost")
        await it.stop()
        await it.start(secret_keys=("old-key", "new-key"))
        await it.settle(30)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"


async def test_a_callback_under_a_key_that_was_dropped_is_nobodys(tmp_path: Path) -> None:
    async with world(tmp_path, secret_keys=("old-key",)) as it:
        task_id = await lost_create(it, "lost")
        await it.stop()
        await it.start(secret_keys=("new-key",))
        await it.settle(30)
        assert [sent.status for sent in it.upstreams.outbox.sent] == [404]
        assert (await record(it, task_id))["state"] == "IN_DOUBT"


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_server_that_dies_during_a_send_doubts_it_when_it_returns(tmp_path: Path, provider: str) -> None:
    async with world(tmp_path, submit_wait_seconds=0.01) as it:
        task_id = await created(it, "create=delay:3600 seconds=20", provider=provider)
        assert (await record(it, task_id))["state"] == "SUBMITTING"
        await it.stop()
        await it.start()
        await it.tick()
        assert (await record(it, task_id))["state"] == "IN_DOUBT"
        await it.settle(30)
        adopted = "SUCCEEDED" if provider == ACEDATA else "IN_DOUBT"
        assert (await record(it, task_id))["state"] == adopted
        await it.settle(910, 10)
        assert creates(it) == 1
        assert len(told(it)) == 1


async def test_an_adoption_while_the_doubt_is_given_up_wins(tmp_path: Path) -> None:
    """The doubt was claimed, then the proof came, then the claim is handled."""
    async with world(tmp_path) as it:
        task_id = await created(it, "create=lost seconds=899 lag=899")
        doubts = it.ringback.workers["doubt"]._work
        it.clock.turn(900)
        [claimed] = await doubts.claim(10)
        await it.upstreams.send_due_callbacks()
        await it.ringback.workers["look.acedata"].tick()
        await doubts.handle(claimed)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"


async def test_a_task_adopted_while_it_still_runs_is_not_given_up(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "create=lost seconds=2000")
        doubts = it.ringback.workers["doubt"]._work
        it.clock.turn(900)
        [claimed] = await doubts.claim(10)
        upstream = it.upstreams.creates[0]
        url = upstream.body["callback_url"]
        await it.to_service.post(url, json={"task_id": upstream.task_id})  # a hint ahead of its time
        await it.ringback.workers["look.acedata"].tick()
        assert (await record(it, task_id))["state"] == "RUNNING"
        await doubts.handle(claimed)
        assert (await record(it, task_id))["state"] == "RUNNING"
        await it.settle(2000, 60)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"


async def test_an_answer_that_comes_while_it_is_doubted_leaves_no_false_alarm(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "seconds=20")
        placement = (await record(it, task_id))["placements"][0]["id"]
        doubts = it.ringback.workers["doubt"]._work
        found = await it.ringback.store.lookups.placement(placement)
        assert found is not None
        await doubts.handle(replace(found, verdict=Verdict.SENDING))  # as it was when it was claimed
        assert (await record(it, task_id))["state"] == "QUEUED"
        assert await events(it) == []


async def test_a_doubtful_task_is_told_to_the_operator_once(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await lost_create(it, "502html", provider="apiyi")
        await it.settle(910, 10)
        assert (await events(it)).count("submission.in_doubt") == 1


async def test_hints_that_nothing_confirms_do_not_disturb_the_other_tasks(tmp_path: Path) -> None:
    """Whoever has a token can name ids; they are asked for apart from the tasks that we know."""
    async with world(tmp_path) as it:
        await lost_create(it, f"lost callback=lost {UNSEEN}")
        known = [await created(it, f"seconds={number} callback=lost") for number in (5, 6, 7)]
        asked: list[list[str]] = []

        async def between(request: httpx.Request) -> httpx.Response | None:
            if (ids := json.loads(request.content).get("ids")) is None:
                return None  # the list, for the one in doubt
            asked.append(ids)
            error = {"code": "bad_request", "message": "?"}
            poisoned = "poison" in request.content.decode()
            return httpx.Response(400, json={"success": False, "error": error}) if poisoned else None

        it.between = between
        it.clock.turn(61)  # the known ones are due for their slow look
        url = it.upstreams.creates[0].body["callback_url"]
        for number in range(20):
            await it.to_service.post(url, json={"task_id": f"poison-{number}"})
        await it.settle(4)
        assert [(await record(it, task_id))["state"] for task_id in known] == ["SUCCEEDED"] * 3
        assert any("poison-3" in ids for ids in asked)
        assert max(map(len, asked)) <= PROVIDERS[ACEDATA].batch
