"""Our trouble and the upstream's: tasks are stalled, none fails, and the first success makes all of them due."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from tests.service.asking import SILENT, created, record, told
from tests.world import ADMIN, World, world

pytestmark = pytest.mark.anyio
HOUR = 3600.0
FLAT_REFUSALS = {
    401: {"error": {"code": "invalid_token", "message": "the key sk-secret is not good"}},
    400: {"error": {"code": "token_mismatched", "message": "the key sk-secret is not good"}},
    403: {"error": {"code": "used_up", "message": "no money"}},
    200: {"error": {"code": "used_up", "message": "no money"}},
    402: None,
}
NATIVE_REFUSALS = {
    401: {"code": "InvalidApiKey", "message": "the key sk-secret is not good"},
    400: {"code": "Arrearage", "message": "Access denied"},
    403: {"code": "AccessDenied.Unpurchased", "message": "Access to model denied"},
    200: {"code": "Arrearage", "message": "Access denied"},
    429: {"code": "PostpaidBillOverdue", "message": "no money"},
}
REFUSALS = [
    *(("acedata", *each) for each in FLAT_REFUSALS.items()),
    *((name, *each) for name in ("laozhang", "dashscope") for each in NATIVE_REFUSALS.items()),
]


class Outage:
    """Between the service and its upstreams. While `down`, nothing answers, or (`status`, `body`) does; `looks` counts
    the questions how a task is. `only` is in the paths of those that it strikes."""

    def __init__(self, it: World, status: int = 0, body: Any = None, only: str = "") -> None:
        self.down = True
        self.looks: Counter[str] = Counter()  # by path
        self._status, self._body, self._only = status, body, only
        it.between = self.between

    async def between(self, request: httpx.Request) -> httpx.Response | None:
        self.looks[request.url.path] += "/tasks" in request.url.path
        if not self.down or self._only not in request.url.path:
            return None
        if not self._status:
            raise httpx.ConnectError("no route to host")
        return httpx.Response(self._status, json=self._body)


async def events(it: World, kind: str) -> list[dict[str, Any]]:
    answer = await it.client.get(f"/v1/operator/events?kind={kind}", headers=it.as_key(ADMIN))
    shown: list[dict[str, Any]] = answer.json()["events"]
    return shown


async def placement(it: World, task_id: str) -> dict[str, Any]:
    [shown] = (await record(it, task_id))["placements"]
    result: dict[str, Any] = shown
    return result


async def state(it: World, task_id: str) -> str:
    shown: str = (await record(it, task_id))["state"]
    return shown


def failed(it: World) -> list[Any]:
    return [body for body in told(it) if body.get("success") is False or "error" in body or "code" in body]


async def test_an_outage_fails_nothing_and_after_it_all_are_told_as_fast_as_the_pace_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.world._no_jitter", Random(4).uniform)
    async with world(tmp_path, providers=["laozhang"]) as it:
        for number in range(200):
            await created(it, f"seconds={20 + number % 50}", provider="laozhang")
        outage = Outage(it)
        await it.settle(40 * 60, 10)
        assert (told(it), len(await events(it, "provider.stalled"))) == ([], 1)
        in_outage = outage.looks.total()
        assert in_outage < 200 * 14
        outage.down = False
        waited = 0
        while not told(it):
            await it.settle(5, 5)
            waited += 5
        assert waited < 10 * 60
        await it.settle(25, 1)  # 200 tasks, ten looks a second
        assert (len(told(it)), failed(it)) == (200, [])
        assert outage.looks.total() - in_outage < 200 + 2 * waited
        [event] = await events(it, "provider.heard")
        assert (event["times"], event["subject"]) == (1, "laozhang")


@pytest.mark.parametrize("minutes", [10, 30, 90])
async def test_the_end_of_an_outage_is_noticed_before_it_is_a_third_longer(tmp_path: Path, minutes: int) -> None:
    """Without any jitter all tasks slow down in step; one of them is looked at in between."""
    async with world(tmp_path, providers=["laozhang"]) as it:
        for _ in range(10):
            await created(it, "seconds=60", provider="laozhang")
        outage = Outage(it)
        for _ in range(minutes):
            await it.settle(60, 10)
        before = outage.looks.total()
        assert before < 10 * 12 + 20
        outage.down = False
        await it.settle(minutes * 60 / 3 + 10, 10)
        assert len(told(it)) == 10


@pytest.mark.parametrize("provider", ["acedata", "laozhang", "dashscope"])
async def test_looks_slow_down_in_a_long_outage(tmp_path: Path, provider: str) -> None:
    async with world(tmp_path, public_url=None) as it:
        task_id = await created(it, "seconds=60", provider=provider)
        outage = Outage(it, 503, {"error": {"code": "api_error", "message": "down"}})
        for _ in range(10):
            await it.settle(HOUR, 60)
            shown = await it.client.get(f"/api/v1/tasks/{task_id}")
            assert shown.json()["output"]["task_status"] == "PENDING"
        assert 20 < outage.looks.total() < 40
        stalled = await placement(it, task_id)
        assert (stalled["stalled"], stalled["reason"]) == (True, "look: HTTP 503")
        assert stalled["misses"] == outage.looks.total()
        assert stalled["next_look_at"] > stalled["heard_at"]
        outage.down = False
        await it.settle(31 * 60, 60)
        assert await state(it, task_id) == "SUCCEEDED"
        assert (len(told(it)), failed(it)) == (1, [])
        shown = await placement(it, task_id)
        assert (shown["stalled"], shown["next_look_at"]) == (False, None)


@pytest.mark.parametrize("provider", SILENT)
async def test_a_create_that_succeeds_makes_the_stalled_ones_due_at_their_floor(tmp_path: Path, provider: str) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "seconds=60", provider=provider)
        outage = Outage(it)
        await it.settle(4 * HOUR, 60)
        outage.down = False
        before = outage.looks.total()
        await it.settle(60, 10)
        assert outage.looks.total() == before
        await created(it, "seconds=600", provider=provider)
        await it.settle(4)  # no two looks at a task are closer than three seconds
        assert await state(it, task_id) == "SUCCEEDED"


async def test_a_success_of_another_provider_wakes_nobody(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "seconds=60", provider="laozhang")
        outage = Outage(it, only="/laozhang/")
        await it.settle(4 * HOUR, 60)
        outage.down = False
        await created(it, "seconds=1", provider="apiyi")
        before = outage.looks["/laozhang/v1/tasks/" + it.upstreams.creates[0].task_id]
        await it.settle(20)
        assert outage.looks["/laozhang/v1/tasks/" + it.upstreams.creates[0].task_id] == before
        assert await state(it, task_id) == "QUEUED"


async def test_what_an_earlier_process_left_stalled_is_looked_at_at_the_start_and_at_the_first_success(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "seconds=60", provider="dashscope")
        outage = Outage(it)
        await it.settle(2 * HOUR, 60)
        before = outage.looks.total()
        await it.stop()
        await it.start()
        await it.settle(5)
        assert outage.looks.total() == before + 1  # the start may be what mended it
        outage.down = False
        await it.settle(50)
        assert outage.looks.total() == before + 1
        await created(it, "seconds=600", provider="dashscope")
        await it.settle(4)
        assert await state(it, task_id) == "SUCCEEDED"
        [stalled], [heard] = await events(it, "provider.stalled"), await events(it, "provider.heard")
        assert stalled["fields"]["silent_since"] == heard["fields"]["silent_since"]
        assert stalled["fields"]["tasks"] == "1"


async def test_an_account_that_is_heard_every_other_time_wakes_its_tasks_once_a_minute(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["laozhang"]) as it:
        struck = await created(it, "seconds=9", provider="laozhang")
        odd = it.upstreams.creates[0].task_id
        await created(it, f"seconds={2 * HOUR}", provider="laozhang")
        outage = Outage(it, 500, {"error": {"message": "odd"}}, only=odd)
        await it.settle(HOUR, 1)
        assert 50 <= outage.looks[f"/laozhang/v1/tasks/{odd}"] <= 70
        assert (await events(it, "provider.stalled"), await state(it, struck)) == ([], "QUEUED")
        outage.down = False
        await it.settle(70)
        assert await state(it, struck) == "SUCCEEDED"


@pytest.mark.parametrize("trouble", ["lag=100000", ""])
async def test_a_stalled_task_is_not_asked_for_with_every_list(tmp_path: Path, trouble: str) -> None:
    """What runs is listed each second; what the list lacks, and looks cannot hear, slows down all the same."""
    async with world(tmp_path, providers=["dashscope"]) as it:
        await created(it, f"seconds=9 {trouble}", provider="dashscope")
        odd = it.upstreams.creates[0].task_id
        for _ in range(4):
            await created(it, f"seconds={2 * HOUR}", provider="dashscope")
        outage = Outage(it, 500, {"code": "InternalError", "message": "odd"}, only=odd if not trouble else "nothing")
        await it.settle(HOUR / 2, 1)
        assert outage.looks["/dashscope/api/v1/tasks/"] + outage.looks["/dashscope/api/v1/tasks"] > 1000  # lists
        assert outage.looks[f"/dashscope/api/v1/tasks/{odd}"] < 45


@pytest.mark.parametrize("provider", SILENT)
async def test_a_task_that_is_not_known_yet_is_stalled_alone(tmp_path: Path, provider: str) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "lag=3000 seconds=10", provider=provider)
        outage = Outage(it)
        outage.down = False
        await it.settle(2900, 10)
        shown = await placement(it, task_id)
        assert (shown["stalled"], shown["reason"]) == (True, "look: the upstream does not know it yet")
        assert outage.looks.total() < 20
        assert await events(it, "provider.stalled") == []
        await it.settle(400, 10)
        assert await state(it, task_id) == "SUCCEEDED"


@pytest.mark.parametrize(("provider", "status", "body"), REFUSALS, ids=str)
async def test_a_refused_look_is_the_operators_matter_and_fails_nothing(
    tmp_path: Path, provider: str, status: int, body: Any
) -> None:
    async with world(tmp_path, public_url=None) as it:
        task_id = await created(it, "seconds=60", provider=provider)
        outage = Outage(it, status, body)
        await it.settle(2 * HOUR, 60)
        assert 8 < outage.looks.total() < 20
        refused = await events(it, "upstream.look_refused")
        assert {one["subject"] for one in refused} == {provider}
        assert sum(one["times"] for one in refused) == outage.looks.total()
        assert len(refused) <= 2
        assert "secret" not in json.dumps(refused)
        assert len(await events(it, "provider.stalled")) == 1
        assert [await state(it, task_id), told(it)] == ["QUEUED", []]
        outage.down = False
        await created(it, "seconds=600", provider=provider)
        await it.settle(4)
        assert await state(it, task_id) == "SUCCEEDED"
        assert len(await events(it, "provider.heard")) == 1


def saying(it: World, word: Callable[[], str]) -> None:
    """Every look is answered with this state word, whatever the task does."""

    async def between(request: httpx.Request) -> httpx.Response | None:
        if "/tasks" not in request.url.path or not word():
            return None
        response = await httpx.ASGITransport(it.simulator).handle_async_request(request)
        body = json.loads(await response.aread())
        for place in (body, *(item["response"] for item in body.get("items", []) if item.get("response"))):
            place.update({name: word() for name in ("state", "status") if name in place})
        if "output" in body:
            body["output"]["task_status"] = word()
        return httpx.Response(response.status_code, json=body)

    it.between = between


@pytest.mark.parametrize("provider", ["laozhang", "dashscope"])
async def test_a_word_that_nobody_knows_means_running_and_is_counted_once_a_task(tmp_path: Path, provider: str) -> None:
    async with world(tmp_path) as it:
        tasks = [await created(it, "seconds=60", provider=provider) for _ in range(3)]
        said = ["paused_for_review"]
        saying(it, lambda: said[0])
        await it.settle(100)
        assert [await state(it, task_id) for task_id in tasks] == ["RUNNING"] * 3
        [event] = await events(it, "upstream.unknown_word")
        assert (event["subject"], event["times"]) == (f"{provider}:paused_for_review", 3)
        shown = await placement(it, tasks[0])
        assert (shown["reason"], shown["stalled"]) == ("look: unknown word paused_for_review", False)
        said[0] = {"laozhang": "in_progress", "dashscope": "RUNNING"}[provider]
        await it.settle(20)
        assert (await placement(it, tasks[0]))["reason"] is None
        said[0] = ""
        await it.settle(20)
        assert [await state(it, task_id) for task_id in tasks] == ["SUCCEEDED"] * 3
