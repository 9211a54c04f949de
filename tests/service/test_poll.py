"""Looks: polling turned into callbacks. What a look cannot hear delays the next one and never fails a task."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import strategies as st

from adapters.providers import PROVIDERS
from service.accounts.upstream import LOOK_SECONDS
from service.looking.poll import LEASE_MS
from tests.service.asking import ACEDATA, SILENT, created, record, told
from tests.service.examples import run_examples
from tests.world import World, world

pytestmark = pytest.mark.anyio
DAY = 24 * 3600.0


def is_look(request: httpx.Request) -> bool:
    return "/tasks" in request.url.path


def rewriting(change: Callable[[Any], Any], times: int = 10**6) -> Callable[[World], Any]:
    """Looks are answered with what `change` makes of the simulator's own body."""

    def install(it: World) -> None:
        left = [times]

        async def between(request: httpx.Request) -> httpx.Response | None:
            if not is_look(request) or not left[0]:
                return None
            left[0] -= 1
            response = await httpx.ASGITransport(it.simulator).handle_async_request(request)
            body = change(json.loads(await response.aread()))
            return httpx.Response(response.status_code, content=json.dumps(body).encode())

        it.between = between

    return install


def answering(*responses: httpx.Response | Exception) -> Callable[[httpx.Request], Awaitable[httpx.Response | None]]:
    """The first looks are answered so, one after the other; then the simulator answers."""
    waiting = list(responses)

    async def between(request: httpx.Request) -> httpx.Response | None:
        if not is_look(request) or not waiting:
            return None
        said = waiting.pop(0)
        if isinstance(said, Exception):
            raise said
        return httpx.Response(said.status_code, headers=said.headers, content=said.content)

    return between


def looks(it: World, provider: str = ACEDATA) -> int:
    return it.upstreams.requests[provider, "query"]


async def state(it: World, task_id: str) -> str:
    shown: str = (await record(it, task_id))["state"]
    return shown


@pytest.mark.parametrize("provider", SILENT)
async def test_a_provider_that_never_calls_is_looked_at_until_the_end(tmp_path: Path, provider: str) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "seconds=30", provider=provider)
        await it.settle(29)
        assert await state(it, task_id) == "RUNNING"
        await it.settle(8)
        task = await record(it, task_id)
        assert (task["state"], task["detector"]) == ("SUCCEEDED", "look")
        assert 30 / 5 <= looks(it, provider) <= 38 / 5 + 1
        assert len(told(it)) == 1


async def test_a_lost_callback_is_made_good_by_a_slow_look(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "callback=lost seconds=20")
        await it.settle(58)
        assert (await state(it, task_id), looks(it)) == ("QUEUED", 0)
        await it.settle(4)
        assert await state(it, task_id) == "SUCCEEDED"
        assert looks(it) == 1


async def test_a_task_that_will_call_back_is_only_looked_at_slowly(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "seconds=600")
        await it.settle(599)
        assert looks(it) <= 600 / 60
        await it.settle(3)
        assert await state(it, task_id) == "SUCCEEDED"
        assert len(told(it)) == 1


async def test_a_callback_causes_one_read_and_no_more_than_one_post(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await created(it, "seconds=20 callback=twice")
        await it.settle(90)
        assert looks(it) == 1
        assert len(told(it)) == len(it.inbox.received) == 1


async def test_a_callback_that_overtakes_the_creates_answer_is_not_lost(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "callback=early")
        assert [sent.status for sent in it.upstreams.outbox.sent] == [200]
        await it.settle(2)
        assert await state(it, task_id) == "SUCCEEDED"
        assert len(told(it)) == 1


async def test_a_callback_ahead_of_the_record_is_looked_into_again_soon(tmp_path: Path) -> None:
    """The callback is there, but the record still says that the task runs."""
    async with world(tmp_path) as it:
        task_id = await created(it, "seconds=40 callback=lost")
        upstream = it.upstreams.creates[0]
        it.clock.turn(38)
        await it.to_service.post(upstream.body["callback_url"], json={"success": True, "task_id": upstream.task_id})
        await it.settle(20)  # looks at AceData fall on a grid of ten seconds
        assert await state(it, task_id) == "SUCCEEDED"


async def test_without_a_public_url_acedata_is_asked_for_many_tasks_at_once(tmp_path: Path) -> None:
    async with world(tmp_path, public_url=None) as it:
        for _ in range(60):
            await created(it, "seconds=25", url="")
        assert "callback_url" not in it.upstreams.creates[0].body
        await it.settle(40)
        states = [(await record(it, one["task_id"]))["state"] for one in await listed(it)]
        assert states == ["SUCCEEDED"] * 60
        assert looks(it) <= 2 * (40 / 10 + 1)


async def test_the_two_services_of_acedata_are_asked_apart(tmp_path: Path) -> None:
    async with world(tmp_path, public_url=None) as it:
        wan = await created(it, "seconds=5")
        body = {"action": "generate", "model": "happyhorse-1.1-t2v", "prompt": "a horse [sim:seconds=5]", "async": True}
        horse = (await it.client.post("/happyhorse/videos", json=body)).json()["task_id"]
        await it.settle(20)
        assert [await state(it, wan), await state(it, horse)] == ["SUCCEEDED"] * 2


async def test_looks_keep_the_pace_of_the_account(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["laozhang"]) as it:
        for number in range(120):
            await created(it, f"seconds={100 + number}", provider="laozhang", url="")
        for _ in range(20):
            before = looks(it, "laozhang")
            await it.settle(1)
            assert looks(it, "laozhang") - before <= PROVIDERS["laozhang"].looks_per_second


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_success_without_a_video_is_read_once_more_and_is_then_no_result(tmp_path: Path, provider: str) -> None:
    async with world(tmp_path, public_url=None) as it:
        task_id = await created(it, "nourl seconds=1", provider=provider)
        await it.settle(14)
        task = await record(it, task_id)
        assert (task["state"], task["error"]["code"]) == ("FAILED", "no_result")
        assert looks(it, provider) == 2
        assert len(told(it)) == 1


async def test_a_video_that_is_there_at_the_second_read_counts(tmp_path: Path) -> None:
    def without_url(body: Any) -> Any:
        body["output"].pop("video_url", None)
        return body

    async with world(tmp_path) as it:
        task_id = await created(it, "seconds=1", provider="dashscope")
        rewriting(without_url, times=1)(it)
        await it.settle(20)
        task = await record(it, task_id)
        assert task["state"] == "SUCCEEDED"
        assert task["video_url"]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_task_that_is_not_known_yet_has_not_failed(tmp_path: Path, provider: str) -> None:
    async with world(tmp_path, public_url=None) as it:
        task_id = await created(it, "lag=20 seconds=25", provider=provider)
        await it.settle(19)
        assert await state(it, task_id) == "QUEUED"
        await it.settle(60)
        assert await state(it, task_id) == "SUCCEEDED"


@pytest.mark.parametrize("trouble", ["poll=503:3", "poll=429:2", "poll=502html:3", "poll=lost:3", "poll=401:2"])
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_trouble_with_looking_reaches_no_client_and_fails_no_task(
    tmp_path: Path, provider: str, trouble: str
) -> None:
    async with world(tmp_path, public_url=None) as it:
        task_id = await created(it, f"{trouble} seconds=10", provider=provider)
        for _ in range(30):
            await it.settle(5)
            shown = await it.client.get(f"/api/v1/tasks/{task_id}")
            assert shown.status_code == 200
            assert shown.json()["output"]["task_status"] in ("PENDING", "RUNNING", "SUCCEEDED")
        assert await state(it, task_id) == "SUCCEEDED"
        assert [body for body in told(it) if "error" in body or body.get("success") is False] == []


async def test_after_too_many_queries_the_account_rests(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        tasks = [await created(it, "seconds=5", provider="laozhang") for _ in range(3)]
        it.between = answering(httpx.Response(429, headers={"retry-after": "40"}))
        await it.settle(4)
        before = looks(it, "laozhang")
        await it.settle(38)
        assert looks(it, "laozhang") == before
        await it.settle(20)
        assert [await state(it, task_id) for task_id in tasks] == ["SUCCEEDED"] * 3


@pytest.mark.parametrize("wait", ["1e308", "9999999999", "86400"])
async def test_an_absurd_retry_after_stops_no_account_for_long(tmp_path: Path, wait: str) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "seconds=5", provider="dashscope")
        it.between = answering(httpx.Response(429, headers={"retry-after": wait}))
        await it.settle(600, 10)
        assert await state(it, task_id) == "SUCCEEDED"


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_task_expires_only_when_the_upstream_can_no_longer_know_it(tmp_path: Path, provider: str) -> None:
    async with world(tmp_path, public_url=None) as it:
        task_id = await created(it, f"lag={3 * DAY}", provider=provider)
        await it.settle(DAY - 600, 300)
        assert await state(it, task_id) == "QUEUED"
        await it.settle(1800, 300)
        task = await record(it, task_id)
        assert (task["state"], task["error"]["code"]) == ("EXPIRED", "task_expired")
        assert len(told(it)) == 1


async def test_no_task_ends_because_looks_fail_as_long_as_the_upstream_knows_it(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "seconds=20", provider="dashscope")
        it.between = answering(*[httpx.Response(503, json={"code": "InternalError"}) for _ in range(10**4)])
        await it.settle(DAY - 60, 300)
        assert await state(it, task_id) == "QUEUED"


async def test_looks_go_on_where_a_dead_server_left_them(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "seconds=10", provider="laozhang")
        queue = it.ringback.workers["look.laozhang"]._work
        it.clock.turn(12)
        assert len(await queue.claim(16)) == 1  # and then the server dies
        await it.stop()
        await it.start()
        await it.settle(1)
        assert await state(it, task_id) == "SUCCEEDED"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = (
    "id", "task_id", "status", "state", "task_status", "output", "response", "request", "items", "data", "result",
    "result_url", "video_url", "success", "error", "code", "message", "usage", "progress", "created_at", "finished_at",
    "started_at", "elapsed", "fail_reason", "submit_time", "scheduled_time", "end_time", "duration", "callback_url",
)  # fmt: skip
words = st.sampled_from(["SUCCEEDED", "succeeded", "completed", "FAILED", "failed", "UNKNOWN", "RUNNING", "CANCELED"])


@st.composite
def mangled(draw: st.DrawFn) -> Callable[[Any], Any]:
    """A change of a real report: some of its fields, at any depth, hold something else."""
    changes = draw(st.dictionaries(st.sampled_from(FIELDS), json_values | words, max_size=4))

    def mangle(value: Any) -> Any:
        if isinstance(value, list):
            return [mangle(item) for item in value]
        if isinstance(value, dict):
            return {name: changes[name] if name in changes else mangle(item) for name, item in value.items()} | {
                name: item for name, item in changes.items() if "task_status" in value or "status" in value
            }
        return value

    return mangle


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_no_report_however_odd_breaks_a_look_or_a_clients_question(tmp_path: Path, provider: str) -> None:
    async with world(tmp_path, public_url=None) as it:

        async def one(change: Callable[[Any], Any]) -> None:
            task_id = await created(it, "seconds=1", provider=provider)
            rewriting(change)(it)
            await it.settle(15, 5)  # raises what a handler raises
            it.between = None
            for path in ("/api/v1/tasks/", "/v1/tasks/"):
                assert (await it.client.get(path + task_id)).status_code == 200
            asked = {"action": "retrieve", "id": task_id}
            assert (await it.client.post("/wan/tasks", json=asked)).status_code == 200
            await record(it, task_id)

        await run_examples(mangled(), one, 25)


async def listed(it: World) -> list[dict[str, Any]]:
    response = await it.client.get("/v1/tasks?limit=200")
    tasks: list[dict[str, Any]] = response.json()["tasks"]
    return tasks


def test_the_lease_of_a_look_is_longer_than_a_look_may_take() -> None:
    assert LEASE_MS > 2 * LOOK_SECONDS * 1000
