"""Several keys of one provider: tasks are shared among them, and each stays with the one that created it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import httpx
import pytest

from service.settings import Account
from tests.service.asking import create, created, events, record, told
from tests.world import ADMIN, World, accounts, world

pytestmark = pytest.mark.anyio
POOL = ("one", "two", "three")


def pool(*names: str, provider: str = "dashscope") -> tuple[Account, ...]:
    return tuple(
        account for name in names for account in accounts([provider], name=name, api_key=f"sk-{provider}-{name}")
    )


def creators(it: World) -> Counter[str]:
    """How many creates the simulator took with each key."""
    return Counter(create.headers["authorization"].rpartition("-")[2] for create in it.upstreams.creates)


async def test_a_pool_spreads_and_every_look_goes_with_the_key_that_created(tmp_path: Path) -> None:
    """The simulator shows a task only to its bearer."""
    async with world(tmp_path, accounts=pool(*POOL)) as it:
        tasks = [await created(it, "seconds=10", provider="dashscope") for _ in range(9)]
        assert creators(it) == dict.fromkeys(POOL, 3)
        await it.settle(40)
        for task_id in tasks:
            task = await record(it, task_id)
            assert task["state"] == "SUCCEEDED"
            assert task["placements"][0]["account"] in POOL
        assert len(told(it)) == 9


async def test_order_and_number_of_the_keys_may_change_while_tasks_run(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=pool("one", "two")) as it:
        tasks = [await created(it, "seconds=60", provider="dashscope") for _ in range(4)]
        await it.stop()
        await it.start(accounts=pool("three", "two", "one"))
        await it.settle(90)
        assert [(await record(it, task_id))["state"] for task_id in tasks] == ["SUCCEEDED"] * 4
        assert await events(it) == []


async def test_a_second_key_leaves_the_tasks_of_the_first_where_they_are(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=pool("one")) as it:
        task_id = await created(it, "seconds=60", provider="dashscope")
        await it.stop()
        await it.start(accounts=pool("two", "one"))
        await it.settle(90)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"


async def test_a_key_that_was_taken_out_is_told_and_its_tasks_wait_for_it(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=pool(*POOL)) as it:
        tasks = [await created(it, "seconds=60", provider="dashscope") for _ in range(3)]
        await it.stop()
        await it.start(accounts=pool("one", "three"))
        await it.settle(600, 30)
        states = Counter([(await record(it, task_id))["state"] for task_id in tasks])
        assert states == {"SUCCEEDED": 2, "QUEUED": 1}
        assert await events(it) == ["account.missing"]
        await it.stop()
        await it.start(accounts=pool(*POOL))
        await it.settle(60)
        assert {(await record(it, task_id))["state"] for task_id in tasks} == {"SUCCEEDED"}
        assert len(told(it)) == 3


async def test_the_only_key_takes_over_from_one_that_was_replaced(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=pool("old")) as it:
        await created(it, "seconds=60", provider="dashscope")
        await it.stop()
        await it.start(accounts=pool("new"))
        assert await events(it) == []


@pytest.mark.parametrize("words", ["401", "refuse:Arrearage", "429:60"])
async def test_a_key_in_trouble_is_avoided_and_the_others_do_its_work(tmp_path: Path, words: str) -> None:
    async with world(tmp_path, accounts=pool("bad", "good")) as it:
        bad: list[httpx.Request] = []

        async def between(request: httpx.Request) -> httpx.Response | None:
            if (
                not request.url.path.endswith("/video-synthesis")
                or "sk-dashscope-bad" not in request.headers["authorization"]
            ):
                return None
            bad.append(request)
            status, _, wait = words.partition(":")
            code = {"401": "InvalidApiKey", "refuse": "Arrearage", "429": "Throttling.RateQuota"}[status]
            headers = {"retry-after": wait} if status == "429" else {}
            number = 400 if status == "refuse" else int(status)
            return httpx.Response(number, json={"code": code, "message": "m", "request_id": "r"}, headers=headers)

        it.between = between
        tasks = [await created(it, "seconds=5", provider="dashscope") for _ in range(6)]
        assert creators(it) == {"good": 6}
        assert len(bad) == 1
        await it.settle(50)
        assert {(await record(it, task_id))["state"] for task_id in tasks} == {"SUCCEEDED"}
        assert await events(it) == ([] if words.startswith("429") else ["upstream.account_refused"])
        first = await record(it, tasks[0])
        assert [(one["account"], one["verdict"]) for one in first["placements"]] == [
            ("bad", "not_accepted"), ("good", "ended"),
        ]  # fmt: skip


async def test_if_no_key_is_good_the_client_is_told_as_with_one(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=pool("a", "b")) as it:
        response = await create(it, "create=401", provider="dashscope")
        assert response.status_code == 403
        assert "This server's account at the provider" in response.text
        assert it.upstreams.requests["dashscope", "create"] == 2


async def test_a_busy_key_is_waited_for_though_the_other_one_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=pool("busy", "bad")) as it:
        replies = {
            "busy": httpx.Response(429, json={"code": "Throttling", "message": "m"}, headers={"retry-after": "20"}),
            "bad": httpx.Response(401, json={"code": "InvalidApiKey", "message": "m"}),
        }

        async def between(request: httpx.Request) -> httpx.Response | None:
            if not request.url.path.endswith("/video-synthesis"):
                return None
            return replies.get(request.headers["authorization"].rpartition("-")[2])

        it.between = between
        task_id = await created(it, "seconds=5", provider="dashscope")
        task = await record(it, task_id)
        assert [one["account"] for one in task["placements"]] == ["busy", "bad"]
        assert [one["reason"] for one in task["placements"]] == ["HTTP 429 Throttling", "HTTP 401 InvalidApiKey"]
        del replies["busy"]
        await it.settle(40)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"


async def test_no_key_is_ever_shown(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=pool(*POOL)) as it:
        task_id = await created(it, provider="dashscope")
        shown = await it.client.get(f"/v1/tasks/{task_id}/record", headers=it.as_key(ADMIN))
        assert "sk-" not in shown.text
