"""What is left of a task that was expunged, on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.messages import Listing, Report, State
from service.domain.deliveries import Attempt, Delivery, DeliveryState
from service.domain.ledger import Quote
from service.domain.tasks import OUTCOME_UNKNOWN, Task, TaskState, Verdict, advance, fail
from service.errors import Refused
from service.store import Store
from service.store.costs import By
from service.store.lookups import NEWEST
from tests.service.nouns import (
    ENGINES,
    NOW,
    a_message,
    a_placement,
    a_subscription,
    a_task,
    a_watched,
    due_now,
    latest,
    opened,
    placement_of,
)

pytestmark = pytest.mark.anyio
PRICE = Quote("USD", "720P", 100_000, 500_000)
VIDEO = Report("up", State.SUCCEEDED, video_url="https://media.example.com/secret.mp4")
TABLES = ("subscriptions", "deliveries", "attempts", "events", "callbacks", "quotes")


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


async def finished(store: Store, **changes: object) -> tuple[Task, Delivery]:
    """A task that succeeded, was called back for, was told once in vain, and is settled."""
    task = a_task(**{"metadata": {"order": 7}, "idempotency_key": "key-1", "digest": "d"} | changes)
    await store.tasks.accept(task, a_placement(task), [subscription := a_subscription(task)], price=PRICE)
    await store.tasks.accepted(task.placement or "", f"up-{task.id}", NOW, NOW + 5000)
    await store.placements.keep_callback(task.placement or "", "digest", b"{}", None, NOW)
    moved = advance(await latest(store, task), VIDEO, NOW + 9, "look")
    assert moved is not None
    message = a_message(task, subscription)
    assert await store.tasks.record(moved, Verdict.ENDED, lambda _: message, settle=lambda *_: 500_000)
    [claimed] = await due_now(store, NOW + 9, NOW + 60_000)
    attempt = Attempt(message.id, 1, NOW, 12, "bad_status", "answered 500", 500)
    await store.deliveries.attempted(claimed, attempt, DeliveryState.EXHAUSTED, None)
    return await latest(store, task), claimed


async def counts(store: Store) -> dict[str, int]:
    def verb(tx):
        return {table: tx.one(f"SELECT count(*) AS rows FROM {table}")["rows"] for table in TABLES}

    return await store._engine.read(verb)


async def test_everything_that_it_was_about_goes_and_what_it_cost_stays(store: Store) -> None:
    task, _ = await finished(store)
    spent = await store.costs.spent([By.KEY, By.PROVIDER], None, 0, NOW * 2)
    assert all(rows > 0 for name, rows in (await counts(store)).items() if name != "events")
    assert await store.expunging.expunge(task.id, "env:first", NOW + 99) == task
    assert set((await counts(store)).values()) == {0}
    placement = await placement_of(store, task)
    assert (placement.outcome, placement.reason, placement.credential) == (None, None, None)
    assert (placement.upstream_id, placement.verdict) == (f"up-{task.id}", Verdict.ENDED)
    row = await store._engine.read(lambda tx: tx.one("SELECT * FROM tasks"))
    assert row is not None
    assert (row["metadata"], row["outcome"], row["expunged_at"]) == (None, None, NOW + 99)
    assert "cat" not in str(row)
    assert await store.costs.spent([By.KEY, By.PROVIDER], None, 0, NOW * 2) == spent
    assert await store.doubts.strangers("acedata", [f"up-{task.id}", "new"]) == {"new"}


async def test_to_everybody_it_is_unknown(store: Store) -> None:
    task, delivery = await finished(store)
    await store.expunging.expunge(task.id, None, NOW)
    assert await store.lookups.task(task.id) is None
    assert await store.lookups.tasks(None, "", NEWEST, 10) == []
    assert await store.lookups.listing(Listing(), (), None) == ([], 0)
    assert await store.deliveries.get(delivery.id, None) is None
    assert await store.deliveries.replay(delivery.id, None, NOW) is None
    assert await store.tasks.subscribe(a_subscription(task), None, a_message) is None
    assert await store.watches.task_of("acedata", f"up-{task.id}") is None
    assert await store.expunging.expunge(task.id, None, NOW) is None


async def test_a_create_that_repeats_it_is_not_sent_again(store: Store) -> None:
    task, _ = await finished(store)
    await store.expunging.expunge(task.id, None, NOW)
    again = a_task(idempotency_key="key-1", digest="d", created_at=NOW + 1)
    with pytest.raises(Refused, match="expunged, so nothing was sent"):
        await store.tasks.accept(again, a_placement(again), [])
    twin, _ = await finished(store, idempotency_key=None)
    await store.expunging.expunge(twin.id, None, NOW)
    again = replace(again, idempotency_key=None)
    with pytest.raises(Refused, match="expunged"):
        await store.tasks.accept(again, a_placement(again), [], waits=lambda _: False)
    assert await store.lookups.tasks(None, "", NEWEST, 10) == []


async def test_what_has_not_ended_stays(store: Store) -> None:
    task = a_task()
    await store.tasks.accept(task, a_placement(task), [a_subscription(task)])
    assert await store.expunging.expunge(task.id, "env:second", NOW) is None
    assert await store.expunging.expunge(task.id, "env:first", NOW) == task
    assert await latest(store, task) == task
    assert (await counts(store))["subscriptions"] == 1


async def test_nothing_that_is_on_its_way_brings_it_back(store: Store) -> None:
    """A look, a callback and an attempt that were under way when the task was expunged."""
    task, delivery = await finished(store)
    placement = await placement_of(store, task)
    stale = fail(replace(task, state=TaskState.RUNNING), OUTCOME_UNKNOWN, NOW, "look")
    await store.expunging.expunge(task.id, None, NOW)
    assert not await store.tasks.record(stale, Verdict.ENDED, lambda one: a_message(task, one))
    await store.placements.closed(placement.id, VIDEO)
    assert (await placement_of(store, task)).outcome is None
    assert await store.placements.keep_callback(placement.id, "late", b"prompt", None, NOW) is None
    attempt = Attempt(delivery.id, 2, NOW, 12, "delivered", "answered 204", 204)
    await store.deliveries.attempted(delivery, attempt, DeliveryState.DELIVERED, NOW)
    assert set((await counts(store)).values()) == {0}


async def test_a_send_in_doubt_is_not_waited_for_any_more_and_its_money_stays_in_doubt(store: Store) -> None:
    task = a_task()
    await store.tasks.accept(task, a_placement(task), [], price=PRICE)
    await store.tasks.doubted(task.placement or "", "lost", NOW, NOW)
    given_up = fail(await latest(store, task), OUTCOME_UNKNOWN, NOW, "doubt")
    assert await store.tasks.record(given_up, Verdict.UNPROVEN, None)
    await store.expunging.expunge(task.id, None, NOW)
    placement = await placement_of(store, task)
    assert (placement.verdict, placement.due_at, placement.doubt_at) == (Verdict.ENDED, None, None)
    [total] = (await store.costs.spent([], None, 0, NOW * 2))[1]
    assert (total.settled, total.in_doubt) == (0, 500_000)


async def test_a_watched_task_that_was_expunged_can_be_watched_anew(store: Store) -> None:
    task, placement = a_watched(upstream_id="theirs")
    assert await store.watches.watch(task, placement, [], a_message) is None
    video = advance(task, VIDEO, NOW, "look")
    assert video is not None
    assert await store.tasks.record(video, Verdict.ENDED, None)
    await store.expunging.expunge(task.id, None, NOW)
    anew, again = a_watched(upstream_id="theirs")
    assert await store.watches.watch(anew, again, [], a_message) is None
    assert await latest(store, anew) == anew
