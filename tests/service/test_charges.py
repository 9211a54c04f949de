"""Every send has a charge: open while it runs, settled with its end, kept open while nobody knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.domain.allowances import Allowance, read_budget
from tests.service.asking import NATIVE, record
from tests.service.elsewhere import OWN_KEY, at_provider, watched
from tests.service.prices import bought, charges, priced
from tests.world import World, world

pytestmark = pytest.mark.anyio


async def test_a_success_is_settled_by_the_upstreams_usage(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced()) as it:
        task_id = await bought(it, provider="dashscope", seconds=7)
        assert await charges(it, task_id) == [(4_200_000, None, "CNY")]
        await it.settle(60)
        assert await charges(it, task_id) == [(4_200_000, 4_200_000, "CNY")]
        [placement] = (await record(it, task_id))["placements"]
        assert (placement["charge"]["resolution"], placement["charge"]["per_second_micros"]) == ("720P", 600_000)


async def test_where_the_upstream_says_no_usage_the_estimate_is_it(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced()) as it:
        task_id = await bought(it)
        await it.settle(60)
        assert await charges(it, task_id) == [(500_000, 500_000, "USD")]


async def test_the_usage_corrects_what_was_only_known_at_most(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced()) as it:
        media = [{"type": "reference_video", "url": "https://media.example/x.mp4"}]
        parameters = {"duration": 5, "resolution": "720P"}
        body = {"model": "wan2.7-r2v", "input": {"prompt": "a cat", "media": media}, "parameters": parameters}
        reply = await it.client.post(NATIVE, json=body, headers={"x-ringback-provider": "dashscope"})
        task_id = reply.json()["output"]["task_id"]
        assert await charges(it, task_id) == [(21_000_000, None, "CNY")], "35 seconds: five, and a reference of 30"
        await it.settle(60)
        assert await charges(it, task_id) == [(21_000_000, 6_000_000, "CNY")]


async def test_a_failure_costs_nothing(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced()) as it:
        task_id = await bought(it, "fail")
        await it.settle(60)
        assert await charges(it, task_id) == [(500_000, 0, "USD")]


async def test_a_success_without_a_video_is_billed(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced()) as it:
        task_id = await bought(it, "nourl", provider="dashscope")
        await it.settle(120)
        task = await record(it, task_id)
        assert task["error"]["code"] == "no_result"
        assert await charges(it, task_id) == [(3_000_000, 3_000_000, "CNY")]


async def test_each_send_has_its_own_and_those_that_took_nothing_cost_nothing(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced()) as it:
        task_id = await bought(it, "create=429 times=1")
        await it.settle(120)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert await charges(it, task_id) == [(500_000, 0, "USD"), (500_000, 500_000, "USD")]


async def test_a_refused_create_costs_nothing(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced()) as it:
        with pytest.raises(AssertionError):
            await bought(it, "create=400")
        listed = (await it.client.get("/v1/tasks")).json()["tasks"]
        assert await charges(it, listed[0]["task_id"]) == [(500_000, 0, "USD")]


async def given_up(it: World, words: str) -> str:
    task_id = await bought(it, f"create=lost lag=950 {words}")
    await it.settle(905, 5)
    assert (await record(it, task_id))["error"]["code"] == "outcome_unknown"
    return task_id


async def test_a_doubt_stays_open_and_a_late_result_settles_it(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced()) as it:
        task_id = await given_up(it, "seconds=1000")
        assert await charges(it, task_id) == [(500_000, None, "USD")]
        await it.settle(120, 5)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert await charges(it, task_id) == [(500_000, 500_000, "USD")]


async def test_a_late_failure_gives_the_money_back(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced()) as it:
        task_id = await given_up(it, "seconds=1000 fail")
        await it.settle(120, 5)
        assert (await record(it, task_id))["error"]["code"] == "outcome_unknown"
        assert await charges(it, task_id) == [(500_000, 0, "USD")]


async def test_an_expired_task_may_have_been_billed(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced()) as it:
        task_id = await bought(it, f"lag={3 * 86400}", provider="dashscope")
        await it.settle(25 * 3600, 300)
        assert (await record(it, task_id))["state"] == "EXPIRED"
        assert await charges(it, task_id) == [(3_000_000, None, "CNY")]


async def test_what_has_no_price_is_kept_without_one(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await bought(it)
        await it.settle(60)
        assert await charges(it, task_id) == [(None, None, None)]


async def test_a_task_that_is_only_watched_is_in_nobodys_bill(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced()) as it:
        await it.ringback.store.allowances.keep(Allowance("env:first", budgets=(read_budget("0 USD"),)))
        task_id = await watched(it, "dashscope", await at_provider(it, "dashscope", key=OWN_KEY), upstream_key=OWN_KEY)
        await it.settle(60)
        task = await record(it, task_id)
        assert (task["state"], task["placements"][0]["charge"]) == ("SUCCEEDED", None)
        assert (await it.client.get("/v1/cost")).json()["totals"] == []
