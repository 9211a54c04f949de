"""What the verbs of looks and callbacks promise, on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.messages import Report, State
from service.domain.tasks import NO_RESULT, Verdict, advance, fail
from service.store import Queue, Store
from service.store.placements import CALLBACKS_KEPT
from tests.service.nouns import ENGINES, NOW, kept, opened, placement_of, queued

pytestmark = pytest.mark.anyio
LEASE = NOW + 60_000


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


async def test_looks_are_claimed_for_one_provider_when_they_are_due(store: Store) -> None:
    due = await queued(store, look_at=NOW)
    await queued(store, look_at=NOW + 1)
    await queued(store, look_at=NOW, provider="dashscope")
    [claimed] = await store.placements.claim_looks("acedata", NOW, LEASE, 10)
    assert claimed == await placement_of(store, due)
    assert (claimed.due_at, claimed.claimed_at) == (LEASE, NOW)


async def test_the_looks_that_waited_longest_come_first(store: Store) -> None:
    tasks = [await queued(store, look_at=NOW - age) for age in (10, 30, 20)]
    claimed = await store.placements.claim_looks("acedata", NOW, LEASE, 2)
    assert {one.task for one in claimed} == {tasks[1].id, tasks[2].id}


async def test_a_claimed_look_is_due_again_when_its_lease_ends(store: Store) -> None:
    await queued(store, look_at=NOW)
    assert len(await store.placements.claim_looks("acedata", NOW, LEASE, 10)) == 1
    assert await store.placements.claim_looks("acedata", LEASE - 1, LEASE, 10) == []
    assert len(await store.placements.claim_looks("acedata", LEASE, LEASE + 1, 10)) == 1


async def test_a_send_without_an_answer_is_not_looked_at(store: Store) -> None:
    task = await kept(store)
    await store.placements.keep_callback(task.placement or "", "digest", b"{}", "up-1", NOW)
    assert await store.placements.claim_looks("acedata", NOW, LEASE, 10) == []
    await store.tasks.doubted(task.placement or "", "lost", NOW, NOW + 900_000)
    assert len(await store.placements.claim_looks("acedata", NOW, LEASE, 10)) == 1


async def test_a_look_that_heard_nothing_counts_as_missed(store: Store) -> None:
    task = await queued(store, look_at=NOW)
    for misses in (1, 2):
        [claimed] = await store.placements.claim_looks("acedata", NOW, LEASE, 10)
        await store.placements.looked(claimed, NOW, NOW + misses, heard=False)
        placement = await placement_of(store, task)
        assert (placement.looks, placement.misses, placement.heard_at) == (misses, misses, NOW)
    [claimed] = await store.placements.claim_looks("acedata", NOW, LEASE, 10)
    await store.placements.looked(claimed, NOW + 10_000, NOW + 3, heard=True, empty=True)
    placement = await placement_of(store, task)
    assert (placement.looks, placement.misses, placement.empty, placement.heard_at) == (3, 0, 1, NOW + 3)
    assert (placement.due_at, placement.claimed_at) == (NOW + 10_000, None)


async def test_a_callback_during_a_look_keeps_the_next_one_due(store: Store) -> None:
    task = await queued(store, look_at=NOW)
    [claimed] = await store.placements.claim_looks("acedata", NOW, LEASE, 10)
    await store.placements.keep_callback(claimed.id, "digest", b"{}", "up-1", NOW + 7)
    await store.placements.looked(claimed, NOW + 10_000, NOW + 8, heard=True)
    assert (await placement_of(store, task)).due_at == NOW + 7


async def test_a_look_that_ends_after_its_task_changes_nothing(store: Store) -> None:
    task = await queued(store, look_at=NOW)
    [claimed] = await store.placements.claim_looks("acedata", NOW, LEASE, 10)
    ended = advance(task, Report("up-1", State.SUCCEEDED, video_url="https://v.example.com/1"), NOW, "look")
    assert ended is not None
    await store.tasks.record(ended, Verdict.ENDED, None)
    before = await placement_of(store, task)
    await store.placements.looked(claimed, NOW, NOW, heard=True)
    assert await placement_of(store, task) == before


async def test_the_same_callback_body_is_kept_once(store: Store) -> None:
    task = await queued(store)
    placement = task.placement or ""
    assert not await store.placements.called_back(placement)
    kept_now = await store.placements.keep_callback(placement, "digest", b"{}", "up-1", NOW + 1)
    assert kept_now == await placement_of(store, task)
    assert kept_now is not None
    assert kept_now.due_at == NOW + 1
    assert await store.placements.called_back(placement)
    assert await store.placements.keep_callback(placement, "digest", b"{}", "up-1", NOW + 2) is None
    assert (await placement_of(store, task)).due_at == NOW + 1


async def test_at_most_sixteen_bodies_are_kept_of_one_placement(store: Store) -> None:
    task, other = await queued(store), await queued(store)
    said = [
        await store.placements.keep_callback(task.placement or "", f"digest-{number}", b"{}", None, NOW + number)
        for number in range(CALLBACKS_KEPT + 3)
    ]
    assert [one is not None for one in said] == [True] * 16 + [False] * 3
    assert (await placement_of(store, task)).due_at == NOW + 15  # what is not kept makes nothing due
    assert await store.placements.keep_callback(other.placement or "", "digest-0", b"{}", None, NOW) is not None


async def test_no_body_is_kept_of_an_ended_or_unknown_placement(store: Store) -> None:
    task = await queued(store)
    assert await store.tasks.record(fail(task, NO_RESULT, NOW, "look"), Verdict.ENDED, None)
    assert await store.placements.keep_callback(task.placement or "", "digest", b"{}", "up-1", NOW) is None
    assert (await placement_of(store, task)).due_at is None
    assert await store.placements.keep_callback("nobody", "digest", b"{}", "up-1", NOW) is None


async def test_hinted_ids_come_latest_first_without_those_that_another_task_owns(store: Store) -> None:
    await queued(store, "owned")
    await queued(store, "elsewhere", provider="dashscope")
    task = await kept(store)
    for at, (digest, upstream_id) in enumerate(
        [("1", "first"), ("2", "owned"), ("3", None), ("4", "elsewhere"), ("5", "first"), ("6", "last")]
    ):
        await store.placements.keep_callback(task.placement or "", digest, b"{}", upstream_id, NOW + at)
    assert await store.placements.hinted_ids(task.placement or "") == ["last", "first", "elsewhere"]


async def test_a_claimed_placement_is_the_row_as_it_now_stands(store: Store) -> None:
    task = await queued(store, look_at=NOW)
    before = await placement_of(store, task)
    assert await store.placements.claim_looks("acedata", NOW, LEASE, 1) == [
        replace(before, due_at=LEASE, claimed_at=NOW)
    ]


async def test_what_is_stalled_is_due_as_soon_as_its_account_is_heard(store: Store) -> None:
    async def stalled(due_at: int, **changes: Any) -> str:
        task = await queued(store, look_at=NOW, **changes)
        [claimed] = await store.placements.claim_looks(task.provider, NOW, LEASE, 10)
        await store.placements.looked(claimed, due_at, NOW, heard=False)
        return task.placement or ""

    later, sooner = await stalled(NOW + 900_000), await stalled(NOW + 5)
    other = await stalled(NOW + 900_000, provider="dashscope")
    healthy = await queued(store, look_at=NOW + 900_000)
    given_up = await stalled(NOW + 900_000)
    await store._engine.write(lambda tx: tx.run("UPDATE placements SET verdict = 'ended' WHERE id = :id", id=given_up))
    assert await store.placements.wake("acedata", NOW + 1_000, ("another",)) == 0
    assert await store.placements.wake("acedata", NOW + 1_000, ("", "another")) == 1
    due = {id_: found.due_at for id_ in (later, sooner, other) if (found := await store.lookups.placement(id_))}
    assert due == {later: NOW + 1_000, sooner: NOW + 5, other: NOW + 900_000}
    assert (await placement_of(store, healthy)).due_at == NOW + 900_000
    await store.placements.claim_looks("dashscope", NOW + 900_000, NOW + 960_000, 1)
    assert await store.placements.wake("dashscope", NOW) == 0  # it is being looked at


async def test_of_what_is_stalled_the_one_that_is_due_first_may_be_due_now(store: Store) -> None:
    pauses = (900_000, 300_000, 600_000)
    for pause in pauses:
        await queued(store, look_at=NOW)
        [claimed] = await store.placements.claim_looks("acedata", NOW, LEASE, 1)
        await store.placements.looked(claimed, NOW + pause, NOW, heard=False, given_up=pause == min(pauses))
    await queued(store, look_at=NOW + 500_000)
    await store.placements.scout("dashscope", NOW + 1)
    await store.placements.scout("acedata", NOW + 1, ("another",))
    assert await store.queues.next_due(Queue.LOOKS, "acedata") == NOW + 300_000
    await store.placements.scout("acedata", NOW + 1)
    await store.placements.scout("acedata", NOW + 1)
    [first] = await store.placements.claim_looks("acedata", NOW + 1, LEASE, 9)
    assert (first.misses, first.verdict) == (1, Verdict.ACCEPTED)


async def test_what_waits_at_an_account_is_counted(store: Store) -> None:
    for _ in range(3):
        await queued(store, look_at=NOW)
    await queued(store, look_at=NOW, provider="dashscope")
    await kept(store)
    assert [await store.placements.waiting("acedata", names) for names in ((), ("",), ("another",))] == [3, 3, 0]


async def test_a_look_keeps_what_is_told_of_it(store: Store) -> None:
    task = await queued(store, look_at=NOW)
    for given, kept_now in (("look: a", "look: a"), (None, "look: a"), ("", None)):
        [claimed] = await store.placements.claim_looks("acedata", NOW, LEASE, 10)
        await store.placements.looked(claimed, NOW, NOW, heard=True, reason=given)
        assert (await placement_of(store, task)).reason == kept_now


async def test_what_is_given_up_is_still_open_for_a_callback(store: Store) -> None:
    task = await queued(store, look_at=NOW)
    [claimed] = await store.placements.claim_looks("acedata", NOW, LEASE, 10)
    await store.placements.looked(claimed, None, NOW, heard=False, given_up=True)
    shown = await placement_of(store, task)
    assert (shown.verdict, shown.due_at, shown.claimed_at) == (Verdict.UNPROVEN, None, None)
    assert await store.placements.claim_looks("acedata", NOW + 10**9, LEASE, 10) == []
    assert await store.placements.keep_callback(claimed.id, "digest", b"{}", "up-1", NOW + 1) is not None
    assert len(await store.placements.claim_looks("acedata", NOW + 1, LEASE, 10)) == 1


async def test_a_start_makes_what_was_stalled_due(store: Store) -> None:
    stalled, healthy = await queued(store, look_at=NOW), await queued(store, look_at=NOW + 900_000)
    [claimed] = await store.placements.claim_looks("acedata", NOW, LEASE, 10)
    await store.placements.looked(claimed, NOW + 900_000, NOW, heard=False)
    await store.queues.void_leases(NOW + 10)
    assert (await placement_of(store, stalled)).due_at == NOW + 10
    assert (await placement_of(store, healthy)).due_at == NOW + 900_000


async def test_what_has_ended_comes_first_then_what_may_be_done_then_what_is_too_young(store: Store) -> None:
    young, old, ended = [await queued(store, look_at=NOW - age) for age in (30, 20, 10)]
    for task, expected_at in ((young, NOW + 1), (old, NOW)):
        sql = "UPDATE placements SET expected_at = :at WHERE task = :task"
        await store._engine.write(lambda tx, at=expected_at, task_id=task.id, sql=sql: tx.run(sql, at=at, task=task_id))
    await store.placements.hint([ended.placement or ""], "list", NOW)
    claimed = [(await store.placements.claim_looks("acedata", NOW, LEASE, 1))[0].task for _ in range(3)]
    assert claimed == [ended.id, old.id, young.id]


async def test_only_what_is_hinted_at_can_be_claimed_alone(store: Store) -> None:
    await queued(store, look_at=NOW)
    ended = await queued(store, look_at=NOW + 300_000)
    await store.placements.hint([ended.placement or ""], "list", NOW)
    [claimed] = await store.placements.claim_looks("acedata", NOW, LEASE, 10, hinted=True)
    assert (claimed.task, claimed.hinted_by) == (ended.id, "list")


async def test_who_hints_first_is_remembered_and_a_look_that_is_due_already_is_hinted_at_too(store: Store) -> None:
    task = await queued(store, look_at=NOW - 10)
    await store.placements.hint([task.placement or ""], "list", NOW)
    await store.placements.hint([task.placement or ""], "another", NOW)
    placement = await placement_of(store, task)
    assert (placement.hinted_by, placement.due_at) == ("list", NOW - 10)


async def test_a_look_that_could_not_be_made_is_put_back_as_it_was(store: Store) -> None:
    task = await queued(store, look_at=NOW)
    await store.placements.hint([task.placement or ""], "list", NOW)
    before = await placement_of(store, task)
    [claimed] = await store.placements.claim_looks("acedata", NOW, LEASE, 10)
    await store.placements.put_back(claimed, NOW + 2_000)
    assert await placement_of(store, task) == replace(before, due_at=NOW + 2_000)


async def test_a_callback_during_a_look_that_is_put_back_is_not_put_off(store: Store) -> None:
    task = await queued(store, look_at=NOW)
    [claimed] = await store.placements.claim_looks("acedata", NOW, LEASE, 10)
    await store.placements.keep_callback(task.placement or "", "digest", b"{}", "up-1", NOW + 1)
    await store.placements.put_back(claimed, NOW + 2_000)
    assert (await placement_of(store, task)).due_at == NOW + 1
