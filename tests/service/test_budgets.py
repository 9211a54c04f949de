"""Budgets at work: refused before anything is sent, in the client's own shape, and never by surprise."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.domain.allowances import Allowance, Period, read_budget
from service.store.lookups import NEWEST
from tests.service.asking import NATIVE, body_of, error_code, paths, record
from tests.service.prices import asked, bought, priced
from tests.world import ADMIN, OTHER_KEY, World, world

pytestmark = pytest.mark.anyio
MONTH_MS = 31 * 24 * 3600 * 1000


async def allow(it: World, *budgets: str, client: str = "env:first") -> None:
    await it.ringback.store.allowances.keep(Allowance(client, budgets=tuple(map(read_budget, budgets))))


def assert_over(reply: httpx.Response, shape: str, code: str = "budget_exceeded") -> str:
    """Returns what the client is told."""
    body = reply.json()
    assert (reply.status_code, error_code(shape, body)) == (403, code), reply.text
    assert reply.headers["x-should-retry"] == "false"
    if shape == "flat":
        assert body["success"] is False
    message: str = body["message"] if shape == "native" else body["error"]["message"]
    return message


@pytest.mark.parametrize(("shape", "provider"), [("flat", "acedata"), ("native", "dashscope"), ("gateway", "laozhang")])
async def test_over_budget_is_told_in_the_clients_shape_and_nothing_is_sent(
    tmp_path: Path, shape: str, provider: str
) -> None:
    async with world(tmp_path, catalogue=priced(), providers=[provider]) as it:
        currency = "CNY" if provider == "dashscope" else "USD"
        await allow(it, f"0.1 {currency}/month")
        message = assert_over(await it.client.post(paths(shape), json=body_of(shape)), shape)
        assert f"of this key's 0.1 {currency} a month 0 {currency} are spent or reserved" in message
        assert not it.upstreams.requests
        assert (await it.client.get("/v1/tasks")).json()["tasks"] == []


async def test_the_budget_is_spent_to_its_end_and_not_beyond(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced()) as it:
        await allow(it, "1.4 USD/total")
        for _ in range(2):
            await bought(it)
        assert_over(await asked(it), "flat")
        await bought(it, seconds=4)
        assert_over(await asked(it, seconds=2), "flat")
        await bought(it, key=OTHER_KEY)


async def test_a_failure_gives_the_money_back_and_a_doubt_does_not(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced()) as it:
        await allow(it, "0.5 USD/total")
        await bought(it, "fail")
        assert_over(await asked(it), "flat")
        await it.settle(60)
        doubtful = await bought(it, "create=lost lag=950 seconds=1000")
        await it.settle(905, 5)
        assert (await record(it, doubtful))["error"]["code"] == "outcome_unknown"
        assert_over(await asked(it), "flat")
        await it.settle(120, 5)
        assert (await record(it, doubtful))["state"] == "SUCCEEDED"
        assert_over(await asked(it), "flat")


async def test_the_usage_gives_back_what_was_not_needed(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced()) as it:
        await allow(it, "25 CNY")
        media = [{"type": "reference_video", "url": "https://media.example/x.mp4"}]
        parameters = {"duration": 5, "resolution": "720P"}
        body = {"model": "wan2.7-r2v", "input": {"prompt": "a cat", "media": media}, "parameters": parameters}
        assert (await it.client.post(NATIVE, json=body)).status_code == 200
        assert_over(await it.client.post(NATIVE, json=body), "native")
        await it.settle(60)
        assert (await it.client.post(NATIVE, json=body)).status_code == 403, "21 of 25 CNY, of which 6 are spent"
        await allow(it, "27 CNY")
        assert (await it.client.post(NATIVE, json=body)).status_code == 200


async def test_another_provider_that_the_budget_covers_is_taken_instead(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced(), providers=["apiyi", "laozhang", "acedata"]) as it:
        body = body_of("native") | {"parameters": {"size": "1280*720", "duration": 5}}
        await allow(it, "2 USD/total")
        assert (await it.client.post(paths("gateway"), json=body)).status_code == 200
        [create] = it.upstreams.creates
        assert create.provider == "acedata", "APIYI has no price, LaoZhang none of 720P"


async def test_a_cheaper_provider_is_taken_when_the_first_is_too_dear(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced(), providers=["laozhang", "acedata"]) as it:
        body = body_of("gateway") | {"parameters": {"size": "1920*1080", "duration": 5}}
        await allow(it, "1.2 USD/total")
        assert (await it.client.post(paths("gateway"), json=body)).status_code == 200
        assert [one.provider for one in it.upstreams.creates] == ["acedata"], "1 USD; LaoZhang takes 1.5"
        message = assert_over(await it.client.post(paths("gateway"), json=body), "gateway")
        assert "LaoZhang: authorization: it costs up to 1.5 USD" in message
        assert "AceData: authorization: it costs up to 1 USD" in message


async def test_without_a_price_a_key_with_a_budget_is_told_what_to_do(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await allow(it, "100 USD/month")
        message = assert_over(await asked(it), "flat", "price_unknown")
        assert "its operator can add the price to the catalogue" in message
        assert not it.upstreams.requests


async def test_a_price_in_a_currency_without_a_budget_does_not_count_as_free(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced()) as it:
        await allow(it, "100 USD/month")
        message = assert_over(await asked(it, provider="dashscope"), "native", "price_unknown")
        assert "it costs CNY, and this key has a budget in USD only" in message
        await allow(it, "100 USD/month", "3 CNY/day")
        await bought(it, provider="dashscope")
        assert_over(await asked(it, provider="dashscope"), "native")
        await bought(it)


async def test_a_new_month_in_utc_has_its_own_money(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced()) as it:
        it.clock.now = Period.MONTH.began(it.clock.now + MONTH_MS) - 1
        await allow(it, "0.5 USD/month")
        await bought(it)
        assert_over(await asked(it), "flat")
        it.clock.now += 1
        await bought(it)
        assert_over(await asked(it), "flat")


async def test_the_operator_is_told_once_a_period_and_key(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced()) as it:
        it.clock.now = Period.DAY.began(it.clock.now)
        await allow(it, "0.1 USD/day")
        await allow(it, "0.1 USD/day", client="env:second")
        for hours in (0, 2, 12):
            it.clock.turn(hours * 3600)
            assert_over(await asked(it), "flat")
        assert_over(await asked(it, key=OTHER_KEY), "flat")
        it.clock.turn(24 * 3600)
        assert_over(await asked(it), "flat")
        found = await it.ringback.store.events.recent("budget.reached", 0, NEWEST, 10)
        assert sorted((one.fields["client"], one.fields["budget"], one.times) for one in found) == [
            ("env:first", "0.1 USD a day", 1),
            ("env:first", "0.1 USD a day", 3),
            ("env:second", "0.1 USD a day", 1),
        ]


async def test_a_repeated_create_gets_its_task_though_the_money_is_spent(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced()) as it:
        await allow(it, "0.5 USD/total")
        said: list[Any] = []
        for _ in range(2):
            body = body_of("flat") | {"size": "1280*720", "duration": 5}
            reply = await it.client.post("/wan/videos", json=body, headers={"idempotency-key": "order-7"})
            said.append((reply.status_code, reply.json()))
        assert said[0][0] == 200
        assert said[0] == said[1]
        assert len(it.upstreams.creates) == 1


async def test_explain_says_that_the_budget_is_in_the_way(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced(), providers=["acedata"]) as it:
        await allow(it, "0.1 USD/total")
        question = {"shape": "flat", "body": body_of("flat")}
        told = (await it.client.post("/v1/explain", json=question)).json()
        [objection] = told["candidates"][0]["objections"]
        assert (told["chosen"], objection["path"]) == (None, "authorization")
        assert "spent or reserved" in objection["reason"]


async def test_what_is_sent_again_must_fit_beside_what_is_in_doubt(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced()) as it:
        await allow(it, "0.9 USD/total")
        task_id = await bought(it, "create=lost lag=9000 seconds=9000")
        await it.settle(905, 5)
        again, admin = f"/v1/tasks/{task_id}/send-again", it.as_key(ADMIN)
        reply = await it.client.post(again, json={"confirm": True}, headers=admin)
        assert (reply.status_code, reply.json()["error"]["code"]) == (403, "budget_exceeded")
        assert (await record(it, task_id))["state"] == "FAILED"
        await allow(it, "1 USD/total")
        assert (await it.client.post(again, json={"confirm": True}, headers=admin)).status_code == 202
        assert_over(await asked(it, seconds=2), "flat")
        await it.settle(5)
        assert len(it.upstreams.creates) == 2
        assert_over(await asked(it, seconds=2), "flat")


async def test_fifty_clients_at_once_get_ten_videos_for_the_money_of_ten(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced()) as it:
        await allow(it, "5 USD/day")
        replies = await asyncio.gather(*(asked(it) for number in range(50)))
        assert Counter(reply.status_code for reply in replies) == {200: 10, 403: 40}
        assert len(it.upstreams.creates) == 10


@pytest.mark.parametrize(("budget", "provider"), [("1.5 USD", "laozhang"), ("1.4 USD", "acedata")])
async def test_a_task_that_goes_elsewhere_must_fit_there_too(tmp_path: Path, budget: str, provider: str) -> None:
    """AceData is busy. LaoZhang would take it for half as much again: one who cannot pay that waits for AceData."""
    async with world(tmp_path, catalogue=priced(), providers=["acedata", "laozhang"]) as it:
        await allow(it, budget)
        body = body_of("flat", "a cat [sim:create=429 times=1]") | {"size": "1920*1080", "duration": 5}
        reply = await it.client.post("/wan/videos", json=body)
        assert reply.status_code == 200
        await it.settle(120)
        task = await record(it, reply.json()["task_id"])
        assert (task["state"], task["provider"]) == ("SUCCEEDED", provider)
        assert len(it.upstreams.creates) == 1
        assert_over(await asked(it, seconds=5), "flat")


async def test_a_provider_that_its_key_may_not_use_is_no_way_out(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["acedata", "laozhang", "apiyi"]) as it:
        await it.ringback.store.allowances.keep(Allowance("env:first", providers=("acedata", "apiyi")))
        reply = await it.client.post("/wan/videos", json=body_of("flat", "a cat [sim:create=429 times=1]"))
        await it.settle(60)
        assert (await record(it, reply.json()["task_id"]))["provider"] == "apiyi"
