"""What the verbs that delete for age take, and what they leave, on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.messages import Report, State
from service.domain.deliveries import Attempt, Delivery, DeliveryState
from service.domain.event_log import Event
from service.domain.ledger import Quote
from service.domain.replays import Replay, ReplayState, Selection
from service.domain.tasks import OUTCOME_UNKNOWN, Task, TaskState, Verdict, advance, fail
from service.store import Store
from service.store.costs import By
from service.store.event_log import write_event
from service.store.lookups import NEWEST
from tests.service.nouns import ENGINES, NOW, a_message, a_placement, a_subscription, a_task, latest, opened

pytestmark = pytest.mark.anyio
PRICE = Quote("USD", "720P", 100_000, 500_000)
OLD, NEW = NOW, NOW + 1_000_000
BEFORE = NOW + 500_000
BEGINNING = (-1, "")
VIDEO = Report("up", State.SUCCEEDED, video_url="https://media.example.com/a.mp4")


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


async def finished(
    store: Store, now: int = OLD, state: DeliveryState = DeliveryState.DELIVERED, **changes: Any
) -> tuple[Task, Delivery]:
    """A task with a bit of everything, which ended at `now`; and its delivery, which was tried once."""
    task = a_task(created_at=now, updated_at=now, **changes)
    await store.tasks.accept(task, a_placement(task), [subscription := a_subscription(task)], price=PRICE)
    await store.tasks.accepted(task.placement or "", f"up-{task.id}", now, now + 5000)
    await store.placements.keep_callback(task.placement or "", "digest", b"{}", None, now)
    moved = advance(await latest(store, task), VIDEO, now, "look")
    assert moved is not None
    message = a_message(task, subscription, created_at=now, due_at=None)
    assert await store.tasks.record(moved, Verdict.ENDED, lambda _: message, settle=lambda *_: 500_000)
    await store._engine.write(lambda tx: write_event(tx, Event(task.id, task.client, "task.succeeded", now, b"{}")))
    await store.deliveries.attempted(message, Attempt(message.id, 1, now, 12, "any", "any"), state, None)
    change = "UPDATE deliveries SET state = :state WHERE id = :id"
    await store._engine.write(lambda tx: tx.run(change, id=message.id, state=state))
    return await latest(store, task), message


async def rows_of(store: Store, table: str) -> int:
    row = await store._engine.read(lambda tx: tx.one(f"SELECT count(*) AS rows FROM {table}"))
    assert row is not None
    count: int = row["rows"]
    return count


async def forgotten(store: Store, limit: int = 100) -> int:
    """How many tasks were deleted."""
    count, after = 0, BEGINNING
    while found := await store.retention.ended(BEFORE, after, limit):
        count, after = count + await store.retention.forget([task for _, task in found]), found[-1]
    return count


async def test_old_bodies_go_and_their_deliveries_stay(store: Store) -> None:
    (_, old), (_, new) = await finished(store), await finished(store, NEW)
    assert await store.retention.prune_bodies(BEFORE, 100) == 3  # a delivery's, a callback's and an event's
    assert await store.retention.prune_bodies(BEFORE, 100) == 0
    pruned, kept = [await store.deliveries.get(one.id, None) for one in (old, new)]
    assert pruned is not None
    assert kept is not None
    assert (pruned.body, kept.body) == (b"", new.body)
    assert len(await store.deliveries.attempts(old.id)) == 1
    assert (await rows_of(store, "callbacks"), await rows_of(store, "events")) == (1, 1)


async def test_what_is_still_to_be_delivered_keeps_its_body_and_its_attempts(store: Store) -> None:
    _, pending = await finished(store, state=DeliveryState.PENDING)
    await store.retention.prune_bodies(BEFORE, 100)
    assert await store.retention.prune_attempts(BEFORE, 100) == 0
    assert await forgotten(store) == 0
    kept = await store.deliveries.get(pending.id, None)
    assert kept is not None
    assert kept.body == pending.body


async def test_a_callback_of_a_send_that_is_at_work_stays(store: Store) -> None:
    task = a_task(created_at=OLD)
    await store.tasks.accept(task, a_placement(task), [])
    await store.placements.keep_callback(task.placement or "", "digest", b"{}", None, OLD)
    running = Event(task.id, task.client, "task.running", OLD, b"{}")
    await store._engine.write(lambda tx: write_event(tx, running))
    assert await store.retention.prune_bodies(BEFORE, 100) == 0


async def test_old_attempts_go_and_are_still_counted(store: Store) -> None:
    (_, old), (_, new) = await finished(store), await finished(store, NEW)
    assert await store.retention.prune_attempts(BEFORE, 100) == 1
    assert await store.retention.prune_attempts(BEFORE, 100) == 0
    assert [len(await store.deliveries.attempts(one.id)) for one in (old, new)] == [0, 1]
    kept = await store.deliveries.get(old.id, None)
    assert kept is not None
    assert kept.attempts == 1


async def test_replays_that_ended_long_ago_go_with_what_they_were_about(store: Store) -> None:
    await finished(store)
    for number, now in enumerate((OLD, NEW)):
        replay = Replay(f"rpl_{number}", "", Selection(), False, 50, ReplayState.COLLECTING, now, due_at=now)
        await store.replays.begin(replay)
        await store.replays.collect(replay.id, now, 10)
        await store.replays.cancel(replay.id, None, now)
    assert await store.retention.prune_attempts(BEFORE, 100) == 3  # an attempt, an item, and a replay
    assert [one.id for one in await store.replays.recent(None, NEWEST, 9)] == ["rpl_1"]
    assert await rows_of(store, "replay_items") == 1


async def test_an_old_task_goes_with_everything_but_what_it_cost(store: Store) -> None:
    (old, _), (new, _) = await finished(store), await finished(store, NEW)
    spent = await store.costs.spent([By.KEY, By.MODEL, By.DAY], None, 0, NOW * 2)
    assert await forgotten(store) == 1
    assert await store.lookups.task(old.id) is None
    assert await store.lookups.task(new.id) == new
    tables = ("placements", "subscriptions", "deliveries", "attempts", "callbacks", "quotes", "events")
    assert [await rows_of(store, table) for table in tables] == [1] * len(tables)
    assert await store.costs.spent([By.KEY, By.MODEL, By.DAY], None, 0, NOW * 2) == spent
    assert await forgotten(store) == 0


@pytest.mark.parametrize("limit", [1, 2, 10])
async def test_batches_of_any_size_forget_each_task_once(store: Store, limit: int) -> None:
    for number in range(5):
        await finished(store, OLD + number // 2)
    assert await forgotten(store, limit) == 5


async def test_what_has_not_ended_or_may_have_been_billed_is_never_forgotten(store: Store) -> None:
    at_work = a_task(created_at=OLD)
    await store.tasks.accept(at_work, a_placement(at_work), [], price=PRICE)
    waiting = a_task(created_at=OLD, state=TaskState.ACCEPTED, placement=None, due_at=OLD)
    await store.tasks.accept(waiting, None, [])
    doubtful = a_task(created_at=OLD)
    await store.tasks.accept(doubtful, a_placement(doubtful), [], price=PRICE)
    await store.tasks.doubted(doubtful.placement or "", "lost", OLD, OLD)
    given_up = fail(await latest(store, doubtful), OUTCOME_UNKNOWN, OLD, "doubt")
    assert await store.tasks.record(given_up, Verdict.UNPROVEN, None)
    assert await forgotten(store) == 0
    assert await store.retention.forget([at_work.id, waiting.id, doubtful.id]) == 0
    assert len(await store.lookups.tasks(None, "", NEWEST, 9)) == 3


async def test_no_batch_takes_more_than_its_share(store: Store) -> None:
    for _ in range(3):
        await finished(store)
    assert [await store.retention.prune_bodies(BEFORE, 4) for _ in range(4)] == [4, 4, 1, 0]
    assert [await store.retention.prune_attempts(BEFORE, 2) for _ in range(3)] == [2, 1, 0]
