"""Whatever happens to whatever is sent: no budget is overspent, and what is shown is the sum of all charges."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import strategies as st

from adapters.messages import Category, Failure, Report, State, Usage
from service.domain.allowances import Allowance, Budget, Limited, Period
from service.domain.ledger import Charge, Quote
from service.domain.tasks import OUTCOME_UNKNOWN, Task, TaskState, Verdict, advance, fail
from service.store import Seat, Store
from service.store import rows as columns_of
from service.store.costs import By
from tests.service.examples import run_examples
from tests.service.nouns import ENGINES, NOW, a_placement, a_task, opened

pytestmark = pytest.mark.anyio
HOUR = 3600 * 1000
BUDGETS = (
    Budget(1000, "USD", Period.DAY),
    Budget(2500, "USD", Period.TOTAL),
    Budget(1500, "CNY", Period.MONTH),
)
PRICES = st.builds(
    Quote, currency=st.sampled_from(("USD", "USD", "USD", "CNY", "EUR")), resolution=st.just("720P"),
    per_second=st.just(10), estimate=st.sampled_from((0, 10, 400, 500, 600, 900, None)),
)  # fmt: skip
EVENTS = st.tuples(
    st.sampled_from(
        (
            "buy",
            "buy",
            "buy",
            "queue",
            "claim",
            "take",
            "succeed",
            "fail",
            "cancel",
            "doubt",
            "give up",
            "defer",
            "late",
        )
    ),
    st.integers(0, 50),
    PRICES,
    st.sampled_from((0, 0, 0, 0, 1, 30)),
    st.floats(0, 1),
)


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


@dataclass
class Story:
    """One client's, with a name of its own: all examples share a store."""

    store: Store
    client: str
    now: int = NOW
    tasks: list[str] = field(default_factory=list)

    async def happens(self, event: str, number: int, price: Quote, hours: int, share: float) -> None:
        self.now += hours * HOUR
        if event in ("buy", "queue"):
            await self._buy(price, waits=event == "queue")
        elif event == "claim":
            await self._claim()
        elif self.tasks:
            task = await self.store.lookups.task(self.tasks[number % len(self.tasks)])
            assert task is not None
            await self._goes_on(event, task, share)

    async def _claim(self) -> None:
        await self.store.sends.claim("acedata", [Seat()], self.now, self.now + HOUR, 200, lambda: str(uuid4()))

    async def _buy(self, price: Quote, *, waits: bool) -> None:
        changes: dict[str, Any] = {"state": TaskState.ACCEPTED, "placement": None, "due_at": self.now} if waits else {}
        task = a_task(client=self.client, created_at=self.now, **changes)
        placement = a_placement(task) if task.placement else None
        try:
            await self.store.tasks.accept(task, placement, [], price=price)
        except Limited:
            return
        self.tasks.append(task.id)

    async def _goes_on(self, event: str, task: Task, share: float) -> None:
        placement, tasks = task.placement or "", self.store.tasks
        if event == "take":
            await tasks.accepted(placement, task.id, self.now, self.now)
        elif event == "defer":
            await self.store.sends.deferred(placement, "HTTP 429", self.now, self.now)
        elif event == "doubt":
            await tasks.doubted(placement, "lost", self.now, self.now)
        elif event == "give up" and task.state is TaskState.IN_DOUBT:
            await tasks.record(fail(task, OUTCOME_UNKNOWN, self.now, "doubt"), Verdict.UNPROVEN, None)
        elif event in ("succeed", "fail", "cancel") and task.state in (TaskState.QUEUED, TaskState.RUNNING):
            await self._ends(task, await self._report(event, task, share), None)
        elif event == "cancel" and task.state is TaskState.ACCEPTED:
            await self._ends(task, Report(task.id, State.CANCELED), None)
        elif event == "late" and task.ended and placement:
            await self._ends(task, await self._report("succeed", task, share), placement)

    async def _report(self, event: str, task: Task, share: float) -> Report:
        if event != "succeed":
            failure = Failure(Category.TRANSIENT, "oops", "?", "flat") if event == "fail" else None
            return Report(task.id, State.CANCELED if event == "cancel" else State.FAILED, failure=failure)
        charge = (await self.store.charges.of_task(task.id))[task.placement or ""]
        usage = Usage(duration=share * (charge.estimate or 0) / 10)  # never above what it was to cost at most
        return Report(task.id, State.SUCCEEDED, video_url="https://x", usage=usage if share > 0.1 else None)

    async def _ends(self, task: Task, report: Report, placement: str | None) -> None:
        if (ended := advance(task, report, self.now, "look")) is not None:
            await self.store.tasks.record(ended, Verdict.ENDED, None, placement)

    async def charges(self) -> list[Charge]:
        sql = f"SELECT {columns_of.columns(Charge)} FROM charges WHERE client = :client"
        found = await self.store._engine.read(lambda tx: tx.all(sql, client=self.client))
        return [Charge(**row) for row in found]


def overspent(charges: list[Charge]) -> list[str]:
    spent: Counter[tuple[Budget, int]] = Counter()
    for charge in charges:
        for budget in (each for each in BUDGETS if each.currency == charge.currency):
            amount = charge.estimate if charge.amount is None else charge.amount
            spent[budget, budget.period.began(charge.at)] += amount or 0
    return [f"{budget}: {amount}" for (budget, _), amount in spent.items() if amount > budget.amount]


async def test_no_budget_is_overspent_and_the_totals_are_the_sum_of_all_charges(store: Store) -> None:
    clients = count()

    async def check(events: list[tuple[str, int, Quote, int, float]]) -> None:
        story = Story(store, f"client-{next(clients)}")
        await store.allowances.keep(Allowance(story.client, budgets=BUDGETS))
        for event in events:
            await story.happens(*event)
            assert not overspent(await story.charges())
        await assert_sums(story)

    await run_examples(st.lists(EVENTS, min_size=20, max_size=40), check, 60)


async def assert_sums(story: Story) -> None:
    charges = await story.charges()
    groups: list[tuple[tuple[By, ...], Callable[[Charge], object]]] = [
        ((), lambda charge: charge.currency),
        ((By.KEY,), lambda charge: (charge.client, charge.currency)),
        ((By.DAY, By.PROVIDER), lambda charge: (charge.at // (24 * HOUR), charge.provider, charge.currency)),
    ]
    for by, key in groups:
        found, totals = await story.store.costs.spent(by, story.client, 0, 2**62)
        assert len(found) == len({key(charge) for charge in charges})
        for sums in (found, totals):
            assert sum(row.settled for row in sums) == sum(each.amount or 0 for each in charges)
            still_open = [each for each in charges if each.amount is None]
            assert sum(row.running + row.in_doubt for row in sums) == sum(each.estimate or 0 for each in still_open)
            assert sum(row.unpriced for row in sums) == sum(each.estimate is None for each in still_open)
