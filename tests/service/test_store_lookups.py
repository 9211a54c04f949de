"""Reading back, the queues as a whole, and keys, on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.messages import Listing
from service.domain.deliveries import Attempt, DeliveryState
from service.domain.tasks import OUTCOME_UNKNOWN as UNKNOWN
from service.domain.tasks import Task, TaskState, Verdict, fail
from service.store import Key, Queue, Seat, Store
from service.store.lookups import NEWEST
from tests.service.nouns import (
    ENGINES,
    NOW,
    a_message,
    a_placement,
    a_subscription,
    a_task,
    due_now,
    kept,
    next_lane_at,
    opened,
    placement_of,
    queued,
)

pytestmark = pytest.mark.anyio


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


async def ended(store: Store, **changes: Any) -> Task:
    """A task whose one subscription is to be told of its end."""
    task = await kept(store, **changes)
    failed = fail(task, UNKNOWN, NOW, "doubt")
    await store.tasks.record(failed, Verdict.UNPROVEN, lambda each: a_message(task, each))
    return failed


async def test_a_task_is_shown_to_its_client_and_to_the_operator_only(store: Store) -> None:
    task = await kept(store, client="env:first")
    assert await store.lookups.task(task.id, "env:first") == task
    assert await store.lookups.task(task.id, None) == task
    assert await store.lookups.task(task.id, "env:second") is None
    assert await store.lookups.task("nobody's") is None


async def test_several_tasks_come_in_the_order_asked_for_without_strangers(store: Store) -> None:
    tasks = [await kept(store) for _ in range(3)]
    foreign = await kept(store, client="env:second")
    asked = [tasks[2].id, foreign.id, tasks[0].id, "unknown"]
    assert await store.lookups.tasks_by_id(asked, "env:first") == [tasks[2], tasks[0]]
    assert await store.lookups.tasks_by_id([], "env:first") == []


async def test_tasks_are_listed_newest_first(store: Store) -> None:
    tasks = [await kept(store, created_at=NOW + age, updated_at=NOW) for age in (1, 3, 2)]
    await kept(store, client="env:second")
    listed = await store.lookups.tasks("env:first", "", NEWEST, 10)
    assert listed == [tasks[1], tasks[2], tasks[0]]
    assert await store.lookups.tasks("env:first", TaskState.RUNNING, NEWEST, 10) == []
    assert len(await store.lookups.tasks(None, TaskState.SUBMITTING, NEWEST, 10)) == 4


async def test_pages_leave_out_no_task_of_the_same_millisecond(store: Store) -> None:
    made = {(await kept(store)).id for _ in range(7)}
    seen, before = [], NEWEST
    while page := await store.lookups.tasks("env:first", "", before, 2):
        seen += [task.id for task in page]
        before = (page[-1].created_at, page[-1].id)
    assert sorted(seen) == sorted(made)


async def test_pages_leave_out_no_delivery_of_the_same_millisecond(store: Store) -> None:
    made = {(await ended(store)).id for _ in range(5)}
    seen, before = [], NEWEST
    while page := await store.deliveries.recent("env:first", "", "", before, 2):
        seen += [delivery.task for delivery in page]
        before = (page[-1].created_at, page[-1].id)
    assert sorted(seen) == sorted(made)


async def test_a_filtered_list_says_how_many_match_altogether(store: Store) -> None:
    tasks = [await kept(store, created_at=NOW + number) for number in range(5)]
    await kept(store, client="env:second")
    other = await queued(store, model="wan2.7-t2v", service="")
    page = Listing(offset=1, limit=2, model="wan2.6-t2v", since=NOW, until=NOW + 4)
    assert await store.lookups.listing(page, (), "env:first") == ([tasks[3], tasks[2]], 5)
    assert await store.lookups.listing(Listing(service="wan", offset=9), (), None) == ([], 6)
    assert await store.lookups.listing(Listing(), [TaskState.QUEUED], None) == ([other], 1)
    assert await store.lookups.listing(Listing(task_id=tasks[0].id), (), "env:first") == ([tasks[0]], 1)
    assert await store.lookups.listing(Listing(since=NOW + 1, until=NOW + 3), (), None) == (tasks[3:0:-1], 3)


async def test_a_tasks_sends_and_subscriptions_are_listed_in_their_order(store: Store) -> None:
    task = a_task()
    subscriptions = [a_subscription(task, created_at=NOW + age) for age in (2, 1)]
    await store.tasks.accept(task, a_placement(task), subscriptions)
    await store.sends.deferred(task.placement or "", "HTTP 429", NOW, NOW + 5)
    [(_, again)] = await store.sends.claim("acedata", [Seat()], NOW + 5, NOW + 10, 1, lambda: "second")
    assert [one.id for one in await store.lookups.placements(task.id)] == [task.placement, again.id]
    assert await store.lookups.subscriptions(task.id) == subscriptions[::-1]
    assert await store.lookups.placement("unknown") is None


async def test_each_queue_says_when_its_next_row_is_due(store: Store) -> None:
    for queue in Queue:
        assert await store.queues.next_due(queue, "acedata") is None
    assert await next_lane_at(store) is None
    await store.tasks.accept(a_task(state=TaskState.ACCEPTED, placement=None, due_at=NOW + 1), None, [])
    await queued(store, look_at=NOW + 2)
    await queued(store, look_at=NOW, provider="dashscope")
    doubtful = await kept(store)
    await store.tasks.doubted(doubtful.placement or "", "lost", NOW, NOW + 3)
    await ended(store)
    assert await store.sends.waiting("acedata", [Seat()]) == (NOW + 1, {""})
    assert await store.sends.waiting("dashscope", [Seat()]) == (None, set())
    assert await store.queues.next_due(Queue.LOOKS, "acedata") == NOW + 2
    assert await store.queues.next_due(Queue.LOOKS, "dashscope") == NOW
    assert await store.queues.next_due(Queue.DOUBTS) == NOW + 3
    assert await next_lane_at(store) == NOW


async def test_what_a_dead_server_had_in_hand_is_due_at_once(store: Store) -> None:
    sending = await kept(store)
    looked = await queued(store, look_at=NOW)
    later = await queued(store, look_at=NOW + 50_000)
    await ended(store)
    await store.placements.claim_looks("acedata", NOW, NOW + 60_000, 10)
    [delivery] = await due_now(store, NOW, NOW + 60_000)
    await store.queues.void_leases(NOW + 7)
    assert (await placement_of(store, sending)).doubt_at == NOW + 7
    assert (await placement_of(store, looked)).due_at == NOW + 7
    assert (await placement_of(store, later)).due_at == NOW + 50_000
    [again] = await due_now(store, NOW + 7, NOW + 60_000)
    assert (again.id, again.attempts) == (delivery.id, 0)


async def test_a_delivery_that_waits_for_its_schedule_is_not_hurried_by_a_restart(store: Store) -> None:
    await ended(store)
    [claimed] = await due_now(store, NOW, NOW + 60_000)
    attempt = Attempt(claimed.id, 1, NOW, 5, "bad_status", "answered 500", 500, next_at=NOW + 30_000)
    await store.deliveries.attempted(claimed, attempt, DeliveryState.PENDING, None)
    await store.queues.void_leases(NOW + 7)
    assert await next_lane_at(store) == NOW + 30_000


async def test_a_key_is_found_by_its_hash_until_it_is_revoked(store: Store) -> None:
    assert not await store.keys.any()
    key = Key("key_1", "blog", "hash-1", b"\x00sealed\xff", NOW, callback_url="https://hook.example.com/")
    assert await store.keys.create(key)
    assert await store.keys.any()
    assert await store.keys.find("hash-1") == key
    assert await store.keys.find("hash-2") is None
    assert await store.keys.revoke("key_1", NOW + 1)
    assert not await store.keys.revoke("key_1", NOW + 2)
    assert await store.keys.find("hash-1") is None
    revoked = await store.keys.get("key_1")
    assert revoked is not None
    assert revoked.revoked_at == NOW + 1
    assert await store.keys.any()  # open mode does not come back


async def test_the_same_key_is_not_made_twice(store: Store) -> None:
    assert await store.keys.create(Key("key_1", "blog", "hash-1", b"sealed", NOW))
    assert not await store.keys.create(Key("key_2", "shop", "hash-1", b"sealed", NOW))
    assert await store.keys.create(Key("key_0", "blog", "hash-2", b"sealed", NOW))
    assert [key.id for key in await store.keys.list()] == ["key_0", "key_1"]


async def test_an_operator_event_that_goes_on_is_one_row_that_counts(store: Store) -> None:
    hour = 3_600_000
    assert await store.events.note("submission.in_doubt", "t", NOW, {"task": "t", "reason": "答"})
    assert not await store.events.note("submission.in_doubt", "t", NOW + hour - 1, {})
    assert not await store.events.note("submission.in_doubt", "t", NOW + 2 * hour - 2, {})
    assert await store.events.note("submission.in_doubt", "other", NOW, {})
    assert await store.events.note("provider.missing", "t", NOW, {})
    assert await store.events.note("submission.in_doubt", "t", NOW + 4 * hour, {})
    sql = "SELECT kind, subject, times, last_at FROM operator_events WHERE at = :at AND subject = 't' ORDER BY kind"
    first = await store._engine.read(lambda tx: tx.all(sql, at=NOW))
    assert [tuple(row.values()) for row in first] == [
        ("provider.missing", "t", 1, NOW),
        ("submission.in_doubt", "t", 3, NOW + 2 * hour - 2),
    ]
