"""What was spent, summed up: on both engines, and as the API tells it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from jsonschema import Draft202012Validator

from adapters.messages import Report, State, Usage
from service.domain.ledger import MICROS, Quote
from service.domain.tasks import OUTCOME_UNKNOWN, Task, TaskState, Verdict, advance, fail
from service.openapi import document
from service.store import Store
from service.store.charges import keep_quote
from service.store.costs import By, Spent
from service.store.engine import Transaction
from service.store.tasks import insert_placement
from tests.service.asking import body_of
from tests.service.nouns import ENGINES, a_placement, a_task, opened
from tests.service.prices import bought, priced
from tests.world import ADMIN, KEY, OTHER_KEY, World, world

pytestmark = pytest.mark.anyio
ALL = 2**62
MIDNIGHT = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


async def sent(store: Store, micros: int | None = MICROS, currency: str = "USD", **changes: Any) -> Task:
    price = Quote(currency, "720P", micros, micros) if micros is not None else Quote()
    task = a_task(**{"created_at": MIDNIGHT} | changes)
    await store.tasks.accept(task, a_placement(task), [], price=price)
    return task


async def paid(store: Store, seconds: float = 1, **how: Any) -> Task:
    task = await sent(store, **how)
    usage = Usage(duration=seconds)
    taken = await store.tasks.accepted(task.placement or "", task.id, MIDNIGHT, MIDNIGHT)
    assert taken is not None
    done = advance(taken, Report("up", State.SUCCEEDED, video_url="https://x", usage=usage), MIDNIGHT, "look")
    assert done is not None
    await store.tasks.record(done, Verdict.ENDED, None)
    return task


async def doubted(store: Store, **how: Any) -> Task:
    task = await sent(store, **how)
    doubt = await store.tasks.doubted(task.placement or "", "lost", MIDNIGHT, MIDNIGHT)
    assert doubt is not None
    return doubt


async def summed(store: Store, *by: By, client: str | None = None, since: int = 0, until: int = ALL) -> list[Spent]:
    return (await store.costs.spent(by, client, since, until))[0]


async def test_settled_running_doubtful_and_unpriced_are_told_apart(store: Store) -> None:
    await paid(store, 0.5)
    await paid(store, 2, micros=2 * MICROS)
    await sent(store, micros=3 * MICROS)
    await doubted(store, micros=5 * MICROS)
    unproven = await doubted(store, micros=7 * MICROS)
    await store.tasks.record(fail(unproven, OUTCOME_UNKNOWN, MIDNIGHT, "doubt"), Verdict.UNPROVEN, None)
    refused = await sent(store, micros=11 * MICROS)
    await store.tasks.record(fail(refused, OUTCOME_UNKNOWN, MIDNIGHT, "send"), Verdict.REFUSED, None)
    await sent(store, micros=None)
    unpriced = await sent(store, micros=None)
    await store.tasks.record(fail(unpriced, OUTCOME_UNKNOWN, MIDNIGHT, "send"), Verdict.REFUSED, None)
    totals = (await store.costs.spent((), None, 0, ALL))[1]
    assert totals == [
        Spent({}, "", tasks=2, settled=0, running=0, in_doubt=0, unpriced=1),
        Spent({}, "USD", 6, settled=4_500_000, running=3 * MICROS, in_doubt=12 * MICROS, unpriced=0),
    ]
    assert await summed(store) == totals


async def test_an_expired_task_is_in_doubt(store: Store) -> None:
    task = await sent(store)
    expired = fail(task, OUTCOME_UNKNOWN, MIDNIGHT, "look", TaskState.FAILED)
    await store.tasks.record(expired, Verdict.ENDED, None)
    [row] = await summed(store)
    assert (row.settled, row.running, row.in_doubt) == (0, 0, MICROS)


async def test_it_is_grouped_by_key_model_provider_and_day_of_utc(store: Store) -> None:
    await paid(store, created_at=MIDNIGHT - 1)
    await paid(store, created_at=MIDNIGHT, model="wan2.7-t2v", provider="dashscope", currency="CNY")
    await paid(store, created_at=MIDNIGHT, client="key_1")
    assert [(row.of, row.currency) for row in await summed(store, By.DAY, By.PROVIDER)] == [
        ({By.DAY: "2026-11-19", By.PROVIDER: "acedata"}, "USD"),
        ({By.DAY: "2026-11-20", By.PROVIDER: "acedata"}, "USD"),
        ({By.DAY: "2026-11-20", By.PROVIDER: "dashscope"}, "CNY"),
    ]
    assert [row.of[By.KEY] for row in await summed(store, By.KEY)] == ["env:first", "env:first", "key_1"]
    assert {row.of[By.MODEL]: row.tasks for row in await summed(store, By.MODEL)} == {"wan2.6-t2v": 2, "wan2.7-t2v": 1}


async def test_a_task_that_was_sent_twice_is_one_task(store: Store) -> None:
    task = await sent(store)
    await store.sends.deferred(task.placement or "", "HTTP 429", MIDNIGHT, MIDNIGHT)
    again = a_placement(task, id=str(uuid4()), provider="dashscope")

    def elsewhere(tx: Transaction) -> None:
        keep_quote(tx, task.id, "dashscope", Quote("USD", "720P", 5, 5))
        insert_placement(tx, again)

    await store._engine.write(elsewhere)
    assert [(row.tasks, row.settled, row.running) for row in await summed(store)] == [(1, 0, 5)]
    assert [row.tasks for row in await summed(store, By.PROVIDER)] == [1, 1]


async def test_the_times_are_from_and_before(store: Store) -> None:
    await paid(store, created_at=MIDNIGHT - 1)
    await paid(store, created_at=MIDNIGHT)
    assert [row.tasks for row in await summed(store, since=MIDNIGHT)] == [1]
    assert [row.tasks for row in await summed(store, until=MIDNIGHT)] == [1]
    assert await summed(store, since=MIDNIGHT + 1) == []


async def asked(it: World, query: str = "", key: str = ADMIN, status: int = 200) -> Any:
    reply = await it.client.get(f"/v1/cost{query}", headers=it.as_key(key))
    assert reply.status_code == status, reply.text
    return reply.json()


async def test_a_client_sees_its_own_and_the_operator_everybodys(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced()) as it:
        await bought(it)
        await bought(it, key=OTHER_KEY, seconds=10)
        await it.settle(60)
        own = await asked(it, "?by=key", KEY)
        assert [(row["key"], row["name"], row["settled_micros"]) for row in own["rows"]] == [
            ("env:first", "first", 500_000)
        ]
        assert (await asked(it, "?client=env:first", KEY))["totals"] == own["totals"]
        assert "admin token" in (await asked(it, "?client=env:second", KEY, 403))["error"]["message"]
        assert [row["key"] for row in (await asked(it, "?by=key"))["rows"]] == ["env:first", "env:second"]
        assert (await asked(it, "?client=env:second"))["totals"][0]["settled_micros"] == 1_000_000
        assert (await asked(it))["totals"][0]["settled_micros"] == 1_500_000


async def test_a_key_of_the_database_has_its_name(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced()) as it:
        made = (await it.client.post("/v1/keys", json={"name": "studio"}, headers=it.as_key(ADMIN))).json()
        await bought(it, key=made["key"])
        [row] = (await asked(it, "?by=key"))["rows"]
        assert (row["key"], row["name"]) == (made["id"], "studio")


async def test_it_is_what_the_document_promises(tmp_path: Path) -> None:
    described = document()
    reply = described["paths"]["/v1/cost"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    async with world(tmp_path, catalogue=priced()) as it:
        await bought(it)
        await it.client.post("/wan/videos", json=body_of("flat") | {"model": "wan2.7-t2v", "size": "1280*720"})
        told = await asked(it, "?by=key,model,provider,day&since=7d")
        Draft202012Validator({**reply, "components": described["components"]}).validate(told)
        assert told["by"] == ["key", "model", "provider", "day"]
        assert len(told["rows"]) == 2
        today = datetime.fromtimestamp(it.clock() / 1000, UTC).date().isoformat()
        assert {row["day"] for row in told["rows"]} == {today}
        assert (await asked(it, f"?until={today}"))["totals"] == []
        assert len((await asked(it, f"?since={today}"))["totals"]) == 2


@pytest.mark.parametrize("query", ["?by=week", "?by=day,day", "?since=yesterday", "?until=x"])
async def test_what_cannot_be_asked_is_told_by_name(tmp_path: Path, query: str) -> None:
    async with world(tmp_path) as it:
        message = (await asked(it, query, status=400))["error"]["message"]
        assert message.startswith(query[1:].partition("=")[0] + ": ")
