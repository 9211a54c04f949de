"""A message is taken out with the end of its task when it need not stand in line, on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from service.domain.deliveries import Attempt, Delivery, DeliveryState, DisabledBy, Sealed
from service.domain.lanes import Pause, Standing, Turn
from service.domain.tasks import Verdict
from service.store import Key, Moved, Store
from service.store.lanes import note_failure, note_success
from tests.service.nouns import (
    ENGINES,
    NOW,
    a_message,
    a_placement,
    a_subscription,
    a_task,
    due_now,
    ended,
    next_lane_at,
    opened,
)
from tests.service.test_store_endpoints import made

pytestmark = pytest.mark.anyio
LEASE = NOW + 60_000


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


async def told(
    store: Store, host: str = "a.example.com", *, lease: int | None = LEASE, endpoint: str | None = None, **changes: Any
) -> tuple[Delivery, Moved]:
    """A message for a host, of a task that has just ended, and how it moved."""
    task = a_task(**changes)
    subscription = a_subscription(task, url=f"https://{host}/hook", endpoint=endpoint)
    await store.tasks.accept(task, a_placement(task), [subscription])
    message = a_message(task, subscription, due_at=NOW, endpoint=endpoint)
    moved = await store.tasks.record(ended(task), Verdict.ENDED, lambda _: message, lease=lease)
    assert moved is not None
    return message, moved


async def attempted(store: Store, claimed: Delivery, standing: Standing, **changes: Any) -> None:
    """An attempt that was taken by a receiver of this standing, or failed with `changes` of the lane."""
    if changes:
        attempt = Attempt(claimed.id, 0, NOW, 12, "bad_status", "answered 500", 500, next_at=NOW + 5000)
        note = partial(note_failure, now=NOW, change=lambda lane: replace(lane, standing=standing, **changes))
        await store.deliveries.attempted(claimed, attempt, DeliveryState.ABANDONED, None, note)
    else:
        attempt = Attempt(claimed.id, 0, NOW, 12, "delivered", "answered 200", 200)
        known = partial(note_success, standing=standing, now=NOW)
        await store.deliveries.attempted(claimed, attempt, DeliveryState.DELIVERED, NOW, known)


async def known(store: Store, standing: Standing = Standing.WELL, endpoint: str | None = None, **changes: Any) -> None:
    """The lane has delivered a message before."""
    await told(store, lease=None, endpoint=endpoint)
    [claimed] = await due_now(store, NOW, LEASE)
    await attempted(store, claimed, standing, **changes)


async def test_a_receiver_that_is_well_is_told_without_a_turn_in_line(store: Store) -> None:
    await known(store)
    message, moved = await told(store)
    [turn], taken = moved.turns, replace(message, due_at=LEASE, claimed_at=NOW)
    assert not moved.in_line
    assert turn == Turn(turn.lane, taken, Sealed(), at_once=True)
    assert (turn.lane.id, turn.lane.standing) == (message.lane, Standing.WELL)
    assert await store.deliveries.get(message.id, None) == taken
    assert await due_now(store, LEASE - 1, LEASE) == []
    assert [again.id for again in await due_now(store, LEASE, LEASE + 1)] == [message.id]  # nothing was recorded


async def test_its_end_is_recorded_like_any_other(store: Store) -> None:
    await known(store)
    message, moved = await told(store)
    await attempted(store, moved.turns[0].delivery, Standing.WELL)
    kept = await store.deliveries.get(message.id, None)
    assert kept is not None
    assert (kept.state, kept.attempts, kept.due_at, kept.claimed_at) == (DeliveryState.DELIVERED, 1, None, None)
    assert len((await told(store))[1].turns) == 1  # the lane is free again


async def test_it_takes_along_what_says_how_it_is_sent(store: Store) -> None:
    await store.keys.create(Key("key_1", "app", "hash", b"first", NOW))
    await store.keys.rotate("key_1", b"second", NOW, NOW + 100)
    await told(store, lease=None, client="key_1")
    [claimed] = await due_now(store, NOW, LEASE)
    await attempted(store, claimed, Standing.WELL)
    _, moved = await told(store, client="key_1")
    assert [turn.sealed for turn in moved.turns] == [Sealed((b"second", b"first"))]
    endpoint = await made(store)
    await known(store, endpoint=endpoint.id)
    _, moved = await told(store, endpoint=endpoint.id)
    assert [turn.sealed for turn in moved.turns] == [Sealed((endpoint.secret, endpoint.signing_key), endpoint)]


@pytest.mark.parametrize(
    "lane",
    [
        pytest.param({"standing": Standing.ILL}, id="ill"),
        pytest.param({"standing": Standing.WELL, "paused_until": NOW + 1, "pause": Pause.THROTTLED}, id="throttled"),
    ],
)
async def test_a_receiver_that_is_unwell_is_not_told_past_the_line(store: Store, lane: dict[str, Any]) -> None:
    await known(store, **lane)
    _, moved = await told(store)
    assert moved == Moved(in_line=True)


async def test_neither_is_one_that_is_new(store: Store) -> None:
    message, moved = await told(store)
    assert moved == Moved(in_line=True)
    assert await store.deliveries.get(message.id, None) == message


async def test_neither_is_one_for_whom_others_wait_or_are_on_their_way(store: Store) -> None:
    await known(store)
    waiting, _ = await told(store, lease=None)
    assert (await told(store))[1] == Moved(in_line=True)
    claimed = await due_now(store, NOW, LEASE, limit=9)
    assert waiting.id in [one.id for one in claimed]
    assert (await told(store))[1] == Moved(in_line=True)


async def test_an_endpoint_that_is_disabled_has_neither_a_turn_nor_a_place_in_line(store: Store) -> None:
    endpoint = await made(store)
    await known(store, endpoint=endpoint.id)
    await store.endpoints.disable(endpoint.id, None, DisabledBy.CLIENT, NOW)
    message, moved = await told(store, endpoint=endpoint.id)
    assert moved == Moved()
    assert await store.deliveries.get(message.id, None) == replace(message, due_at=None)


async def test_whoever_is_late_takes_nothing_out(store: Store) -> None:
    await known(store)
    task = a_task()
    subscription = a_subscription(task, url="https://a.example.com/hook")
    await store.tasks.accept(task, a_placement(task), [subscription])
    late = replace(ended(task), version=task.version + 1)
    message = a_message(task, subscription, due_at=NOW)
    assert await store.tasks.record(late, Verdict.ENDED, lambda _: message, lease=LEASE) is None
    assert await store.deliveries.get(message.id, None) is None


async def test_what_found_no_room_is_due_in_its_lane(store: Store) -> None:
    await known(store)
    message, moved = await told(store)
    await store.deliveries.release(moved.turns[0].delivery, NOW + 3)
    assert await store.deliveries.get(message.id, None) == replace(message, due_at=NOW + 3)
    assert await next_lane_at(store, NOW + 2) == NOW + 3
    [claimed] = await due_now(store, NOW + 3, LEASE + 9)
    await store.deliveries.release(moved.turns[0].delivery, NOW + 4)  # the lease that it had is over
    assert await store.deliveries.get(message.id, None) == claimed


async def test_what_was_taken_out_by_a_server_that_died_is_due_at_its_start(store: Store) -> None:
    await known(store)
    message, _ = await told(store)
    await store.queues.void_leases(NOW + 7)
    assert [one.id for one in await due_now(store, NOW + 7, LEASE)] == [message.id]
