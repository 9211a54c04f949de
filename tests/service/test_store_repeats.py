"""Creates that repeat one, and subscriptions that come later, on both engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.messages import Category, Failure, Report, State
from service.domain.deliveries import Format
from service.domain.tasks import Task, Verdict, advance, fail
from service.store import Store
from service.store.lookups import NEWEST
from service.store.repeats import KEYS_KEPT_MS, TWINS_MS
from tests.service.nouns import ENGINES, NOW, a_message, a_placement, a_subscription, a_task, latest, opened, queued

pytestmark = pytest.mark.anyio


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


async def accept(store: Store, task: Task, waited_for: bool = False) -> Task | None:
    kept, _ = await store.tasks.accept(task, a_placement(task), [a_subscription(task)], lambda _: waited_for)
    return None if kept.id == task.id else kept


def later(milliseconds: int, **changes: object) -> Task:
    return a_task(created_at=NOW + milliseconds, updated_at=NOW + milliseconds, **changes)


async def test_a_create_under_the_same_key_is_the_same_task(store: Store) -> None:
    first = a_task(idempotency_key="order-7", digest="d1")
    assert await accept(store, first) is None
    assert await accept(store, later(1, idempotency_key="order-7", digest="d2")) == first
    assert await store.lookups.tasks(None, "", NEWEST, 10) == [first]
    assert await accept(store, a_task(idempotency_key="order-7", client="env:second")) is None
    assert await accept(store, a_task(idempotency_key="order-7", path="/happyhorse/videos")) is None


async def test_a_key_can_be_used_again_after_two_days(store: Store) -> None:
    first = a_task(idempotency_key="order-7")
    await accept(store, first)
    assert await accept(store, later(KEYS_KEPT_MS - 1, idempotency_key="order-7")) == first
    assert await accept(store, later(KEYS_KEPT_MS, idempotency_key="order-7")) is None
    assert (await latest(store, first)).idempotency_key is None


async def test_creates_under_one_key_that_race_make_one_task(store: Store) -> None:
    tasks = [a_task(idempotency_key="order-7") for _ in range(6)]
    said = await asyncio.gather(*(accept(store, task) for task in tasks), return_exceptions=True)
    assert [one for one in said if one is None] == [None]
    assert len(await store.lookups.tasks(None, "", NEWEST, 10)) == 1


async def test_an_identical_create_is_a_retry_while_the_first_was_not_answered(store: Store) -> None:
    first = a_task(digest="d1")
    await accept(store, first)
    assert await accept(store, later(1, digest="d1"), waited_for=True) is None  # two wishes at once
    assert await accept(store, later(2, digest="d2")) is None
    assert await accept(store, later(3, digest="d1", client="env:second")) is None
    assert await accept(store, later(4, digest="d1")) == first


async def test_an_identical_create_is_a_new_wish_once_the_first_was_answered(store: Store) -> None:
    first = a_task(digest="d1")
    await accept(store, first)
    await store.tasks.answered(first.id, NOW + 1)
    await store.tasks.answered(first.id, NOW + 2)
    assert (await latest(store, first)).answered_at == NOW + 1
    assert await accept(store, later(2, digest="d1")) is None


async def test_an_identical_create_much_later_is_a_new_wish(store: Store) -> None:
    first = a_task(digest="d1")
    await accept(store, first)
    assert await accept(store, later(TWINS_MS, digest="d1")) is None


async def test_a_refused_create_can_be_tried_again(store: Store) -> None:
    first = a_task(digest="d1", idempotency_key="order-7")
    await accept(store, first)
    refused = fail(first, Failure(Category.CONTENT, "forbidden", "no"), NOW, "send")
    await store.tasks.record(refused, Verdict.REFUSED, None)
    assert await accept(store, later(1, digest="d1")) is None
    assert await accept(store, later(2, digest="d2", idempotency_key="order-7")) is None


async def test_a_later_subscription_is_told_at_the_end(store: Store) -> None:
    task = await queued(store)
    late = a_subscription(task, url="https://late.example.com/", format=Format.EVENT)
    assert await store.tasks.subscribe(late, task.client, a_message) == late
    again = a_subscription(task, url="https://late.example.com/", format=Format.EVENT)
    assert await store.tasks.subscribe(again, task.client, a_message) == late
    assert await store.tasks.subscribe(a_subscription(task), "env:second", a_message) is None
    assert await store.deliveries.recent(None, task.id, "", NEWEST, 10) == []
    ended = advance(await latest(store, task), Report("up", State.SUCCEEDED, video_url="https://v"), NOW, "look")
    assert ended is not None
    assert await store.tasks.record(ended, Verdict.ENDED, lambda each: a_message(ended, each))
    assert len(await store.deliveries.recent(None, task.id, "", NEWEST, 10)) == 2


async def test_a_subscription_after_the_end_is_told_at_once(store: Store) -> None:
    task = await queued(store)
    ended = fail(task, Failure(Category.CONTENT, "forbidden", "no"), NOW, "look")
    await store.tasks.record(ended, Verdict.ENDED, None)
    late = a_subscription(task, url="https://late.example.com/")
    assert await store.tasks.subscribe(late, None, a_message) == late
    [told] = await store.deliveries.recent(None, task.id, "", NEWEST, 10)
    assert (told.url, told.subscription) == (late.url, late.id)
    assert (await latest(store, task)).version == ended.version + 1


async def test_a_subscription_that_races_the_end_is_told_exactly_once(store: Store) -> None:
    for _ in range(10):
        task = await queued(store)
        ended = fail(task, Failure(Category.CONTENT, "forbidden", "no"), NOW, "look")
        late = a_subscription(task, url="https://late.example.com/")
        wrote, _ = await asyncio.gather(
            store.tasks.record(ended, Verdict.ENDED, lambda each, task=task: a_message(task, each)),
            store.tasks.subscribe(late, None, a_message),
        )
        assert wrote
        told = await store.deliveries.recent(None, task.id, "", NEWEST, 10)
        assert [one.subscription for one in told].count(late.id) == 1
