"""What the verbs of watched tasks promise, on both engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.messages import Report, State
from service.domain.tasks import TaskState, Verdict, advance
from service.store import Queue, Store
from service.store.lookups import NEWEST
from tests.service.nouns import (
    ENGINES,
    NOW,
    a_message,
    a_subscription,
    a_watched,
    kept,
    latest,
    opened,
    placement_of,
    queued,
    watched,
)

pytestmark = pytest.mark.anyio
LEASE = NOW + 60_000
RESULT = Report("up", State.SUCCEEDED, video_url="https://video.example/v.mp4")


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


async def test_a_watched_task_is_kept_with_all_that_is_known_of_it(store: Store) -> None:
    task, placement = a_watched()
    subscription = a_subscription(task)
    assert await store.watches.watch(task, placement, [subscription], a_message) is None
    assert await store.lookups.task(task.id) == task
    assert await placement_of(store, task) == placement
    assert await store.lookups.subscriptions(task.id) == [subscription]
    assert await store.deliveries.recent(None, task.id, "", NEWEST, 9) == []
    assert task.watched


async def test_one_that_has_ended_opens_its_deliveries(store: Store) -> None:
    task, placement = a_watched()
    ended = replace(task, state=TaskState.SUCCEEDED, finished_at=NOW)
    await store.watches.watch(ended, placement, [a_subscription(task)], a_message)
    assert len(await store.deliveries.recent(None, task.id, "", NEWEST, 9)) == 1


async def test_an_upstream_id_has_one_watched_task_however_many_come_at_once(store: Store) -> None:
    wanted = [a_watched(upstream_id="up") for _ in range(8)]
    told = await asyncio.gather(*(store.watches.watch(*one, [a_subscription(one[0])], a_message) for one in wanted))
    assert told.count(None) == 1
    [first] = [task for (task, _), known in zip(wanted, told, strict=True) if known is None]
    assert {known.id for known in told if known is not None} == {first.id}
    assert len(await store.lookups.tasks(None, "", NEWEST, 99)) == 1


async def test_the_same_id_at_another_provider_is_another_task(store: Store) -> None:
    await watched(store, upstream_id="up")
    await watched(store, upstream_id="up", provider="acedata")


async def test_a_task_that_we_sent_is_known_by_its_upstream_id(store: Store) -> None:
    sent = await queued(store, "up", provider="dashscope")
    assert await store.watches.task_of("dashscope", "up") == await latest(store, sent)
    assert await store.watches.task_of("acedata", "up") is None
    task, placement = a_watched(upstream_id="up")
    known = await store.watches.watch(task, placement, [a_subscription(task)], a_message)
    assert known is not None
    assert known.id == sent.id
    assert await store.lookups.task(task.id) is None


async def test_an_answer_that_names_a_watched_id_is_recorded_all_the_same(store: Store) -> None:
    """Somebody came to watch the task before the answer to our create was read: it is ours, and was paid for."""
    sent = await kept(store, provider="dashscope")
    await watched(store, upstream_id="up")
    assert await store.tasks.accepted(sent.placement or "", "up", NOW, NOW) is not None
    assert (await placement_of(store, sent)).upstream_id == "up"
    found = await store.watches.task_of("dashscope", "up")
    assert found is not None
    assert found.id == sent.id
    pushed = await store.lookups.placement_of("dashscope", "up")
    assert pushed is not None
    assert pushed.task == sent.id


async def test_a_lost_send_is_looked_for_among_what_is_watched_too(store: Store) -> None:
    await watched(store, upstream_id="up")
    await queued(store, "ours", provider="dashscope")
    assert await store.doubts.strangers("dashscope", {"up", "ours", "new"}) == {"up", "new"}


async def test_a_callback_may_prove_a_send_that_somebody_watches(store: Store) -> None:
    sent = await kept(store)
    await watched(store, upstream_id="up", provider="acedata")
    await store.placements.keep_callback(sent.placement or "", "digest", b"{}", "up", NOW)
    assert await store.placements.hinted_ids(sent.placement or "") == ["up"]


async def test_a_watchers_key_is_used_for_its_own_looks_only(store: Store) -> None:
    lent = await watched(store)
    operators = await watched(store, account="main", credential=None)
    [plain] = await store.placements.claim_looks("dashscope", NOW, LEASE, 10)
    assert plain.task == operators.id
    assert await store.placements.claim_looks("dashscope", NOW, LEASE, 10, ("main",)) == []
    [claimed] = await store.placements.claim_looks("dashscope", NOW, LEASE, 10, ("key:1",))
    assert (claimed.task, claimed.credential) == (lent.id, b"sealed")


async def test_the_operators_queue_is_not_woken_for_a_watchers_look(store: Store) -> None:
    await watched(store)
    assert await store.queues.next_due(Queue.LOOKS, "dashscope") is None
    assert await store.queues.next_due(Queue.LOOKS, "dashscope", ("key:1",)) == NOW


async def test_the_accounts_of_watchers_are_known_with_their_next_look(store: Store) -> None:
    late = await watched(store, due_at=NOW + 9)
    await watched(store, account="key:2", due_at=NOW + 5)
    await watched(store, due_at=NOW + 20)
    await watched(store, account="main", credential=None)
    assert [(one.account, one.due_at) for one in await store.watches.lent("dashscope")] == [
        ("key:2", NOW + 5), ("key:1", NOW + 9),
    ]  # fmt: skip
    assert await store.watches.lent("acedata") == []
    await store.placements.closed(late.placement or "", RESULT)
    assert [one.due_at for one in await store.watches.lent("dashscope")] == [NOW + 5, NOW + 20]


async def test_a_watchers_key_is_erased_when_its_task_ends(store: Store) -> None:
    task = await watched(store)
    moved = advance(task, RESULT, NOW, "look")
    assert moved is not None
    assert await store.tasks.record(moved, Verdict.ENDED, lambda subscription: a_message(task, subscription))
    assert (await placement_of(store, task)).credential is None
    assert await store.watches.lent("dashscope") == []
