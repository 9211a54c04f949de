"""What the verbs of a delivery's life promise, on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.domain.deliveries import Attempt, Delivery, DeliveryState
from service.domain.tasks import Verdict
from service.store import Store
from service.store.lookups import NEWEST
from tests.service.nouns import ENGINES, NOW, a_message, a_placement, a_subscription, a_task, due_now, ended, opened

pytestmark = pytest.mark.anyio
LEASE = NOW + 60_000


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


async def told(store: Store, **changes: Any) -> Delivery:
    """A delivery of a task that has just ended."""
    task = a_task(client=changes.get("client", "env:first"))
    subscription = a_subscription(task)
    await store.tasks.accept(task, a_placement(task), [subscription])
    delivery = a_message(task, subscription, **changes)
    await store.tasks.record(ended(task), Verdict.ENDED, lambda _: delivery)
    return delivery


def an_attempt(delivery: Delivery, **changes: Any) -> Attempt:
    fields = {"delivery": delivery.id, "number": delivery.attempts + 1, "started_at": NOW, "elapsed_ms": 12}
    return Attempt(**fields | {"verdict": "bad_status", "reason": "answered 500", "status": 500} | changes)


async def claimed_one(store: Store, now: int = NOW) -> Delivery:
    [claimed] = await due_now(store, now, now + 60_000)
    return claimed


async def test_a_delivery_is_claimed_as_it_was_made(store: Store) -> None:
    delivery = await told(store, body='{"text":"猫"}'.encode())
    assert await store.deliveries.get(delivery.id, None) == delivery
    assert await claimed_one(store) == replace(delivery, due_at=LEASE, claimed_at=NOW)


async def test_what_was_claimed_is_claimed_again_when_its_lease_ends(store: Store) -> None:
    made = await told(store)
    assert [one.id for one in await due_now(store, NOW, LEASE)] == [made.id]
    assert await due_now(store, LEASE - 1, LEASE) == []
    assert [one.id for one in await due_now(store, LEASE, LEASE + 1)] == [made.id]


async def test_a_failed_attempt_makes_the_next_one_due(store: Store) -> None:
    await told(store)
    claimed = await claimed_one(store)
    attempt = an_attempt(claimed, next_at=NOW + 5000, reply="oops", reason="answered 500; a 2xx is needed")
    await store.deliveries.attempted(claimed, attempt, DeliveryState.PENDING, None)
    found = await store.deliveries.get(claimed.id, None)
    assert found == replace(claimed, attempts=1, tries=1, due_at=NOW + 5000, claimed_at=None)
    assert await store.deliveries.attempts(claimed.id) == [attempt]
    assert await due_now(store, NOW + 4999, LEASE) == []
    assert (await claimed_one(store, NOW + 5000)).attempts == 1


@pytest.mark.parametrize("state", [DeliveryState.DELIVERED, DeliveryState.EXHAUSTED, DeliveryState.ABANDONED])
async def test_a_delivery_that_is_over_is_never_due(store: Store, state: DeliveryState) -> None:
    await told(store)
    claimed = await claimed_one(store)
    await store.deliveries.attempted(claimed, an_attempt(claimed), state, NOW + 1)
    found = await store.deliveries.get(claimed.id, None)
    assert found is not None
    assert (found.state, found.due_at, found.delivered_at) == (state, None, NOW + 1)
    assert await due_now(store, NOW + 10**9, LEASE) == []


async def test_a_replay_starts_the_schedule_again_with_the_same_id_and_body(store: Store) -> None:
    await told(store)
    claimed = await claimed_one(store)
    await store.deliveries.attempted(claimed, an_attempt(claimed), DeliveryState.EXHAUSTED, None)
    replayed = await store.deliveries.replay(claimed.id, "env:first", NOW + 50)
    assert replayed == replace(claimed, attempts=1, tries=0, due_at=NOW + 50, claimed_at=None)
    again = await claimed_one(store, NOW + 50)
    second = an_attempt(again)
    await store.deliveries.attempted(again, second, DeliveryState.DELIVERED, NOW + 51)
    assert [one.number for one in await store.deliveries.attempts(claimed.id)] == [1, 2]


async def test_a_replay_stands_in_the_lane_of_its_receiver_however_that_was_written_before(store: Store) -> None:
    url = "https://hook.example.com:443/"
    delivery = await told(store, url=url, receiver="hook.example.com:443")
    claimed = await claimed_one(store)
    await store.deliveries.attempted(claimed, an_attempt(claimed), DeliveryState.EXHAUSTED, None)
    await store.deliveries.replay(delivery.id, None, NOW)
    again = await claimed_one(store)
    assert (again.id, again.lane) == (delivery.id, "env:first hook.example.com")


async def test_a_replay_during_an_attempt_is_not_undone_by_it(store: Store) -> None:
    await told(store)
    last = await claimed_one(store)
    await store.deliveries.replay(last.id, None, NOW + 1)
    await store.deliveries.attempted(last, an_attempt(last), DeliveryState.EXHAUSTED, None)
    found = await store.deliveries.get(last.id, None)
    assert found is not None
    assert (found.state, found.due_at, found.tries, found.attempts) == (DeliveryState.PENDING, NOW + 1, 0, 1)


async def test_attempts_that_overlap_are_both_on_record(store: Store) -> None:
    await told(store)
    first = await claimed_one(store)
    await store.deliveries.replay(first.id, None, NOW + 1)
    second = await claimed_one(store, NOW + 1)
    await store.deliveries.attempted(first, an_attempt(first), DeliveryState.PENDING, None)
    await store.deliveries.attempted(second, an_attempt(second, status=204), DeliveryState.DELIVERED, NOW + 9)
    assert [(one.number, one.status) for one in await store.deliveries.attempts(first.id)] == [(1, 500), (2, 204)]
    found = await store.deliveries.get(first.id, None)
    assert found is not None
    assert (found.state, found.attempts, found.due_at) == (DeliveryState.DELIVERED, 2, None)


async def test_another_client_neither_sees_nor_replays_a_delivery(store: Store) -> None:
    delivery = await told(store, client="env:first")
    assert await store.deliveries.get(delivery.id, "env:second") is None
    assert await store.deliveries.replay(delivery.id, "env:second", NOW) is None
    assert await store.deliveries.recent("env:second", "", "", NEWEST, 10) == []
    assert await store.deliveries.get(delivery.id, None) == delivery
    assert await store.deliveries.replay("msg_unknown", None, NOW) is None


async def test_recent_deliveries_are_newest_first_and_can_be_narrowed(store: Store) -> None:
    made = [await told(store, created_at=NOW + age) for age in (1, 3, 2)]
    everything = await store.deliveries.recent("env:first", "", "", NEWEST, 10)
    assert [one.created_at for one in everything] == [NOW + 3, NOW + 2, NOW + 1]
    assert await store.deliveries.recent("env:first", "", "", (NOW + 3, ""), 1) == [made[2]]
    assert await store.deliveries.recent("env:first", made[0].task, "", NEWEST, 10) == [made[0]]
    assert await store.deliveries.recent(None, "", DeliveryState.DELIVERED, NEWEST, 10) == []
    assert len(await store.deliveries.recent(None, "", DeliveryState.PENDING, NEWEST, 10)) == 3


async def test_a_task_tells_each_subscription_of_one_event_once(store: Store) -> None:
    delivery = await told(store)
    task = await store.lookups.task(delivery.task)
    assert task is not None
    again = replace(delivery, id="msg_other")
    assert await store.tasks.record(task, Verdict.ENDED, lambda _: again)  # a bug elsewhere, say
    assert [one.id for one in await store.deliveries.recent(None, task.id, "", NEWEST, 10)] == [delivery.id]
