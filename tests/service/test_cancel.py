"""A cancel says what happened: before the send it works, after it the provider decides, in doubt nobody can."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from adapters.messages import Report, State
from adapters.providers import PROVIDERS
from service.domain.tasks import Task, TaskState, Verdict, advance
from service.store import Seat, Store
from tests.service.asking import created, record, told
from tests.service.nouns import ENGINES, NOW, a_task, latest, opened
from tests.world import ADMIN, World, accounts, world

pytestmark = pytest.mark.anyio


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


async def cancel(it: World, task_id: str) -> dict[str, Any]:
    response = await it.client.post(f"/v1/tasks/{task_id}/cancel", json={})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    assert answer["state"] == (await record(it, task_id))["state"]
    return answer


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_what_waits_to_be_sent_again_is_canceled_whoever_the_provider_is(tmp_path: Path, provider: str) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "create=429:60 times=1", provider=provider)
        assert (await record(it, task_id))["state"] == "ACCEPTED"
        answer = await cancel(it, task_id)
        assert (answer["canceled"], answer["message"]) == (True, "It was canceled before it was sent.")
        assert (await cancel(it, task_id))["message"] == "It was canceled before."
        await it.settle(300, 10)
        assert not it.upstreams.creates
        assert len(told(it)) == 1


async def test_what_waits_for_room_is_canceled_and_never_sent(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=accounts(["apiyi"], active=1)) as it:
        await created(it, "seconds=20", provider="apiyi")
        task_id = await created(it, "seconds=20", provider="apiyi")
        assert (await record(it, task_id))["placements"] == []
        answer = await cancel(it, task_id)
        assert (answer["canceled"], answer["state"]) == (True, "CANCELED")
        await it.settle(60)
        assert it.upstreams.requests["apiyi", "create"] == 1


async def test_what_waits_to_be_sent_once_more_is_canceled_and_says_what_may_have_been_paid(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=accounts(["apiyi"], active=1)) as it:
        task_id = await created(it, "create=lost", provider="apiyi")
        await created(it, "seconds=60", provider="apiyi")
        again = f"/v1/tasks/{task_id}/send-again"
        assert (await it.client.post(again, json={"confirm": True}, headers=it.as_key(ADMIN))).status_code == 202
        answer = await cancel(it, task_id)
        assert answer["canceled"]
        assert "may have been accepted and billed" in answer["message"]
        await it.settle(120)
        assert len(it.upstreams.creates) == 2


async def test_a_task_that_was_sent_before_the_cancel_is_not_canceled_behind_its_providers_back(tmp_path: Path) -> None:
    """The cancel read the task while it waited; then it was sent and taken."""
    async with world(tmp_path) as it:
        task_id = await created(it, "create=429 times=1 seconds=20", provider="apiyi")
        waiting = await it.ringback.store.lookups.task(task_id)
        assert waiting is not None
        assert waiting.state is TaskState.ACCEPTED
        await it.settle(10)
        assert len(it.upstreams.creates) == 1
        answer = await it.ringback.canceller.cancel(waiting)
        assert (answer.canceled, answer.message) == (False, "APIYI has no way to cancel a task.")
        await it.settle(60)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert len(told(it)) == 1


async def test_of_a_claim_and_a_cancel_that_race_one_wins(store: Store) -> None:
    async def cancelled(task: Task) -> bool:
        ended = advance(task, Report(task.id, State.CANCELED), NOW, "cancel")
        assert ended is not None
        return await store.tasks.record(ended, Verdict.ENDED, None)

    tasks = [a_task(state=TaskState.ACCEPTED, placement=None, due_at=NOW) for _ in range(20)]
    for task in tasks:
        await store.tasks.accept(task, None, [])
    claims = (store.sends.claim("acedata", [Seat()], NOW, NOW + 1, 3, lambda: str(uuid4())) for _ in range(10))
    claimed, canceled = await asyncio.gather(asyncio.gather(*claims), asyncio.gather(*map(cancelled, tasks)))
    sent = {task.id for batch in claimed for task, _ in batch}
    assert sent.isdisjoint(task.id for task, won in zip(tasks, canceled, strict=True) if won)
    for task, won in zip(tasks, canceled, strict=True):
        expected = TaskState.CANCELED if won else TaskState.SUBMITTING if task.id in sent else TaskState.ACCEPTED
        assert (await latest(store, task)).state is expected


async def test_what_is_being_sent_goes_on_and_says_so(tmp_path: Path) -> None:
    async with world(tmp_path, submit_wait_seconds=0.01) as it:
        task_id = await created(it, "create=delay:3600", provider="dashscope")
        answer = await cancel(it, task_id)
        assert (answer["canceled"], answer["state"]) == (False, "SUBMITTING")
        assert "being sent" in answer["message"]


async def test_a_doubtful_task_cannot_be_canceled_and_says_why(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "create=lost", provider="dashscope")
        answer = await cancel(it, task_id)
        assert (answer["canceled"], answer["state"]) == (False, "IN_DOUBT")
        assert "answer to its submission was lost" in answer["message"]
        assert it.upstreams.requests["dashscope", "cancel"] == 0


async def test_where_the_provider_has_a_cancel_its_answer_is_told(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        waiting = await created(it, "queue=60 seconds=90", provider="dashscope")
        running = await created(it, "queue=0 seconds=60", provider="dashscope")
        await it.settle(6)
        answer = await cancel(it, waiting)
        assert (answer["canceled"], answer["message"]) == (True, "Alibaba DashScope has canceled it.")
        answer = await cancel(it, running)
        assert (answer["canceled"], answer["message"]) == (
            False,
            "It is too late: Alibaba DashScope refuses to cancel it.",
        )
        await it.settle(90)
        assert (await cancel(it, running))["message"] == "It has ended as SUCCEEDED."


async def test_a_cancel_that_may_have_been_heard_leaves_the_end_to_the_looks(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "queue=60 seconds=90", provider="dashscope")

        async def lost(request: httpx.Request) -> httpx.Response | None:
            if not request.url.path.endswith("/cancel"):
                return None
            await httpx.ASGITransport(it.simulator).handle_async_request(request)
            raise httpx.ReadError("the connection broke")

        it.between = lost
        answer = await cancel(it, task_id)
        assert not answer["canceled"]
        assert "did not say whether it canceled it" in answer["message"]
        await it.settle(30)
        assert (await record(it, task_id))["state"] == "CANCELED"
        assert len(told(it)) == 1


async def test_a_task_of_a_provider_that_was_taken_out_says_so(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "queue=60 seconds=90", provider="dashscope")
        await it.stop()
        await it.start(accounts=tuple(one for one in it.settings["accounts"] if one.provider.name != "dashscope"))
        answer = await cancel(it, task_id)
        assert not answer["canceled"]
        assert "no key" in answer["message"]
