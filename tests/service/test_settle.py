"""The operator says what a send did cost of which nobody knows; what the provider says itself overrides it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.messages import Report, State, Usage
from service.domain.ledger import MICROS, Quote
from service.domain.tasks import OUTCOME_UNKNOWN, Task, Verdict, fail
from service.store import Store
from tests.service.asking import record
from tests.service.lost import unlisted
from tests.service.nouns import ENGINES, NOW, a_placement, a_task, opened
from tests.service.prices import asked, bought, priced
from tests.world import ADMIN, KEY, World, world

pytestmark = pytest.mark.anyio
QUOTED = 500_000
"""Five seconds at AceData; without a public URL nothing there can be proven."""
UNPROVABLE: dict[str, Any] = {"catalogue": priced(), "public_url": None}


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


async def settle(it: World, task_id: str, amount: Any, key: str = ADMIN, **more: Any) -> httpx.Response:
    body = {"amount_micros": amount, **more}
    return await it.client.post(f"/v1/tasks/{task_id}/settle", json=body, headers=it.as_key(key))


async def given_up(it: World, provider: str = "acedata", words: str = "create=lost times=1 seconds=20") -> str:
    it.between = unlisted
    task_id = await bought(it, words, provider=provider)
    await it.settle(910, 10)
    assert (await record(it, task_id))["error"]["code"] == "outcome_unknown"
    return task_id


async def totals(it: World) -> list[tuple[int, int]]:
    told = (await it.client.get("/v1/cost", headers=it.as_key(ADMIN))).json()["totals"]
    return [(one["settled_micros"], one["in_doubt_micros"]) for one in told]


@pytest.mark.parametrize(("amount", "settled"), [(0, 0), (None, QUOTED), (420_000, 420_000)])
async def test_a_charge_in_doubt_is_written_off_or_confirmed(tmp_path: Path, amount: int | None, settled: int) -> None:
    async with world(tmp_path, **UNPROVABLE) as it:
        task_id = await given_up(it)
        assert await totals(it) == [(0, QUOTED)]
        response = await settle(it, task_id, amount)
        assert response.status_code == 200, response.text
        assert response.json()["charge"]["amount_micros"] == settled
        assert ("written off" in response.json()["message"]) is (settled == 0)
        assert await totals(it) == [(settled, 0)]
        again = await settle(it, task_id, amount)
        assert (again.status_code, again.json()["error"]["code"]) == (409, "not_settled")


async def test_a_written_off_charge_frees_the_budget(tmp_path: Path) -> None:
    async with world(tmp_path, **UNPROVABLE) as it:
        task_id = await given_up(it)
        allowed = {"budgets": [{"amount_micros": 2 * QUOTED - 1, "currency": "USD", "period": "total"}]}
        await it.client.put("/v1/keys/env:first/allowance", json=allowed, headers=it.as_key(ADMIN))
        assert (await asked(it, "seconds=5")).status_code == 403
        assert (await settle(it, task_id, 0)).status_code == 200
        await bought(it, "seconds=5", provider="acedata")


async def test_what_may_still_be_heard_of_is_not_settled(tmp_path: Path) -> None:
    async with world(tmp_path, **UNPROVABLE) as it:
        it.between = unlisted
        for words in ("seconds=20", "create=lost seconds=20"):
            task_id = await bought(it, words, provider="acedata")
            response = await settle(it, task_id, 0)
            assert response.status_code == 409
            assert "may still be heard of" in response.json()["error"]["message"]


async def test_a_late_result_overrides_what_was_said(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced()) as it:
        task_id = await given_up(it, words="create=lost times=1 seconds=1000")
        assert (await settle(it, task_id, 0)).status_code == 200
        await it.settle(120, 5)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        [(settled, in_doubt)] = await totals(it)
        assert (settled, in_doubt) == (500_000, 0)


async def test_without_a_price_it_can_only_be_written_off(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await given_up(it, "apiyi")
        for amount in (None, 5):
            response = await settle(it, task_id, amount)
            assert (response.status_code, response.json()["error"]["code"]) == (409, "not_settled")
        assert (await settle(it, task_id, 0)).status_code == 200


async def test_of_several_open_charges_it_is_said_which(tmp_path: Path) -> None:
    async with world(tmp_path, **UNPROVABLE) as it:
        task_id = await given_up(it, words="create=lost seconds=20")
        again = f"/v1/tasks/{task_id}/send-again"
        assert (await it.client.post(again, json={"confirm": True}, headers=it.as_key(ADMIN))).status_code == 202
        await it.settle(910, 10)
        response = await settle(it, task_id, 0)
        sends = [one["id"] for one in (await record(it, task_id))["placements"]]
        assert response.status_code == 409
        assert all(each in response.json()["error"]["message"] for each in sends)
        assert (await settle(it, task_id, 0, placement=sends[0])).status_code == 200
        assert (await settle(it, task_id, 0, placement="nobody's")).status_code == 409
        assert (await settle(it, task_id, None)).json()["placement"] == sends[1]
        assert await totals(it) == [(QUOTED, 0)]


@pytest.mark.parametrize("amount", [-1, 1.5, "0", True, 10**18 + 1])
async def test_an_amount_that_is_none_is_refused_by_the_fields_name(tmp_path: Path, amount: Any) -> None:
    async with world(tmp_path) as it:
        response = await settle(it, "nobody's", amount)
        assert response.status_code == 400
        assert response.json()["error"]["message"].startswith("amount_micros: ")


async def test_only_the_operator_may(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        assert (await settle(it, "nobody's", 0, key=KEY)).status_code == 403
        assert (await settle(it, "nobody's", 0)).status_code == 404
        assert (await settle(it, "nobody's", 0, placement=7)).status_code == 400


# The verb


async def in_doubt(store: Store) -> Task:
    task = a_task()
    await store.tasks.accept(task, a_placement(task), [], price=Quote("USD", "720P", MICROS, 5 * MICROS))
    doubted = await store.tasks.doubted(task.placement or "", "lost", NOW, NOW)
    assert doubted is not None
    return doubted


async def unproven(store: Store) -> Task:
    doubted = await in_doubt(store)
    assert await store.tasks.record(fail(doubted, OUTCOME_UNKNOWN, NOW, "doubt"), Verdict.UNPROVEN, None)
    return doubted


async def amount(store: Store, task: Task) -> int | None:
    return (await store.charges.of_task(task.id))[task.placement or ""].amount


async def test_a_charge_is_settled_once_and_not_while_it_is_in_doubt(store: Store) -> None:
    living, task = await in_doubt(store), await unproven(store)
    assert await store.decisions.settle(living.placement or "", 0) is None
    settled = await store.decisions.settle(task.placement or "", 7)
    assert settled is not None
    assert settled.amount == await amount(store, task) == 7
    assert await store.decisions.settle(task.placement or "", 8) is None
    assert await store.decisions.settle("nobody's", 8) is None


@pytest.mark.parametrize("how", ["adopted", "accepted", "closed", "denied"])
async def test_what_is_heard_of_it_after_all_opens_or_settles_it(store: Store, how: str) -> None:
    task = await unproven(store)
    placement = task.placement or ""
    assert await store.decisions.settle(placement, 7) is not None
    if how == "adopted":
        await store.doubts.adopted(placement, "up", NOW, NOW)
    elif how == "accepted":
        await store.tasks.accepted(placement, "up", NOW, NOW)
    elif how == "closed":
        await store.placements.closed(placement, Report("up", State.SUCCEEDED, usage=Usage(duration=2)))
    else:
        await store.sends.denied(placement, "HTTP 400", Verdict.REFUSED)
    expected = {"closed": 2 * MICROS, "denied": 0}
    assert await amount(store, task) == expected.get(how)
