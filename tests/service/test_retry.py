"""Another send after a confirmed failure: bounded, within the budget, and never after a verdict on the content."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.messages import Category, Failure, Report, State
from service.domain.allowances import Allowance, read_budget
from service.domain.tasks import TaskState
from tests.service.asking import body_of, created, id_of, paths, record, told
from tests.service.prices import priced
from tests.world import World, accounts, world

pytestmark = pytest.mark.anyio
BOLD: dict[str, Any] = {"failover": "retry_failed"}
CRASHED = Report("up", State.FAILED, failure=Failure(Category.TRANSIENT, "InternalError", "crashed", "native"))


async def ask(it: World, marker: str, shape: str = "native") -> str:
    """A create that names no provider; the id of its task."""
    response = await it.client.post(
        paths(shape), json=body_of(shape, f"a cat [sim:{marker}]"), headers={"x-callback-url": it.inbox.url + "/hook"}
    )
    assert response.status_code == 200, response.text
    return id_of(response)


async def sends(it: World, task_id: str) -> list[tuple[str, str, str | None]]:
    return [(one["provider"], one["verdict"], one["reason"]) for one in (await record(it, task_id))["placements"]]


async def test_a_task_that_failed_goes_to_another_provider_and_nobody_hears_of_it(tmp_path: Path) -> None:
    async with world(tmp_path, providers=("dashscope", "apiyi"), **BOLD) as it:
        task_id = await ask(it, "fail=InternalError seconds=5 only=dashscope")
        await it.settle(8)
        task = await record(it, task_id)
        assert (task["state"], task["provider"], task["error"]) == ("ACCEPTED", "apiyi", None)
        polled = (await it.client.get(f"/api/v1/tasks/{task_id}")).json()
        assert polled["output"]["task_status"] == "PENDING"
        await it.settle(60)
        assert await sends(it, task_id) == [
            ("dashscope", "ended", "failed: InternalError"), ("apiyi", "ended", None),
        ]  # fmt: skip
        [body] = told(it)
        assert body["output"]["task_status"] == "SUCCEEDED"
        assert len(it.upstreams.creates) == 2
        assert sum(create.billed for create in it.upstreams.creates) == 1


async def test_twice_and_then_the_failure_is_told_once(tmp_path: Path) -> None:
    async with world(tmp_path, providers=("dashscope", "apiyi"), **BOLD) as it:
        task_id = await ask(it, "fail=InternalError seconds=5")
        await it.settle(200)
        task = await record(it, task_id)
        assert (task["state"], task["error"]["code"]) == ("FAILED", "InternalError")
        assert [one["provider"] for one in task["placements"]] == ["dashscope", "apiyi", "dashscope"]
        assert len(it.upstreams.creates) == 3
        assert len(told(it)) == len(task["deliveries"]) == 1


@pytest.mark.parametrize("times", [0, 1, 4])
async def test_the_operator_says_how_often(tmp_path: Path, times: int) -> None:
    async with world(tmp_path, providers=["dashscope"], retry_failed_times=times, **BOLD) as it:
        await ask(it, "fail=SystemError seconds=5")
        await it.settle(200)
        assert len(it.upstreams.creates) == 1 + times
        assert len(told(it)) == 1


@pytest.mark.parametrize(
    ("code", "creates"),
    [
        ("InternalError.Algo", 3),
        ("ModelServiceFailed", 3),
        ("InvalidImageUrl", 3),
        ("Throttling.RateQuota", 3),
        ("ModelServingError", 3),
        ("BadRequest.InputDownloadFailed", 3),
        ("DataInspectionFailed", 1),
        ("IPInfringementSuspect", 1),
        ("InvalidParameter", 1),
        ("Arrearage", 1),
    ],
)
async def test_only_failures_by_no_fault_of_the_request_are_tried_again(
    tmp_path: Path, code: str, creates: int
) -> None:
    async with world(tmp_path, providers=["dashscope"], **BOLD) as it:
        task_id = await ask(it, f"fail={code} seconds=5")
        await it.settle(200)
        assert (await record(it, task_id))["error"]["code"] == code
        assert len(it.upstreams.creates) == creates
        assert len(told(it)) == 1


@pytest.mark.parametrize("policy", ["off", "safe"])
async def test_other_policies_let_a_failure_stand(tmp_path: Path, policy: str) -> None:
    async with world(tmp_path, providers=("dashscope", "apiyi"), failover=policy) as it:
        await ask(it, "fail=InternalError seconds=5")
        await it.settle(60)
        assert len(it.upstreams.creates) == len(told(it)) == 1


async def test_a_named_provider_gets_its_own_task_again_and_nobody_else(tmp_path: Path) -> None:
    async with world(tmp_path, **BOLD) as it:
        task_id = await created(it, "fail=InternalError times=1 seconds=5", provider="apiyi")
        await it.settle(60)
        assert [provider for provider, _, _ in await sends(it, task_id)] == ["apiyi", "apiyi"]
        assert (await record(it, task_id))["state"] == "SUCCEEDED"


async def test_who_refused_it_for_good_is_not_asked_after_a_failure_either(tmp_path: Path) -> None:
    async with world(tmp_path, providers=("dashscope", "apiyi", "laozhang"), **BOLD) as it:
        refusal = httpx.Response(403, json={"code": "AccessDenied", "message": "m", "request_id": "r"})

        async def between(request: httpx.Request) -> httpx.Response | None:
            return refusal if request.url.path.startswith("/dashscope/api/v1/services") else None

        it.between = between
        task_id = await ask(it, "fail=InternalError seconds=5 only=apiyi")
        await it.settle(60)
        found = [(provider, verdict) for provider, verdict, _ in await sends(it, task_id)]
        assert found == [("dashscope", "refused"), ("apiyi", "ended"), ("laozhang", "ended")]


async def test_of_detectors_that_report_the_same_failure_one_makes_one_retry(tmp_path: Path) -> None:
    async with world(tmp_path, providers=("dashscope", "apiyi"), **BOLD) as it:
        task_id = await ask(it, "seconds=600")
        task = await it.ringback.store.lookups.task(task_id)
        assert task is not None
        receiver = it.ringback.canceller._receiver
        moved = await asyncio.gather(
            *(
                receiver.report(task, CRASHED, detector, placement=task.placement)
                for detector in ("look", "list", "callback")
            )
        )
        assert [one.state for one in moved if one] == [TaskState.ACCEPTED]
        await it.settle(20)
        assert len(await sends(it, task_id)) == len(it.upstreams.creates) == 2
        late = await receiver.report(task, CRASHED, "look", placement=task.placement)
        assert late is None, "the word of a send that is over"
        assert (await record(it, task_id))["state"] in ("QUEUED", "RUNNING")


async def test_a_late_video_of_the_failed_send_is_still_told(tmp_path: Path) -> None:
    """A provider that takes back what it said: the first word was FAILED."""
    async with world(tmp_path, providers=["dashscope"], **BOLD) as it:
        task_id = await ask(it, "seconds=600")
        task = await it.ringback.store.lookups.task(task_id)
        assert task is not None
        receiver = it.ringback.canceller._receiver
        await receiver.report(task, CRASHED, "look", placement=task.placement)
        video = Report("up", State.SUCCEEDED, video_url="https://v.example/1.mp4")
        await receiver.report(task, video, "look", placement=task.placement)
        await it.settle(30)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert len(it.upstreams.creates) == 1
        assert len(told(it)) == 1


async def test_a_task_that_waits_for_its_next_send_outlives_a_restart_and_can_be_canceled(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["dashscope"], **BOLD) as it:
        first, second = [await ask(it, f"fail=InternalError seconds=5 times={times}") for times in (1, 3)]
        async with asyncio.timeout(30):
            while {(await record(it, task))["state"] for task in (first, second)} != {"ACCEPTED"}:
                await it.settle(1)
        await it.stop()
        await it.start()
        assert (await record(it, first))["state"] == "ACCEPTED"
        assert (await it.client.post(f"/v1/tasks/{second}/cancel")).json()["canceled"] is True
        await it.settle(60)
        assert (await record(it, first))["state"] == "SUCCEEDED"
        assert (await record(it, second))["state"] == "CANCELED"
        assert len(it.upstreams.creates) == 3


async def test_a_failure_after_a_day_stands(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["dashscope"], **BOLD) as it:
        task_id = await ask(it, "seconds=600")
        task = await it.ringback.store.lookups.task(task_id)
        assert task is not None
        it.clock.turn(24 * 3600 + 1)
        moved = await it.ringback.canceller._receiver.report(task, CRASHED, "look", placement=task.placement)
        assert moved is not None
        assert moved.state is TaskState.FAILED


@pytest.mark.parametrize(("budget", "creates"), [("1 CNY", 1), ("1000 CNY", 3)])
async def test_what_the_budget_does_not_allow_is_not_tried_again(tmp_path: Path, budget: str, creates: int) -> None:
    async with world(tmp_path, providers=["dashscope"], catalogue=priced(), **BOLD) as it:
        task_id = await ask(it, "fail=InternalError seconds=5")
        allowance = Allowance("env:first", budgets=(read_budget(budget),))
        await it.ringback.store.allowances.keep(allowance)  # lowered while the first send was at work
        await it.settle(100)
        assert (await record(it, task_id))["state"] == "FAILED"
        assert len(it.upstreams.creates) == creates
        assert len(told(it)) == 1


async def test_room_that_a_failure_frees_goes_to_who_waits_and_the_task_takes_its_turn(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=accounts(["apiyi"], active=1), **BOLD) as it:
        first = await ask(it, "fail=InternalError seconds=5 times=1")
        second = await ask(it, "seconds=5")
        await it.settle(100)
        assert {(await record(it, each))["state"] for each in (first, second)} == {"SUCCEEDED"}
        assert len(it.upstreams.creates) == 3
