"""What the verbs of allowances promise, on both engines: budgets hold, whoever creates at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from adapters.messages import Category, Failure, Report, State
from service.domain.allowances import UNLIMITED, Allowance, Budget, Limited, Period
from service.domain.ledger import MICROS, UNPRICED, Quote
from service.domain.tasks import OUTCOME_UNKNOWN, Task, TaskState, Verdict, advance, fail
from service.store import Seat, Store
from tests.service.nouns import ENGINES, NOW, a_placement, a_task, opened

pytestmark = pytest.mark.anyio
DOLLAR = Quote("USD", "720P", 200_000, 1 * MICROS)
DAY = 24 * 3600 * 1000


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


async def allow(store: Store, amount: int = 10, period: Period = Period.TOTAL, currency: str = "USD") -> None:
    budget = Budget(amount * MICROS, currency, period)
    await store.allowances.keep(Allowance("env:first", budgets=(budget,)))


async def buy(store: Store, price: Quote = DOLLAR, **changes: Any) -> Task:
    task = a_task(**changes)
    placement = a_placement(task) if task.placement else None
    await store.tasks.accept(task, placement, [], price=price)
    return task


async def spent(store: Store, now: int = NOW, **moving: Any) -> tuple[int, ...]:
    return (await store.allowances.standing("env:first", now, **moving)).spent


async def test_an_allowance_comes_back_as_it_was_kept(store: Store) -> None:
    budgets = (Budget(1, "USD", Period.DAY), Budget(2, "CNY", Period.TOTAL))
    allowance = Allowance("env:first", ("acedata",), ("wan2.7-t2v", "漢"), watch=True, budgets=budgets)
    await store.allowances.keep(Allowance("open", models=()))
    await store.allowances.keep(Allowance("env:first"))
    await store.allowances.keep(allowance)
    assert await store.allowances.of("env:first") == allowance
    assert await store.allowances.of("open") == Allowance("open", models=())
    assert await store.allowances.of("nobody") == Allowance("nobody")
    assert list(await store.allowances.all()) == ["env:first", "open"]
    assert await store.allowances.standing("nobody", NOW) == UNLIMITED


async def test_fifty_creates_at_once_spend_a_budget_for_ten_and_no_more(store: Store) -> None:
    await allow(store, 10)
    ends = await asyncio.gather(*(buy(store) for _ in range(50)), return_exceptions=True)
    assert Counter(type(end) for end in ends) == {Task: 10, Limited: 40}
    assert await spent(store) == (10 * MICROS,)
    assert len(await store.lookups.tasks(None, "", (2**62, ""), 100)) == 10, "of a refused one nothing is kept"


async def test_tasks_that_wait_to_be_sent_have_their_money_reserved(store: Store) -> None:
    await allow(store, 2)
    for _ in range(2):
        await buy(store, state=TaskState.ACCEPTED, placement=None, due_at=NOW)
    with pytest.raises(Limited):
        await buy(store)
    assert await spent(store) == (2 * MICROS,)
    await store.sends.claim("acedata", [Seat()], NOW, NOW + 1, 10, lambda: str(uuid4()))
    assert await spent(store) == (2 * MICROS,), "sent now: the charge in the place of the reservation"
    with pytest.raises(Limited):
        await buy(store)


async def test_a_deferred_task_keeps_its_money(store: Store) -> None:
    await allow(store, 1)
    task = await buy(store)
    await store.sends.deferred(task.placement or "", "HTTP 429", NOW, NOW)
    assert await spent(store) == (1 * MICROS,)
    with pytest.raises(Limited):
        await buy(store)
    [(again, _)] = await store.sends.claim("acedata", [Seat()], NOW, NOW + 1, 10, lambda: str(uuid4()))
    assert await spent(store) == (1 * MICROS,)
    assert sorted(one.amount is None for one in (await store.charges.of_task(again.id)).values()) == [False, True]


@pytest.mark.parametrize("verdict", [Verdict.REFUSED, Verdict.NOT_ACCEPTED, Verdict.ENDED])
async def test_a_failure_frees_the_money(store: Store, verdict: Verdict) -> None:
    await allow(store, 1)
    task = await buy(store)
    await store.tasks.record(fail(task, Failure(Category.CONTENT, "no", "?", "flat"), NOW, "look"), verdict, None)
    assert await spent(store) == (0,)
    await buy(store)


async def test_a_canceled_task_that_waited_frees_it_too(store: Store) -> None:
    await allow(store, 1)
    task = await buy(store, state=TaskState.ACCEPTED, placement=None, due_at=NOW)
    canceled = advance(task, Report(task.id, State.CANCELED), NOW, "cancel")
    assert canceled is not None
    await store.tasks.record(canceled, Verdict.ENDED, None)
    assert await spent(store) == (0,)


async def test_a_doubt_keeps_the_money(store: Store) -> None:
    await allow(store, 1)
    task = await buy(store)
    doubted = await store.tasks.doubted(task.placement or "", "lost", NOW, NOW)
    assert doubted is not None
    assert await spent(store) == (1 * MICROS,)
    await store.tasks.record(fail(doubted, OUTCOME_UNKNOWN, NOW, "doubt"), Verdict.UNPROVEN, None)
    assert await spent(store) == (1 * MICROS,)
    with pytest.raises(Limited):
        await buy(store)


async def test_canceling_a_task_that_waits_again_does_not_settle_an_earlier_doubt(store: Store) -> None:
    await allow(store, 5)
    task = await buy(store)
    doubted = await store.tasks.doubted(task.placement or "", "lost", NOW, NOW)
    assert doubted is not None
    unproven = fail(doubted, OUTCOME_UNKNOWN, NOW, "doubt")
    await store.tasks.record(unproven, Verdict.UNPROVEN, None)
    sql = "UPDATE tasks SET state = 'ACCEPTED', due_at = :now WHERE id = :id"  # as if sent again by the operator
    await store._engine.write(lambda tx: tx.run(sql, id=task.id, now=NOW))
    assert await spent(store) == (2 * MICROS,), "the doubt, and the send to come"
    waiting = await store.lookups.task(task.id)
    assert waiting is not None
    canceled = advance(waiting, Report(task.id, State.CANCELED), NOW, "cancel")
    assert canceled is not None
    assert await store.tasks.record(canceled, Verdict.ENDED, None)
    assert await spent(store) == (1 * MICROS,)
    [placement] = await store.lookups.placements(task.id)
    assert placement.verdict is Verdict.UNPROVEN, "a late callback may still prove it"


async def test_a_task_that_moves_to_another_provider_is_not_counted_twice(store: Store) -> None:
    await allow(store, 2)
    task = await buy(store)
    await buy(store)
    assert await spent(store) == (2 * MICROS,)
    assert await spent(store, moving=task) == (1 * MICROS,)


async def test_other_clients_and_currencies_do_not_count(store: Store) -> None:
    await allow(store, 1)
    await buy(store, client="env:second")
    await buy(store, client="env:second", price=Quote("CNY", "720P", 1, 5))
    await buy(store)
    assert await spent(store) == (1 * MICROS,)
    with pytest.raises(Limited):
        await buy(store, price=Quote("CNY", "720P", 1, 5))
    with pytest.raises(Limited):
        await buy(store, price=UNPRICED)
    await buy(store, client="env:second", price=UNPRICED)


@pytest.mark.parametrize("period", [Period.DAY, Period.MONTH])
async def test_a_new_period_has_its_whole_budget(store: Store, period: Period) -> None:
    await allow(store, 1, period)
    began = period.began(NOW)
    last = began - 1
    await buy(store, created_at=last)
    with pytest.raises(Limited):
        await buy(store, created_at=last)
    await buy(store, created_at=began)
    assert await spent(store, began) == (1 * MICROS,)
    with pytest.raises(Limited):
        await buy(store, created_at=began)


async def test_what_was_allowed_before_goes_on_when_a_budget_is_lowered(store: Store) -> None:
    await allow(store, 5)
    task = await buy(store)
    await allow(store, 0)
    await store.sends.deferred(task.placement or "", "HTTP 429", NOW, NOW)
    assert len(await store.sends.claim("acedata", [Seat()], NOW, NOW + 1, 10, lambda: str(uuid4()))) == 1


async def test_a_repeated_create_is_told_its_task_though_the_budget_is_spent(store: Store) -> None:
    await allow(store, 1)
    first = await buy(store, idempotency_key="order-7")
    again = a_task(idempotency_key="order-7")
    assert await store.tasks.accept(again, a_placement(again), [], price=DOLLAR) == (first, None)


async def test_what_was_promised_is_paid_from_the_budget_of_that_time(store: Store) -> None:
    """A task that is sent again on the next day takes nothing from those that are submitted then."""
    await allow(store, 1, Period.DAY)
    began = Period.DAY.began(NOW)
    task = await buy(store, created_at=began - 1)
    await store.sends.deferred(task.placement or "", "HTTP 429", began, began)
    assert await spent(store, began) == (0,)
    await buy(store, created_at=began)
    assert len(await store.sends.claim("acedata", [Seat()], began, began + 1, 10, lambda: str(uuid4()))) == 1
    assert (await spent(store, began - 1), await spent(store, began)) == ((1 * MICROS,), (1 * MICROS,))
