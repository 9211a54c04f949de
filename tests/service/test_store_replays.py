"""What the verbs of a replay's life promise, on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from service.domain.deliveries import Attempt, Delivery, DeliveryState, DisabledBy, Endpoint
from service.domain.replays import Replay, ReplayState, Selection, Skipped
from service.domain.tasks import Verdict
from service.store import Store
from service.store.lookups import NEWEST
from service.store.queues import Queue
from tests.service.nouns import ENGINES, NOW, a_message, a_placement, a_subscription, a_task, an_endpoint, ended, opened

pytestmark = pytest.mark.anyio
LEASE = NOW + 60_000
LATER = NOW + 100_000
EXHAUSTED, DELIVERED, PENDING = DeliveryState.EXHAUSTED, DeliveryState.DELIVERED, DeliveryState.PENDING


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


def a_replay(**changes: Any) -> Replay:
    fields: dict[str, Any] = {
        "id": f"rpl_{uuid4().hex}",
        "client": "env:first",
        "selection": Selection(failed=True),
        "new_id": False,
        "rate": 50,
        "state": ReplayState.COLLECTING,
        "created_at": LATER,
        "due_at": LATER,
    }
    return Replay(**fields | changes)


async def told(store: Store, state: DeliveryState = EXHAUSTED, **changes: Any) -> Delivery:
    """A delivery that was tried once, and what came of it."""
    task = a_task(client=changes.get("client", "env:first"))
    subscription = a_subscription(task)
    await store.tasks.accept(task, a_placement(task), [subscription])
    delivery = a_message(task, subscription, **changes)
    await store.tasks.record(ended(task), Verdict.ENDED, lambda _: delivery)
    return await attempted(store, delivery, state)


async def attempted(store: Store, delivery: Delivery, state: DeliveryState, now: int = NOW) -> Delivery:
    next_at = NOW + 10**9 if state is PENDING else None
    attempt = Attempt(delivery.id, 1, now, 12, "bad_status", "answered 500", 500, next_at=next_at)
    await store.deliveries.attempted(delivery, attempt, state, now if state is DELIVERED else None)
    return await kept(store, delivery)


async def kept(store: Store, delivery: Delivery | str) -> Delivery:
    found = await store.deliveries.get(delivery if isinstance(delivery, str) else delivery.id, None)
    assert found is not None
    return found


def ids(prefix: str = "msg_new") -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"{prefix}{next(numbers)}"


async def begun(store: Store, **changes: Any) -> Replay:
    replay = a_replay(**changes)
    await store.replays.begin(replay)
    return replay


async def collected(store: Store, limit: int = 100, **changes: Any) -> Replay:
    """A replay that knows what it is to send."""
    replay: Replay | None = await begun(store, **changes)
    while replay is not None and replay.state is ReplayState.COLLECTING:
        replay = await store.replays.collect(replay.id, LATER, limit)
    assert replay is not None
    return replay


async def released(store: Store, replay: Replay, limit: int = 100) -> Replay:
    new = await store.replays.release(replay.id, LATER, limit, LATER + 1000, ids())
    assert new is not None
    return new


async def chosen(store: Store, selection: Selection, client: str | None = "env:first") -> set[str]:
    """What the preview shows, which is what a replay sends."""
    preview = await store.replays.preview(selection, client, LATER)
    assert preview.matched == len(preview.sample)
    replay = await collected(store, selection=selection, client=client or "")
    assert replay.matched == preview.matched
    found = await store._engine.read(
        lambda tx: tx.all("SELECT delivery FROM replay_items WHERE replay = :id", id=replay.id)
    )
    assert {row["delivery"] for row in found} == {one.id for one in preview.sample}
    return {one.id for one in preview.sample}


async def test_a_replay_is_kept_as_it_was_begun(store: Store) -> None:
    selection = Selection(True, (EXHAUSTED, PENDING), ("task.failed",), "t", "ep_1", NOW, LATER)
    replay = await begun(store, selection=selection, new_id=True)
    assert await store.replays.get(replay.id, "env:first") == replay
    assert await store.replays.get(replay.id, "env:second") is None
    assert await store.replays.get(replay.id, None) == replay


async def test_failed_is_what_was_tried_and_not_delivered(store: Store) -> None:
    states = {state: (await told(store, state)).id for state in DeliveryState}
    fresh = a_task()
    subscription = a_subscription(fresh)
    await store.tasks.accept(fresh, a_placement(fresh), [subscription])
    await store.tasks.record(ended(fresh), Verdict.ENDED, lambda one: a_message(fresh, one))
    assert await chosen(store, Selection(failed=True)) == set(states.values()) - {states[DELIVERED]}
    assert await chosen(store, Selection(states=(DELIVERED,))) == {states[DELIVERED]}
    assert await chosen(store, Selection(failed=True, states=(PENDING, DELIVERED))) == {states[PENDING]}
    assert await chosen(store, Selection()) == set(states.values())


async def test_a_selection_narrows_by_time_type_task_and_client(store: Store) -> None:
    early, late = await told(store, created_at=NOW - 5), await told(store, created_at=NOW + 5, type="task.failed")
    theirs = await told(store, client="env:second")
    after = await told(store, created_at=LATER + 1)
    assert await chosen(store, Selection()) == {early.id, late.id}
    assert await chosen(store, Selection(), None) == {early.id, late.id, theirs.id}
    assert await chosen(store, Selection(), "env:second") == {theirs.id}
    assert await chosen(store, Selection(since=NOW + 5)) == {late.id}
    assert await chosen(store, Selection(until=NOW + 5)) == {early.id}
    assert await chosen(store, Selection(types=("task.failed", "task.expired"))) == {late.id}
    assert await chosen(store, Selection(task=early.task)) == {early.id}
    assert after.id not in await chosen(store, Selection(), None)


async def test_a_preview_says_how_many_and_how_old_and_changes_nothing(store: Store) -> None:
    made = [await told(store, created_at=NOW + age) for age in range(8)]
    preview = await store.replays.preview(Selection(failed=True), "env:first", LATER)
    assert (preview.matched, preview.oldest, preview.newest) == (8, NOW, NOW + 7)
    assert list(preview.sample) == made[:2:-1]
    assert await store.replays.recent(None, NEWEST, 10) == []
    nothing = await store.replays.preview(Selection(task="nobody's"), "env:first", LATER)
    assert (nothing.matched, nothing.oldest, nothing.newest, list(nothing.sample)) == (0, None, None, [])


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_batches_of_any_size_take_each_delivery_once(store: Store, limit: int) -> None:
    made = [await told(store, created_at=NOW + age // 2) for age in range(5)]  # two of each millisecond
    replay = await collected(store, limit)
    assert (replay.state, replay.matched, replay.due_at) == (ReplayState.RUNNING, 5, LATER)
    seen = []
    while not replay.ended:
        before = replay.replayed
        replay = await released(store, replay, limit)
        seen.append(replay.replayed - before)
    assert sum(seen) == 5
    assert max(seen) <= limit
    assert (replay.state, replay.due_at, replay.finished_at) == (ReplayState.DONE, None, LATER)
    for one in made:
        assert await kept(store, one) == replace(one, state=PENDING, tries=0, due_at=LATER)


async def test_a_replay_of_nothing_is_done(store: Store) -> None:
    replay = await collected(store)
    assert (replay.state, replay.matched, replay.finished_at) == (ReplayState.DONE, 0, LATER)


async def test_a_replay_is_claimed_when_due_and_again_when_its_lease_ends(store: Store) -> None:
    await told(store)
    replay = await begun(store)
    assert await store.queues.next_due(Queue.REPLAYS) == LATER
    assert await store.replays.claim(LATER - 1, LEASE, 10) == []
    assert await store.replays.claim(LATER, LATER + 9, 10) == [replace(replay, due_at=LATER + 9, claimed_at=LATER)]
    assert await store.replays.claim(LATER, LATER + 9, 10) == []
    await store.queues.void_leases(LATER + 1)  # the server died and starts again
    assert len(await store.replays.claim(LATER + 1, LATER + 9, 10)) == 1
    moved = await store.replays.collect(replay.id, LATER + 2, 10)
    assert moved is not None
    assert (moved.due_at, moved.claimed_at) == (LATER + 2, None)
    assert await store.replays.release(replay.id, LATER + 2, 10, LATER + 50, ids()) is not None
    assert await store.queues.next_due(Queue.REPLAYS) is None


async def test_a_batch_waits_for_the_one_before_it(store: Store) -> None:
    await told(store)
    await told(store)
    replay = await released(store, await collected(store), 1)
    assert (replay.due_at, await store.queues.next_due(Queue.REPLAYS)) == (LATER + 1000, LATER + 1000)


async def test_progress_tells_how_each_delivery_went(store: Store) -> None:
    made = [*[await told(store) for _ in range(5)], await told(store, PENDING)]
    replay = await collected(store)
    await attempted(store, made[5], DELIVERED)
    await store._engine.write(
        lambda tx: tx.run("UPDATE deliveries SET body = :none WHERE id = :id", none=b"", id=made[4].id)
    )
    await store.deliveries.replay(made[3].id, None, LATER)
    replay = await released(store, replay)
    assert (replay.replayed, replay.skipped) == (3, 3)
    progress = await store.replays.progress(replay.id)
    assert (progress.delivered, progress.failed_again, progress.waiting) == (0, 0, 3)
    assert progress.skipped == {Skipped.DELIVERED: 1, Skipped.PRUNED: 1, Skipped.IN_LINE: 1}
    for one, state in zip(made, (DELIVERED, PENDING, EXHAUSTED), strict=False):
        await attempted(store, await kept(store, one), state)
    progress = await store.replays.progress(replay.id)
    assert (progress.delivered, progress.failed_again, progress.waiting) == (1, 2, 0)


async def test_a_delivered_one_is_sent_again_where_that_was_asked_for(store: Store) -> None:
    one = await told(store, DELIVERED)
    for selection in (Selection(task=one.task), Selection(states=(DELIVERED,))):
        replay = await released(store, await collected(store, selection=selection))
        assert (replay.replayed, (await kept(store, one)).state) == (1, PENDING)
        await attempted(store, await kept(store, one), DELIVERED)


async def test_with_a_new_id_another_delivery_stands_for_the_earlier_one(store: Store) -> None:
    old, tried = await told(store, DELIVERED), await told(store, PENDING, created_at=NOW + 1)
    replay = await released(store, await collected(store, selection=Selection(), new_id=True))
    first, second = [await kept(store, f"msg_new{number}") for number in (1, 2)]
    assert first == replace(
        old, id="msg_new1", state=PENDING, created_at=LATER, attempts=0, tries=0, due_at=LATER, delivered_at=None,
        replay_of=old.id,
    )  # fmt: skip
    assert second.replay_of == tried.id
    assert (await kept(store, old)).state is DELIVERED
    gave_way = await kept(store, tried)
    assert (gave_way.state, gave_way.due_at) == (EXHAUSTED, None)
    assert (await store.replays.progress(replay.id)).waiting == 2
    await attempted(store, first, DELIVERED)
    assert (await store.replays.progress(replay.id)).delivered == 1


async def test_a_new_message_of_a_new_message_names_the_one_before(store: Store) -> None:
    old = await told(store)
    copy = await store.deliveries.replay(old.id, None, LATER, ids("msg_a"))
    again = await store.deliveries.replay("msg_a1", None, LATER, ids("msg_b"))
    assert isinstance(copy, Delivery)
    assert isinstance(again, Delivery)
    assert (copy.replay_of, again.replay_of) == (old.id, "msg_a1")
    assert {one.id for one in await store.deliveries.recent(None, old.task, "", NEWEST, 9)} == {
        old.id, "msg_a1", "msg_b1",
    }  # fmt: skip


async def test_a_cancel_leaves_what_is_not_in_line_as_it_is(store: Store) -> None:
    made = [await told(store, created_at=NOW + age) for age in range(3)]
    replay = await released(store, await collected(store), 1)
    assert await store.replays.cancel(replay.id, "env:second", LATER) is None
    canceled = await store.replays.cancel(replay.id, "env:first", LATER + 5)
    assert canceled == replace(replay, state=ReplayState.CANCELED, due_at=None, finished_at=LATER + 5)
    assert await store.replays.release(replay.id, LATER, 9, LATER, ids()) is None
    assert [(await kept(store, one)).state for one in made] == [PENDING, EXHAUSTED, EXHAUSTED]
    assert await store.replays.cancel(replay.id, None, LATER + 9) == canceled
    assert await store.queues.next_due(Queue.REPLAYS) is None


async def test_replays_are_listed_newest_first_each_to_its_own_client(store: Store) -> None:
    made = [await begun(store, created_at=LATER + age, client=client) for age, client in enumerate(("a", "b", "a"))]
    assert await store.replays.recent("a", NEWEST, 9) == [made[2], made[0]]
    assert await store.replays.recent(None, NEWEST, 2) == made[:0:-1]
    assert await store.replays.recent(None, (made[1].created_at, made[1].id), 9) == [made[0]]
    assert await store.replays.cancel("nobody's", None, LATER) is None


async def test_what_was_pruned_is_not_sent_again(store: Store) -> None:
    one = await told(store, body=b"")
    assert await store.deliveries.replay(one.id, None, LATER) is Skipped.PRUNED
    assert await kept(store, one) == one


async def told_at(store: Store, endpoint: Endpoint) -> Delivery:
    """A delivery to an endpoint that failed."""
    return await told(store, endpoint=endpoint.id, url=endpoint.url, receiver="hook.example.com")


async def test_what_failed_at_an_endpoint_is_sent_to_where_it_is_now(store: Store) -> None:
    endpoint = an_endpoint()
    assert await store.endpoints.create(endpoint, 10)
    one, _ = await told_at(store, endpoint), await told(store)
    moved = "https://new.example.com/in"
    await store.endpoints.change(endpoint.id, None, lambda was: replace(was, url=moved))
    assert await chosen(store, Selection(endpoint=endpoint.id)) == {one.id}
    copy = await store.deliveries.replay(one.id, None, LATER, ids())
    again = await store.deliveries.replay(one.id, None, LATER)
    for sent in (copy, again):
        assert isinstance(sent, Delivery)
        assert (sent.url, sent.receiver, sent.due_at) == (moved, "new.example.com", LATER)
        assert await kept(store, sent) == sent


async def test_nothing_is_sent_again_to_an_endpoint_that_is_disabled_or_deleted(store: Store) -> None:
    disabled, deleted = an_endpoint(), an_endpoint()
    made = []
    for endpoint in (disabled, deleted):
        assert await store.endpoints.create(endpoint, 10)
        made.append(await told_at(store, endpoint))
    await store.endpoints.disable(disabled.id, None, DisabledBy.GONE, NOW)
    await store.endpoints.delete(deleted.id, None)
    replay = await released(store, await collected(store))
    reasons = {Skipped.ENDPOINT_DISABLED: 1, Skipped.ENDPOINT_DELETED: 1}
    assert (replay.replayed, (await store.replays.progress(replay.id)).skipped) == (0, reasons)
    assert [await store.deliveries.replay(one.id, None, LATER) for one in made] == list(reasons)
    assert [await kept(store, one) for one in made] == made
