"""One send and what its answer makes of the task: taken, refused, or sent again because provably nothing was taken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from adapters.providers import PROVIDERS
from tests.service.asking import SHAPES, create, created, error_code, events, id_of, only_task, record, told
from tests.world import World, accounts, world

pytestmark = pytest.mark.anyio
DAY = 24 * 3600.0
Between = Callable[[httpx.Request], Awaitable[httpx.Response | None]]


def is_create(request: httpx.Request) -> bool:
    return request.url.path.endswith(("/videos", "/video-synthesis"))


def unreachable(times: int) -> Between:
    """The first connections for creates cannot be made."""
    left = [times]

    async def between(request: httpx.Request) -> httpx.Response | None:
        if is_create(request) and left[0]:
            left[0] -= 1
            raise httpx.ConnectError("connection refused")
        return None

    return between


def answering(response: httpx.Response, gate: asyncio.Event) -> Between:
    """Creates are answered so, as soon as the gate opens."""

    async def between(request: httpx.Request) -> httpx.Response | None:
        if not is_create(request):
            return None
        await gate.wait()
        return response

    return between


def refusal() -> httpx.Response:
    error = {"code": "forbidden", "message": "The content was rejected."}
    return httpx.Response(403, json={"success": False, "error": error, "trace_id": "t"})


@pytest.mark.parametrize(
    ("provider", "code", "status"),
    [
        ("acedata", "forbidden", 403),
        ("laozhang", "DataInspectionFailed", 400),
        ("apiyi", "DataInspectionFailed", 400),
        ("dashscope", "DataInspectionFailed", 400),
    ],
)
async def test_a_definite_no_reaches_the_client_in_its_shape_and_nobody_else(
    tmp_path: Path, provider: str, code: str, status: int
) -> None:
    async with world(tmp_path) as it:
        response = await create(it, f"create=refuse:{code}", provider=provider)
        assert response.status_code == status
        assert error_code(SHAPES[provider], response.json()) == code
        task = await only_task(it)
        assert (task["state"], task["deliveries"]) == ("FAILED", [])
        assert [one["verdict"] for one in task["placements"]] == ["refused"]
        await it.settle(120, 30)
        assert it.inbox.received == []
        assert it.upstreams.creates == []


@pytest.mark.parametrize("shape", ["flat", "native", "gateway"])
@pytest.mark.parametrize(
    ("provider", "words"),
    [("acedata", "401"), ("acedata", "refuse:used_up"), ("laozhang", "401"), ("dashscope", "refuse:Arrearage")],
)
async def test_trouble_with_the_operators_account_is_told_in_our_own_words(
    tmp_path: Path, provider: str, words: str, shape: str
) -> None:
    async with world(tmp_path) as it:
        response = await create(it, f"create={words}", provider=provider, shape=shape)
        assert response.status_code == 403
        assert "This server's account at the provider cannot submit tasks at the moment." in response.text
        assert not {"Arrearage", "balance", "used_up", "invalid_token"} & set(response.text.replace('"', " ").split())
        assert await events(it) == ["upstream.account_refused"]
        assert (await only_task(it))["deliveries"] == []


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_was_not_accepted_is_sent_again_later_and_billed_once(
    tmp_path: Path, provider: str, status: int
) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, f"create={status} times=2 seconds=5", provider=provider)
        asked_first = provider == "acedata" and status >= 500
        assert (await record(it, task_id))["state"] == ("IN_DOUBT" if asked_first else "ACCEPTED")
        assert it.upstreams.creates == []
        await it.settle(120 if asked_first else 40)
        task = await record(it, task_id)
        assert task["state"] == "SUCCEEDED"
        assert [one["verdict"] for one in task["placements"]] == ["not_accepted", "not_accepted", "ended"]
        assert len(it.upstreams.creates) == 1
        assert len(told(it)) == 1


async def test_what_never_left_is_sent_again_later_and_billed_once(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.between = unreachable(2)
        task_id = await created(it, "seconds=5")
        task = await record(it, task_id)
        assert task["state"] == "ACCEPTED"
        assert task["placements"][0]["reason"].startswith("not sent: ")
        await it.settle(30)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert len(it.upstreams.creates) == 1


async def test_a_retry_after_is_waited_for(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await created(it, "create=429:30 times=1 seconds=1", provider="dashscope")
        await it.settle(29)
        assert it.upstreams.requests["dashscope", "create"] == 1
        await it.settle(2)
        assert it.upstreams.requests["dashscope", "create"] == 2


async def test_sends_are_paced_while_the_upstream_takes_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await created(it, "create=429")
        await it.settle(600, 5)
        assert it.upstreams.requests["acedata", "create"] <= 5 + 600 / 60


async def test_a_task_that_nobody_takes_for_a_day_fails_and_is_told(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "create=429")
        await it.settle(DAY + 3600, 1800)
        task = await record(it, task_id)
        assert (task["state"], task["error"]["code"]) == ("FAILED", "not_accepted")
        assert len(told(it)) == 1
        assert it.upstreams.creates == []


async def test_a_refusal_that_comes_with_a_later_send_is_told_by_callback(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.between = unreachable(1)
        task_id = await created(it, "create=refuse:forbidden")
        await it.settle(10)
        assert (await record(it, task_id))["state"] == "FAILED"
        [body] = told(it)
        assert (body["success"], body["error"]["code"]) == (False, "forbidden")


async def test_tasks_of_a_provider_that_was_removed_wait_for_it(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "create=429 times=1 seconds=1", provider="apiyi")
        await it.stop()
        await it.start(accounts=accounts(["acedata"]))
        await it.settle(30)
        assert (await record(it, task_id))["state"] == "ACCEPTED"
        await it.stop()
        await it.start(accounts=accounts(["acedata", "apiyi"]))
        await it.settle(120)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"


async def test_a_client_is_not_kept_waiting_by_a_slow_upstream(tmp_path: Path) -> None:
    async with world(tmp_path, submit_wait_seconds=0.01) as it:
        gate = asyncio.Event()
        it.between = answering(refusal(), gate)
        response = await create(it)
        assert response.status_code == 200  # an acceptance: the answer is still out
        task_id = id_of(response)
        assert (await record(it, task_id))["state"] == "SUBMITTING"
        gate.set()
        await sends_done(it)
        assert (await record(it, task_id))["state"] == "FAILED"
        await it.tick()
        [body] = told(it)
        assert (body["task_id"], body["success"]) == (task_id, False)


async def test_a_refusal_at_the_last_moment_is_told_in_person_or_by_callback(tmp_path: Path) -> None:
    """The upstream's no comes while the client waits, but is on disk only after its wait would have been over."""
    async with world(tmp_path, submit_wait_seconds=0.01) as it:
        record_now, slow = it.ringback.store.tasks.record, asyncio.Event()

        async def record_late(*given):
            await slow.wait()
            return await record_now(*given)

        it.ringback.store.tasks.record = record_late
        it.between = answering(refusal(), opened())
        asyncio.get_running_loop().call_later(0.1, slow.set)
        response = await create(it)
        await sends_done(it)
        await it.tick()
        in_person = response.status_code == 403
        assert in_person or len(told(it)) == 1


async def test_at_a_stop_whoever_waits_for_the_upstream_is_told_at_once(tmp_path: Path) -> None:
    async with world(tmp_path, submit_wait_seconds=3600) as it:
        asked = asyncio.Event()

        async def between(request: httpx.Request) -> httpx.Response | None:
            asked.set()
            return await answering(refusal(), asyncio.Event())(request)

        it.between = between
        creating = asyncio.create_task(create(it))
        await asked.wait()
        it.ringback.hurry()
        async with asyncio.timeout(5):
            assert (await creating).status_code == 200


async def test_the_task_is_on_disk_before_anything_is_sent(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        seen = []

        async def between(request: httpx.Request) -> httpx.Response | None:
            if is_create(request):
                task = await only_task(it)
                seen.append((task["state"], task["placements"][0]["verdict"]))
            return None

        it.between = between
        await created(it)
        assert seen == [("SUBMITTING", "sending")]


def opened() -> asyncio.Event:
    gate = asyncio.Event()
    gate.set()
    return gate


async def sends_done(it: World) -> None:
    async with asyncio.timeout(5):
        while sends := tuple(it.ringback.submitter._sends.values()):
            await asyncio.wait(sends)


async def test_a_definite_no_never_has_a_status_on_which_sdks_create_again(tmp_path: Path) -> None:
    """The gateways' page: "Current group Wan has no available channels for model ..."; new-api says it with 503."""
    error = {"message": "Current group Wan has no available channels for model wan2.7-t2v", "type": "new_api_error"}
    open_gate = asyncio.Event()
    open_gate.set()
    async with world(tmp_path) as it:
        it.between = answering(httpx.Response(503, json={"error": error}), open_gate)
        response = await create(it, provider="laozhang", shape="gateway")
        assert response.status_code == 400
        assert response.headers["x-should-retry"] == "false"
        assert "no available channels" in response.text


async def test_an_account_that_had_enough_is_left_in_peace_and_others_are_not(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await created(it, "create=429:60 times=1", provider="dashscope")
        refused = await created(it, "create=503 times=1 seconds=5", provider="dashscope")
        other = await created(it, "create=503 times=1 seconds=5", provider="apiyi")
        await it.settle(50)
        assert (await record(it, refused))["state"] == "ACCEPTED"  # its own pause was 2 s, the account's is 60
        assert (await record(it, other))["state"] == "SUCCEEDED"
        await it.settle(60)
        assert (await record(it, refused))["state"] == "SUCCEEDED"


async def test_what_waited_for_an_upstream_leaves_at_a_pace(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.between = unreachable(40)
        for _ in range(40):
            await created(it, "seconds=1", provider="dashscope")
        it.clock.turn(3)
        await it.tick()
        assert 1 <= len(it.upstreams.creates) <= 5
        await it.settle(30, 0.2)
        assert len(it.upstreams.creates) == 40


async def test_tasks_of_a_provider_that_was_taken_out_wait_and_the_operator_is_told(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "create=503 times=1 seconds=5", provider="dashscope")
        await it.stop()
        await it.start(accounts=accounts(["acedata"]))
        await it.settle(7200, 600)
        assert (await record(it, task_id))["state"] == "ACCEPTED"
        assert await events(it) == ["provider.missing"]
        await it.stop()
        await it.start(accounts=accounts(["acedata", "dashscope"]))
        await it.settle(60)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
