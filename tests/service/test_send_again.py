"""An operator has a task sent again: told what it may cost, once for each confirmation, and no result gets lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.messages import Category, Failure, Report, State
from service.domain.tasks import (
    ENDED,
    NO_RESULT,
    NOT_ACCEPTED,
    OUTCOME_UNKNOWN,
    TASK_EXPIRED,
    Task,
    TaskState,
    Verdict,
    advance,
    fail,
)
from service.doubts.reopen import RISK, reason_for, reopen
from service.simulator.markers import read_words
from service.simulator.world import Plan
from service.store import Store
from tests.service.asking import NATIVE, created, record, told
from tests.service.lost import unlisted
from tests.service.nouns import ENGINES, NOW, a_task, kept, latest, opened, placement_of
from tests.world import ADMIN, World, world

pytestmark = pytest.mark.anyio
SECOND = "that is the second payment for this task"


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


async def ask(it: World, task_id: str, key: str = ADMIN, **body: Any) -> httpx.Response:
    return await it.client.post(f"/v1/tasks/{task_id}/send-again", json=body, headers=it.as_key(key))


async def sent_again(it: World, task_id: str, **body: Any) -> dict[str, Any]:
    response = await ask(it, task_id, confirm=True, **body)
    assert response.status_code == 202, response.text
    answer: dict[str, Any] = response.json()
    return answer


def creates(it: World) -> int:
    return sum(count for (_, kind), count in it.upstreams.requests.items() if kind == "create")


def then(it: World, words: str, times: int = 1) -> None:
    """How the next creates are to behave."""
    it.upstreams.plans.append(Plan(read_words(words), times))


async def in_doubt(it: World, words: str = "create=lost times=1 seconds=20", provider: str = "apiyi") -> str:
    """A task that no list will prove."""
    it.between = unlisted
    task_id = await created(it, words, provider=provider)
    assert (await record(it, task_id))["state"] == "IN_DOUBT"
    return task_id


async def given_up(it: World, words: str = "create=lost times=1 seconds=20", provider: str = "apiyi") -> str:
    task_id = await in_doubt(it, words, provider)
    await it.settle(905, 5)
    assert (await record(it, task_id))["error"]["code"] == "outcome_unknown"
    return task_id


# What it costs is said first.


async def test_nothing_is_sent_before_it_is_confirmed(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await in_doubt(it, provider="dashscope")
        for body in ({}, {"confirm": False}):
            response = await ask(it, task_id, **body)
            assert (response.status_code, response.json()["error"]["code"]) == (409, "confirmation_needed")
            assert SECOND in response.json()["error"]["message"]
        await it.settle(60)
        assert creates(it) == 1
        assert (await record(it, task_id))["state"] == "IN_DOUBT"


@pytest.mark.parametrize(
    ("model", "said"), [("wan2.7-t2v", "costs 5 CNY. "), ("wan2.6-t2v", "(the catalogue has no price). ")]
)
async def test_the_price_is_said_where_the_catalogue_knows_it(tmp_path: Path, model: str, said: str) -> None:
    async with world(tmp_path) as it:
        body = {"model": model, "input": {"prompt": "a cat [sim:create=lost]"}, "parameters": {"resolution": "1080P"}}
        response = await it.client.post(NATIVE, json=body, headers={"x-ringback-provider": "dashscope"})
        task_id = response.json()["output"]["task_id"]
        assert said in (await ask(it, task_id)).json()["error"]["message"]
        await sent_again(it, task_id)
        await it.tick()
        charges = await it.ringback.store.charges.of_task(task_id)
        assert [one.estimate for one in charges.values()] == [5_000_000 if "CNY" in said else None] * 2


async def test_only_the_operator_may(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await in_doubt(it)
        assert (await ask(it, task_id, key="client-key-1", confirm=True)).status_code == 403
        assert (await ask(it, "nobody's", confirm=True)).status_code == 404
        assert creates(it) == 1


@pytest.mark.parametrize("body", [{"confirm": "yes"}, {"confirm": True, "provider": 7}, {"sure": True}])
async def test_a_body_that_cannot_be_read_is_refused_by_the_fields_name(tmp_path: Path, body: dict[str, Any]) -> None:
    async with world(tmp_path) as it:
        task_id = await in_doubt(it)
        response = await ask(it, task_id, **body)
        assert response.status_code == 400
        assert any(name in response.json()["error"]["message"] for name in ("confirm", "sure"))
        assert creates(it) == 1


# Once it is confirmed.


async def test_a_doubtful_task_is_sent_once_more_and_ends_as_any_other(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await in_doubt(it)
        answer = await sent_again(it, task_id)
        assert (answer["state"], answer["provider"]) == ("ACCEPTED", "apiyi")
        assert SECOND in answer["message"]
        await it.settle(60)
        task = await record(it, task_id)
        assert task["state"] == "SUCCEEDED"
        assert [one["verdict"] for one in task["placements"]] == ["unproven", "ended"]
        assert [one["type"] for one in task["deliveries"]] == ["task.succeeded"]
        await it.settle(7200, 600)
        assert creates(it) == 2


async def test_a_video_after_another_end_was_told_is_a_recovery(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await given_up(it)
        await sent_again(it, task_id)
        asked = (await it.client.get(f"/api/v1/tasks/{task_id}")).json()
        assert asked["output"]["task_status"] == "PENDING"
        await it.settle(60)
        task = await record(it, task_id)
        assert (task["state"], task["error"]) == ("SUCCEEDED", None)
        assert [one["type"] for one in task["deliveries"]] == ["task.recovered", "task.failed"]
        assert len(told(it)) == 2
        assert creates(it) == 2


async def test_a_second_failure_is_shown_but_not_told_a_second_time(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await given_up(it, "create=lost times=1 seconds=20")
        await it.client.post(f"/v1/tasks/{task_id}/subscriptions", json={"url": f"{it.inbox.url}/event"})
        then(it, "fail")
        await sent_again(it, task_id)
        await it.settle(60)
        task = await record(it, task_id)
        assert task["state"] == "FAILED"
        assert task["error"]["code"] not in ("outcome_unknown", "")
        assert [one["type"] for one in task["deliveries"]] == ["task.failed", "task.failed"]  # one of each subscriber
        assert len(told(it)) == len(told(it, "/event")) == 1
        shown = (await it.client.get(f"/api/v1/tasks/{task_id}")).json()
        assert shown["output"]["code"] == task["error"]["code"]


async def test_it_may_go_to_another_provider(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await in_doubt(it)
        assert (await sent_again(it, task_id, provider="dashscope"))["provider"] == "dashscope"
        await it.settle(60)
        task = await record(it, task_id)
        assert (task["state"], task["provider"]) == ("SUCCEEDED", "dashscope")
        assert [one["provider"] for one in task["placements"]] == ["apiyi", "dashscope"]


@pytest.mark.parametrize(("provider", "said"), [("nobody", "provider: 'nobody' given"), ("acedata", "wan2.7-t2v")])
async def test_a_provider_that_cannot_take_it_is_refused_with_the_reason(
    tmp_path: Path, provider: str, said: str
) -> None:
    async with world(tmp_path) as it:
        body = {"model": "wan2.7-t2v", "input": {"prompt": "a cat [sim:create=lost]"}}
        response = await it.client.post(NATIVE, json=body)
        task_id = response.json()["output"]["task_id"]
        response = await ask(it, task_id, confirm=True, provider=provider)
        assert response.status_code == 400
        assert said in response.json()["error"]["message"]
        assert (await record(it, task_id))["state"] == "IN_DOUBT"


async def test_a_day_of_refusals_counts_from_when_it_was_sent_again(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await given_up(it)
        await it.settle(2 * 86400, 3600)
        then(it, "create=429", 3)
        await sent_again(it, task_id)
        await it.tick()
        assert (await record(it, task_id))["state"] == "ACCEPTED"
        await it.settle(600, 5)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"


# Of both sends the first result counts, and none is lost.


async def test_a_late_result_of_the_first_send_ends_the_task_while_the_second_is_at_work(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await given_up(it, "create=lost times=1 seconds=1000", "acedata")
        then(it, "seconds=3000")
        await sent_again(it, task_id)
        await it.settle(300, 5)
        task = await record(it, task_id)
        assert task["state"] == "SUCCEEDED"
        first, second = it.upstreams.creates
        assert [one["upstream_id"] for one in task["placements"]] == [first.task_id, second.task_id]
        assert [one["type"] for one in task["deliveries"]] == ["task.recovered", "task.failed"]
        await it.settle(7200, 60)
        assert len(told(it)) == 2
        assert creates(it) == 2
        second_send = (await it.ringback.store.lookups.placements(task_id))[1]
        assert second_send.outcome is not None
        assert second_send.outcome.video_url is not None  # paid for too, and kept


async def test_a_late_result_of_the_first_send_recovers_a_task_whose_second_send_failed(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await in_doubt(it, "create=lost times=1 seconds=300", "acedata")
        then(it, "fail")
        await sent_again(it, task_id)
        await it.settle(100, 5)
        task = await record(it, task_id)
        assert task["state"] == "FAILED"
        await it.settle(300, 5)
        task = await record(it, task_id)
        assert task["state"] == "SUCCEEDED"
        assert [one["type"] for one in task["deliveries"]] == ["task.recovered", "task.failed"]
        assert creates(it) == 2


# Once for each confirmation.


async def test_what_is_being_sent_is_not_sent_again(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await in_doubt(it)
        then(it, "create=429", 1)
        await sent_again(it, task_id)
        for _ in range(2):
            response = await ask(it, task_id, confirm=True)
            assert (response.status_code, response.json()["error"]["code"]) == (409, "not_sent_again")
            assert "being sent" in response.json()["error"]["message"]
            await it.tick()  # the first time it is refused, and waits again
        await it.settle(5)
        assert (await record(it, task_id))["state"] in ("ACCEPTED", "QUEUED")


async def test_of_confirmations_that_race_one_sends(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await in_doubt(it)
        answers = await asyncio.gather(*(ask(it, task_id, confirm=True) for _ in range(8)))
        assert sorted(one.status_code for one in answers) == [202, *[409] * 7]
        await it.settle(120)
        assert creates(it) == 2
        assert len((await record(it, task_id))["placements"]) == 2


@pytest.mark.parametrize(
    ("words", "state"),
    [("seconds=60", "QUEUED"), ("seconds=5", "SUCCEEDED"), ("seconds=5 fail", "FAILED"), ("create=429:60", "ACCEPTED")],
)
async def test_a_task_with_a_known_outcome_is_not_sent_again(tmp_path: Path, words: str, state: str) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, words, provider="dashscope")
        if "=5" in words:
            await it.settle(30)
        before = creates(it)
        assert (await record(it, task_id))["state"] == state
        response = await ask(it, task_id, confirm=True)
        assert (response.status_code, response.json()["error"]["code"]) == (409, "not_sent_again")
        await it.tick()
        assert creates(it) == before


@pytest.mark.parametrize(("failure", "risk"), [(NO_RESULT, "probably"), (NOT_ACCEPTED, "nothing has been paid")])
async def test_the_ends_of_our_own_may_be_sent_again_with_their_own_risk(
    tmp_path: Path, failure: Failure, risk: str
) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "create=429 times=1 seconds=20", provider="apiyi")
        task = await it.ringback.store.lookups.task(task_id)
        assert task is not None
        await it.ringback.store.tasks.record(fail(task, failure, it.clock(), "look"), Verdict.ENDED, None)
        assert risk in (await ask(it, task_id)).json()["error"]["message"]
        await sent_again(it, task_id)
        await it.settle(60)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"


# The table, and the store.


def test_only_what_ended_by_no_verdict_has_a_reason() -> None:
    verdict = Failure(Category.CONTENT, "forbidden", "no", "flat")
    for failure in (OUTCOME_UNKNOWN, NO_RESULT, NOT_ACCEPTED, TASK_EXPIRED, verdict):
        ended = fail(a_task(state=TaskState.QUEUED), failure, NOW, "look")
        assert (reason_for(ended) is not None) == (failure is not verdict)
    forged = Failure(Category.TRANSIENT, "no_result", "a provider's own word", "flat")
    assert reason_for(fail(a_task(state=TaskState.QUEUED), forged, NOW, "look")) is None
    for state in set(TaskState) - ENDED - {TaskState.IN_DOUBT}:
        assert reason_for(a_task(state=state)) is None
        with pytest.raises(ValueError, match="not sent again"):
            reopen(a_task(state=state), "apiyi", NOW)
    assert reason_for(a_task(state=TaskState.IN_DOUBT)) == OUTCOME_UNKNOWN.code
    assert reason_for(a_task(state=TaskState.IN_DOUBT, path="")) is None  # only watched: nothing of it could be sent
    assert set(RISK) == {each.code for each in (OUTCOME_UNKNOWN, NO_RESULT, NOT_ACCEPTED, TASK_EXPIRED)}


def test_a_task_that_is_sent_again_knows_whether_an_end_was_told() -> None:
    doubtful = reopen(a_task(state=TaskState.IN_DOUBT), "acedata", NOW + 1)
    assert (doubtful.state, doubtful.due_at, doubtful.reopened_at) == (TaskState.ACCEPTED, NOW + 1, None)
    ended = fail(a_task(state=TaskState.IN_DOUBT), OUTCOME_UNKNOWN, NOW, "doubt")
    again = reopen(ended, "apiyi", NOW + 1)
    assert (again.reopened_at, again.finished_at, again.outcome, again.provider) == (NOW + 1, None, None, "apiyi")
    assert (again.pinned, reopen(ended, "acedata", NOW).pinned) == (True, False)
    once_more = reopen(replace(again, state=TaskState.IN_DOUBT), "apiyi", NOW + 9)
    assert once_more.reopened_at == NOW + 1


async def doubtful(store: Store) -> Task:
    task = await kept(store)
    found = await store.tasks.doubted(task.placement or "", "lost", NOW, NOW + 1000)
    assert found is not None
    return found


async def test_the_old_send_is_given_up_in_the_same_transaction(store: Store) -> None:
    task = await doubtful(store)
    assert await store.decisions.reopen(reopen(task, "apiyi", NOW + 1))
    found = await latest(store, task)
    assert (found.state, found.provider, found.due_at, found.pinned) == (TaskState.ACCEPTED, "apiyi", NOW + 1, True)
    old = await placement_of(store, task)
    assert (old.verdict, old.doubt_at) == (Verdict.UNPROVEN, None)
    assert found.version == task.version + 1


async def test_of_an_end_and_send_agains_that_race_one_wins_and_a_proof_beats_them_all(store: Store) -> None:
    """But for an end that was told before the proof came."""
    for number in range(12):
        task = await doubtful(store)
        ended = fail(task, OUTCOME_UNKNOWN, NOW, "doubt")
        proven, gave_up, *reopened = await asyncio.gather(
            store.tasks.accepted(task.placement or "", f"up-{number}", NOW, NOW),
            store.tasks.record(ended, Verdict.UNPROVEN, None),
            *(store.decisions.reopen(reopen(task, "apiyi", NOW + 1)) for _ in range(3)),
        )
        assert [gave_up, *reopened].count(True) <= 1
        expected = TaskState.QUEUED if proven else TaskState.FAILED if gave_up else TaskState.ACCEPTED
        assert (await latest(store, task)).state is expected
        assert proven or gave_up, "a send that waits is taken back by the proof"


async def test_a_task_whose_adopted_send_is_heard_of_is_not_sent_again(store: Store) -> None:
    task = await doubtful(store)
    ended = fail(task, OUTCOME_UNKNOWN, NOW + 5, "doubt")
    assert await store.tasks.record(ended, Verdict.UNPROVEN, None)
    await store.tasks.accepted(task.placement or "", "up-late", NOW + 10, NOW + 10)
    given_up = await latest(store, task)
    assert given_up.state is TaskState.FAILED
    assert not await store.decisions.reopen(reopen(given_up, "apiyi", NOW + 11))
    assert (await latest(store, task)).state is TaskState.FAILED


async def test_an_earlier_sends_video_recovers_what_a_later_one_failed_of(store: Store) -> None:
    failed = fail(a_task(state=TaskState.QUEUED), Failure(Category.CONTENT, "forbidden", "no", "flat"), NOW, "look")
    video = Report("up", State.SUCCEEDED, video_url="https://v.example.com/1")
    assert advance(failed, video, NOW, "look") is None
    found = advance(failed, video, NOW, "look", earlier=True)
    assert found is not None
    assert found.state is TaskState.SUCCEEDED
    for state in (TaskState.CANCELED, TaskState.SUCCEEDED):
        assert advance(a_task(state=state), video, NOW, "look", earlier=True) is None
