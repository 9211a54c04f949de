"""An operator adopts a lost submission by its upstream id: asked first, changed only on a true answer, nothing sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from adapters.providers import PROVIDERS
from service.domain.tasks import OUTCOME_UNKNOWN, TASK_EXPIRED, Task, TaskState, Verdict, fail
from service.doubts.reopen import reopen
from service.simulator.markers import read_words
from service.simulator.world import Plan
from service.store import Road, Seat, Store
from tests.service.asking import NATIVE, SILENT, create, created, events, only_task, record, told
from tests.service.lost import unlisted
from tests.service.nouns import ENGINES, NOW, kept, latest, opened, placement_of
from tests.world import ADMIN, World, world

pytestmark = pytest.mark.anyio
LOST = "create=lost times=1 callback=lost seconds=1500"


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


async def ask(it: World, task_id: str, upstream_id: Any, key: str = ADMIN, **which: Any) -> httpx.Response:
    body = {"upstream_id": upstream_id, **which}
    return await it.client.post(f"/v1/tasks/{task_id}/adopt", json=body, headers=it.as_key(key))


async def adopted(it: World, task_id: str, upstream_id: str, **which: str) -> dict[str, Any]:
    response = await ask(it, task_id, upstream_id, **which)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    assert answer["state"] == (await record(it, task_id))["state"]
    return answer


async def refused(it: World, task_id: str, upstream_id: Any, status: int = 409, **which: Any) -> str:
    """What is said, of an adoption that changes nothing."""
    before = await record(it, task_id)
    response = await ask(it, task_id, upstream_id, **which)
    assert response.status_code == status, response.text
    assert await record(it, task_id) == before
    said: str = response.json()["error"]["message"]
    return said


def creates(it: World) -> int:
    return sum(count for (_, kind), count in it.upstreams.requests.items() if kind == "create")


async def in_doubt(it: World, words: str = LOST, provider: str = "apiyi", **how: Any) -> tuple[str, str]:
    """A task that no list will prove, and the id that the upstream gave it."""
    it.between = unlisted
    task_id = await created(it, words, provider=provider, **how)
    assert (await record(it, task_id))["state"] == "IN_DOUBT"
    return task_id, it.upstreams.creates[-1].task_id


async def given_up(it: World, words: str = LOST, provider: str = "apiyi") -> tuple[str, str]:
    found = await in_doubt(it, words, provider)
    await it.settle(1000, 10)
    assert (await record(it, found[0]))["error"]["code"] == "outcome_unknown"
    return found


# What is in doubt goes on.


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_doubtful_task_goes_on_and_ends_as_any_other(tmp_path: Path, provider: str) -> None:
    async with world(tmp_path) as it:
        task_id, upstream_id = await in_doubt(it, provider=provider)
        await it.settle(400, 5)
        answer = await adopted(it, task_id, upstream_id)
        assert answer["state"] == "RUNNING"
        assert "bills this video once" in answer["message"]
        assert "Nothing new was sent." in answer["message"]
        [placement] = (await record(it, task_id))["placements"]
        assert (placement["verdict"], placement["upstream_id"]) == ("accepted", upstream_id)
        await it.settle(2000, 10)
        task = await record(it, task_id)
        assert task["state"] == "SUCCEEDED"
        assert [one["type"] for one in task["deliveries"]] == ["task.succeeded"]
        assert creates(it) == 1


async def test_a_video_that_is_there_ends_the_task_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id, upstream_id = await in_doubt(it, "create=lost seconds=5", "laozhang")
        await it.settle(10)
        answer = await adopted(it, task_id, upstream_id)
        assert answer["state"] == "SUCCEEDED"
        assert "has billed this video once" in answer["message"]
        await it.tick()
        assert len(told(it)) == 1


@pytest.mark.parametrize(("seconds", "said"), [(1500, "bills this video once, at most 5 CNY"), (5, "once, 5 CNY")])
async def test_the_bill_says_the_price_where_the_catalogue_knows_it(tmp_path: Path, seconds: int, said: str) -> None:
    async with world(tmp_path) as it:
        prompt = f"a cat [sim:create=lost seconds={seconds}]"
        body = {"model": "wan2.7-t2v", "input": {"prompt": prompt}, "parameters": {"resolution": "1080P"}}
        response = await it.client.post(NATIVE, json=body, headers={"x-ringback-provider": "dashscope"})
        await it.settle(10)
        task_id = response.json()["output"]["task_id"]
        assert said in (await adopted(it, task_id, it.upstreams.creates[0].task_id))["message"]


async def test_a_failure_that_is_there_is_the_tasks_and_costs_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id, upstream_id = await in_doubt(it, "create=lost seconds=5 fail", "dashscope")
        await it.settle(10)
        answer = await adopted(it, task_id, upstream_id)
        assert answer["state"] == "FAILED"
        assert "bills nothing" in answer["message"]
        assert (await record(it, task_id))["error"]["code"] != "outcome_unknown"


# What has ended is recovered by a video, and by nothing else.


@pytest.mark.parametrize("provider", SILENT)
async def test_a_task_that_was_given_up_is_recovered_by_the_video_it_is_looked_at_for(
    tmp_path: Path, provider: str
) -> None:
    async with world(tmp_path) as it:
        task_id, upstream_id = await given_up(it, provider=provider)
        assert (await adopted(it, task_id, upstream_id))["state"] == "FAILED"
        await it.settle(1200, 10)
        task = await record(it, task_id)
        assert task["state"] == "SUCCEEDED"
        assert [one["type"] for one in task["deliveries"]] == ["task.recovered", "task.failed"]
        assert len(told(it)) == 2
        assert creates(it) == 1


async def test_a_video_that_is_there_already_recovers_it_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id, upstream_id = await given_up(it, "create=lost seconds=100")
        assert (await adopted(it, task_id, upstream_id))["state"] == "SUCCEEDED"


async def test_a_later_failure_closes_the_send_and_leaves_the_task_as_it_was_told(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id, upstream_id = await given_up(it, f"{LOST} fail")
        await adopted(it, task_id, upstream_id)
        await it.settle(1200, 10)
        task = await record(it, task_id)
        assert (task["state"], task["error"]["code"]) == ("FAILED", "outcome_unknown")
        assert [one["verdict"] for one in task["placements"]] == ["ended"]
        assert len(told(it)) == 1
        looks = it.upstreams.requests["apiyi", "query"]
        await it.settle(3600, 60)
        assert it.upstreams.requests["apiyi", "query"] == looks
        assert "is known already" in await refused(it, task_id, upstream_id)


async def test_an_expired_task_is_looked_at_again_under_the_id_it_had(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "seconds=60", provider="dashscope")
        task = await it.ringback.store.lookups.task(task_id)
        assert task is not None
        expired = fail(task, TASK_EXPIRED, it.clock(), "look", TaskState.EXPIRED)
        assert await it.ringback.store.tasks.record(expired, Verdict.ENDED, None)
        upstream_id = it.upstreams.creates[0].task_id
        assert (await adopted(it, task_id, upstream_id))["state"] == "EXPIRED"
        assert "is known already" in await refused(it, task_id, upstream_id)
        await it.settle(90)
        task_now = await record(it, task_id)
        assert task_now["state"] == "SUCCEEDED"
        assert [one["type"] for one in task_now["deliveries"]] == ["task.recovered"]


# What is not true is refused, and changes nothing.


async def test_an_id_that_the_upstream_does_not_know_changes_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        for provider in PROVIDERS:
            task_id, _ = await in_doubt(it, "create=lost callback=lost seconds=1500", provider)
            assert "knows no such task" in await refused(it, task_id, "5f1d3b54-0000-4000-8000-000000000000")


async def test_an_id_of_another_task_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await created(it, "seconds=600", provider="apiyi")
        others = it.upstreams.creates[0].task_id
        task_id, _ = await in_doubt(it)
        assert "another" in await refused(it, task_id, others)


async def test_a_record_that_echoes_the_callback_url_of_another_send_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        _, theirs = await in_doubt(it, "create=lost callback=lost seconds=1500", "acedata")
        task_id, own = await in_doubt(it, "create=lost callback=lost seconds=1500", "acedata", url="/other")
        assert "by its callback URL" in await refused(it, task_id, theirs)
        assert (await adopted(it, task_id, own))["upstream_id"] == own


async def test_a_video_of_another_prompt_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path, public_url=None) as it:
        _, theirs = await in_doubt(it, "create=lost seconds=5 queue=1", "dashscope")
        task_id, _ = await in_doubt(it, "create=lost seconds=5 queue=2", "dashscope")
        await it.settle(10)
        assert "by its prompt" in await refused(it, task_id, theirs)


async def test_an_upstream_that_cannot_be_asked_changes_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id, upstream_id = await in_doubt(it)

        async def down(request: httpx.Request) -> httpx.Response:
            return httpx.Response(502, text="<html>")

        it.between = down
        said = await refused(it, task_id, upstream_id, 503)
        assert said == "APIYI could not be asked for it now (HTTP 502). Nothing has changed; try again later."
        assert (await ask(it, task_id, upstream_id)).headers["retry-after"] == "10"
        it.between = None
        assert (await adopted(it, task_id, upstream_id))["state"] == "QUEUED"


async def test_a_send_of_an_account_that_was_taken_out_cannot_be_adopted(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id, upstream_id = await in_doubt(it)
        await it.stop()
        await it.start(accounts=tuple(one for one in it.settings["accounts"] if one.provider.name != "apiyi"))
        assert "no key" in await refused(it, task_id, upstream_id)


@pytest.mark.parametrize("words", ["seconds=600", "seconds=5", "seconds=5 fail"])
async def test_a_task_with_no_send_in_doubt_has_nothing_to_adopt(tmp_path: Path, words: str) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, words, provider="apiyi")
        await it.settle(30)
        assert "Nothing was adopted: " in await refused(it, task_id, "some-id")
        assert "Nothing was adopted: " in await refused(it, task_id, it.upstreams.creates[0].task_id)


@pytest.mark.parametrize("status", [400, 500])
async def test_a_send_to_which_its_provider_said_no_can_be_adopted_too(tmp_path: Path, status: int) -> None:
    """A gateway echoes nothing that could prove it."""
    async with world(tmp_path, providers=["apiyi"]) as it:
        response = await create(it, f"create=denied:{status} times=1 seconds=30", provider="apiyi")
        task_id = (await only_task(it))["task_id"]
        if status == 400:
            assert response.status_code == 400
        told = await adopted(it, task_id, it.upstreams.creates[0].task_id)
        assert told["state"] == ("FAILED" if status == 400 else "QUEUED")
        await it.settle(60)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert creates(it) == 1
        assert await events(it) == ["submission.overruled"]


@pytest.mark.parametrize("body", [{}, {"upstream_id": 7}, {"upstream_id": ""}, {"upstream_id": "x", "account": None}])
async def test_a_body_that_cannot_be_read_is_refused(tmp_path: Path, body: dict[str, Any]) -> None:
    async with world(tmp_path) as it:
        task_id, _ = await in_doubt(it)
        response = await it.client.post(f"/v1/tasks/{task_id}/adopt", json=body, headers=it.as_key(ADMIN))
        assert response.status_code == 400


async def test_only_the_operator_may(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id, upstream_id = await in_doubt(it)
        assert (await ask(it, task_id, upstream_id, key="client-key-1")).status_code == 403
        assert (await ask(it, "nobody's", upstream_id)).status_code == 404
        assert (await record(it, task_id))["state"] == "IN_DOUBT"


# After it was sent again there may be several.


async def send_again(it: World, task_id: str, words: str, **body: Any) -> None:
    it.upstreams.plans.append(Plan(read_words(words), 1))
    path = f"/v1/tasks/{task_id}/send-again"
    response = await it.client.post(path, json={"confirm": True, **body}, headers=it.as_key(ADMIN))
    assert response.status_code == 202, response.text


async def test_of_several_sends_the_latest_is_meant_unless_another_is_named(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id, first = await in_doubt(it)
        await send_again(it, task_id, "create=lost seconds=1500", provider="laozhang")
        await it.settle(5)
        second = it.upstreams.creates[-1].task_id
        sends = (await record(it, task_id))["placements"]
        assert [one["verdict"] for one in sends] == ["unproven", "in_doubt"]
        assert "knows no such task" in await refused(it, task_id, first)  # the latest send was to another provider
        assert "other ones" in await refused(it, task_id, first, provider="dashscope")
        assert (await adopted(it, task_id, first, provider="apiyi"))["placement"] == sends[0]["id"]
        assert (await adopted(it, task_id, second, placement=sends[1]["id"]))["placement"] == sends[1]["id"]
        await it.settle(2000, 10)
        task = await record(it, task_id)
        assert task["state"] == "SUCCEEDED"
        assert len(told(it)) == 1
        assert creates(it) == 2


async def test_a_send_that_waits_is_not_sent_any_more_once_the_first_is_proven(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id, upstream_id = await in_doubt(it)
        await send_again(it, task_id, "create=429:60")
        await it.settle(2)
        assert (await record(it, task_id))["state"] == "ACCEPTED"
        assert (await adopted(it, task_id, upstream_id))["state"] == "QUEUED"
        await it.settle(2000, 10)
        task = await record(it, task_id)
        assert task["state"] == "SUCCEEDED"
        assert [one["verdict"] for one in task["placements"]] == ["ended", "not_accepted"]
        assert len(it.upstreams.creates) == 1


async def test_a_callback_proves_the_first_send_while_the_second_waits(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id, _ = await in_doubt(it, "create=lost times=1 seconds=20", "acedata")
        await send_again(it, task_id, "create=429:600")
        await it.settle(2)
        assert (await record(it, task_id))["state"] == "ACCEPTED"
        await it.settle(1200, 10)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert len(it.upstreams.creates) == 1
        assert len(told(it)) == 1


# The store.


async def doubtful(store: Store) -> Task:
    task = await kept(store)
    found = await store.tasks.doubted(task.placement or "", "lost", NOW, NOW + 1000)
    assert found is not None
    return found


async def test_an_adoption_takes_back_what_waits_to_be_sent_again(store: Store) -> None:
    task = await doubtful(store)
    assert await store.decisions.reopen(reopen(task, "apiyi", NOW + 1))
    moved = await store.doubts.adopted(task.placement or "", "up", NOW + 2, NOW + 2)
    assert moved is not None
    assert (moved.state, moved.placement, moved.due_at) == (TaskState.QUEUED, task.placement, None)
    assert await store.sends.claim("acedata", [Seat()], NOW + 9, NOW + 10, 5, lambda: "never") == []


async def test_a_second_send_that_is_not_taken_goes_nowhere_once_the_first_is_proven(store: Store) -> None:
    seats = (Seat(),)
    for verb in ("deferred", "elsewhere"):
        task = await doubtful(store)
        first = task.placement or ""
        assert await store.decisions.reopen(reopen(task, "acedata", NOW + 1))
        [sent] = await store.sends.claim("acedata", seats, NOW + 2, NOW + 9, 1, lambda: str(uuid4()))
        assert await store.doubts.adopted(first, f"up-{verb}", NOW + 3, NOW + 3)
        assert (await latest(store, task)).state is TaskState.SUBMITTING
        if verb == "elsewhere":
            road = Road("apiyi", seats)
            left = await store.sends.elsewhere(
                sent, Verdict.NOT_ACCEPTED, "busy", [road], NOW + 4, NOW + 9, lambda: str(uuid4())
            )
            assert left is None
        await store.sends.deferred(sent[1].id, "busy", NOW + 4, NOW + 5)
        found = await latest(store, task)
        assert (found.state, found.placement, found.due_at) == (TaskState.QUEUED, first, None)
        assert [one.verdict for one in await store.lookups.placements(task.id)] == ["accepted", "not_accepted"]


async def test_of_adoptions_and_a_send_again_that_race_nothing_is_sent_if_one_was_adopted(store: Store) -> None:
    for number in range(10):
        task = await doubtful(store)
        await asyncio.gather(
            store.decisions.reopen(reopen(task, "acedata", NOW + 1)),
            *(store.doubts.adopted(task.placement or "", f"up-{number}-{each}", NOW, NOW) for each in range(3)),
        )
        assert (await latest(store, task)).state is TaskState.QUEUED
        assert (await placement_of(store, task)).verdict is Verdict.ACCEPTED
    assert await store.sends.claim("acedata", [Seat()], NOW + 9, NOW + 10, 50, lambda: "never") == []


async def test_an_id_is_adopted_once(store: Store) -> None:
    tasks = [await doubtful(store) for _ in range(6)]
    found = await asyncio.gather(*(store.doubts.adopted(task.placement or "", "up-1", NOW, NOW) for task in tasks))
    assert sum(one is not None for one in found) == 1


async def test_only_what_is_not_looked_at_is_revived(store: Store) -> None:
    task = await kept(store)
    placement = task.placement or ""
    assert await store.decisions.revive(placement, "up", NOW, NOW) is None
    taken = await store.tasks.accepted(placement, "up", NOW, NOW + 9)
    assert taken is not None
    assert await store.decisions.revive(placement, "up", NOW, NOW) is None
    assert await store.tasks.record(fail(taken, TASK_EXPIRED, NOW, "look", TaskState.EXPIRED), Verdict.ENDED, None)
    assert await store.decisions.revive(placement, "another", NOW, NOW) is None
    revived = await store.decisions.revive(placement, "up", NOW + 5, NOW + 6)
    assert revived is not None
    assert revived.state is TaskState.EXPIRED
    found = await placement_of(store, task)
    assert (found.verdict, found.due_at, found.misses, found.outcome) == (Verdict.ACCEPTED, NOW + 6, 0, None)


async def test_an_adopted_send_of_an_ended_task_is_looked_at(store: Store) -> None:
    task = await doubtful(store)
    assert await store.tasks.record(fail(task, OUTCOME_UNKNOWN, NOW, "doubt"), Verdict.UNPROVEN, None)
    found = await store.doubts.adopted(task.placement or "", "up-1", NOW + 1, NOW + 2)
    assert found is not None
    assert found.state is TaskState.FAILED
    [looked] = await store.placements.claim_looks("acedata", NOW + 2, NOW + 3, 10)
    assert looked == (await placement_of(store, task))
    assert looked.upstream_id == "up-1"
