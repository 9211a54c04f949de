"""What the verbs of lanes promise, on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from service.domain.deliveries import Attempt, Delivery, DeliveryState
from service.domain.lanes import Lane, Pause, Standing
from service.domain.tasks import Verdict
from service.store import Grant, Store
from service.store.lanes import note_failure, note_success
from tests.service.nouns import ENGINES, NOW, a_message, a_placement, a_subscription, a_task, due_now, ended, opened

pytestmark = pytest.mark.anyio
LEASE = NOW + 60_000
ALL = dict.fromkeys(Standing, 100)


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


async def told(store: Store, host: str, due_at: int = NOW, client: str = "env:first") -> Delivery:
    """A message for a host, of a task that has just ended."""
    task = a_task(client=client)
    subscription = a_subscription(task, url=f"https://{host}/hook")
    await store.tasks.accept(task, a_placement(task), [subscription])
    message = a_message(task, subscription, due_at=due_at)
    await store.tasks.record(ended(task), Verdict.ENDED, lambda _: message)
    return message


async def ready(store: Store, now: int = NOW) -> list[str]:
    lanes, _ = await store.lanes.ready(now, ALL)
    return [lane.receiver for lane in lanes]


async def lane_of(store: Store, message: Delivery) -> Lane:
    return (await store.lanes.several([message.lane]))[message.lane]


async def take(store: Store, message: Delivery, count: int = 1, again_at: int = NOW, now: int = NOW) -> list[Delivery]:
    taken = await store.lanes.claim([Grant(message.lane, count, again_at)], now, LEASE)
    return [delivery for delivery, _ in taken]


async def failed(
    store: Store, claimed: Delivery, now: int = NOW, next_at: int = NOW + 5000, **changes: object
) -> Lane | None:
    """An attempt that failed; `changes` are what follows for the lane."""
    attempt = Attempt(claimed.id, 0, now, 12, "bad_status", "answered 500", 500, next_at=next_at)
    note = partial(note_failure, now=now, change=lambda lane: replace(lane, **changes))
    _, lane = await store.deliveries.attempted(claimed, attempt, DeliveryState.PENDING, None, note)
    return lane


async def succeeded(store: Store, claimed: Delivery, now: int = NOW) -> None:
    attempt = Attempt(claimed.id, 0, now, 12, "delivered", "answered 200", 200)
    note = partial(note_success, standing=Standing.WELL, now=now)
    await store.deliveries.attempted(claimed, attempt, DeliveryState.DELIVERED, now, note)


async def test_who_has_waited_longest_is_served_first(store: Store) -> None:
    for host, age in (("a.example.com", 10), ("b.example.com", 30), ("c.example.com", 20), ("d.example.com", -1)):
        await told(store, host, NOW - age)
    assert await ready(store) == ["b.example.com", "c.example.com", "a.example.com"]
    first, due = await store.lanes.ready(NOW, {Standing.NEW: 2})
    assert ([lane.receiver for lane in first], due) == (["b.example.com", "c.example.com"], None)
    assert await store.lanes.ready(NOW, {Standing.WELL: 9, Standing.ILL: 9}) == ([], None)
    full = {Standing.NEW: ["b.example.com", "a.example.com"], Standing.WELL: ["c.example.com"]}
    [only], _ = await store.lanes.ready(NOW, ALL, full)
    assert only.receiver == "c.example.com"
    full[Standing.NEW].append("c.example.com")
    assert await store.lanes.ready(NOW, ALL, full) == ([], NOW + 1)


async def test_a_lane_is_an_endpoint_or_one_clients_for_a_host(store: Store) -> None:
    first, second = await told(store, "x.example.com"), await told(store, "x.example.com", client="env:second")
    assert first.lane != second.lane
    assert replace(first, endpoint="ep_1").lane == "ep_1"
    assert len(await ready(store)) == 2


async def test_a_backlog_lets_others_go_first_once_it_was_served(store: Store) -> None:
    many = [await told(store, "many.example.com", NOW - 1000 + late) for late in range(3)]
    assert {one.id for one in await take(store, many[0], 2)} == {one.id for one in many[:2]}
    await told(store, "few.example.com", NOW - 1)
    assert await ready(store) == ["few.example.com", "many.example.com"]


async def test_a_lane_without_room_is_asked_again_when_it_was_granted(store: Store) -> None:
    first, _ = await told(store, "a.example.com"), await told(store, "a.example.com")
    [claimed] = await take(store, first, 1, NOW + 700)
    assert await ready(store, NOW + 699) == []
    assert await take(store, first, 0, NOW + 800) == []
    assert await ready(store, NOW + 799) == []
    await failed(store, claimed)  # its end opens the lane again
    assert await ready(store) == ["a.example.com"]


async def test_what_was_taken_and_never_recorded_is_served_when_the_lease_ends(store: Store) -> None:
    message = await told(store, "a.example.com")
    assert len(await take(store, message)) == 1
    assert await ready(store, LEASE - 1) == []
    assert await ready(store, LEASE) == ["a.example.com"]


async def test_failures_are_counted_until_a_success(store: Store) -> None:
    first = await told(store, "a.example.com")
    for number in (1, 2):
        [claimed] = await due_now(store, NOW + 5000 * (number - 1), NOW + 90_000)
        lane = await failed(store, claimed, NOW + number, NOW + 5000 * number, standing=Standing.ILL)
        assert lane is not None
        assert (lane.failures, lane.failing_since, lane.standing) == (number, NOW + 1, Standing.ILL)
    [claimed] = await due_now(store, NOW + 10_000, NOW + 90_000)
    await succeeded(store, claimed, NOW + 10_001)
    lane = await lane_of(store, first)
    assert (lane.failures, lane.failing_since, lane.standing) == (0, None, Standing.WELL)
    assert (lane.succeeded_at, lane.next_at) == (NOW + 10_001, None)


async def test_a_paused_lane_is_not_served_whatever_becomes_due(store: Store) -> None:
    first = await told(store, "a.example.com")
    [claimed] = await take(store, first)
    until = NOW + 90_000
    await failed(store, claimed, paused_until=until, pause=Pause.THROTTLED)
    await told(store, "a.example.com", NOW + 1)
    await store.deliveries.replay(first.id, None, NOW + 2)
    assert await ready(store, until - 1) == []
    await store.queues.void_leases(NOW + 3)  # nor after a restart
    assert await ready(store, until - 1) == []
    assert await ready(store, until) == ["a.example.com"]
    assert len(await due_now(store, until, until + 1)) == 2


async def test_whoever_asks_for_an_attempt_closes_an_open_circuit(store: Store) -> None:
    first = await told(store, "a.example.com")
    [claimed] = await take(store, first)
    await failed(store, claimed, paused_until=NOW + 90_000, pause=Pause.OPEN)
    assert await ready(store, NOW + 89_999) == []
    await store.deliveries.replay(first.id, None, NOW + 2)
    assert await ready(store, NOW + 2) == ["a.example.com"]
    lane = await lane_of(store, first)
    assert (lane.pause, lane.paused_until, lane.failures, lane.failing_since) == (None, None, 0, NOW)


async def test_what_waited_for_a_receiver_that_was_down_all_the_time_is_given_up(store: Store) -> None:
    old, young = await told(store, "a.example.com", NOW - 100), await told(store, "a.example.com", NOW)
    await told(store, "b.example.com", NOW - 100)
    assert await store.lanes.give_up(old.lane, NOW - 50, 10) == 1
    states = {one.id: one.state for one in await store.deliveries.recent(None, "", "", (2**62, ""), 10)}
    assert (states[old.id], states[young.id]) == (DeliveryState.EXHAUSTED, DeliveryState.PENDING)
    assert sorted(await ready(store)) == ["a.example.com", "b.example.com"]


async def test_whether_anybody_has_taken_anything_lately_is_known(store: Store) -> None:
    message = await told(store, "a.example.com")
    assert not await store.lanes.any_success(NOW)
    [claimed] = await take(store, message)
    await succeeded(store, claimed, NOW + 5)
    assert await store.lanes.any_success(NOW + 5)
    assert not await store.lanes.any_success(NOW + 6)
