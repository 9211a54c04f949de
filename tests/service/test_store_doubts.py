"""What the verbs of sends in doubt promise, on both engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.domain.tasks import OUTCOME_UNKNOWN, Task, TaskState, Verdict, fail
from service.store import Queue, Seat, Store
from tests.service.nouns import ENGINES, NOW, kept, latest, opened, placement_of, queued

pytestmark = pytest.mark.anyio
LEASE = NOW + 60_000


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


async def doubtful(store: Store, due_at: int = NOW + 5000, **changes: object) -> Task:
    task = await kept(store, **changes)
    doubted = await store.tasks.doubted(task.placement or "", "lost", NOW, due_at)
    assert doubted is not None
    return doubted


async def given_up(store: Store, task: Task) -> None:
    assert await store.tasks.record(fail(task, OUTCOME_UNKNOWN, NOW, "doubt"), Verdict.UNPROVEN, None)


async def test_doubts_are_claimed_when_an_answer_or_a_look_for_it_is_overdue(store: Store) -> None:
    sending, doubt = await kept(store), await doubtful(store, NOW + 900_000)
    await queued(store)
    assert await store.doubts.claim(NOW + 179_999, LEASE, 10) == []
    [overdue] = await store.doubts.claim(NOW + 180_000, NOW + 240_000, 10)
    assert (overdue.task, overdue.verdict, overdue.doubt_at) == (sending.id, Verdict.SENDING, NOW + 240_000)
    now = NOW + 900_000
    claimed = await store.doubts.claim(now, now + 60_000, 10)
    assert {one.task for one in claimed} == {sending.id, doubt.id}
    assert await store.doubts.claim(now, now + 60_000, 10) == []


async def test_what_is_still_in_doubt_is_due_again_together(store: Store) -> None:
    tasks = [await doubtful(store, NOW + number) for number in range(3)]
    proven = tasks.pop()
    await store.tasks.accepted(proven.placement or "", "up", NOW, NOW)
    await store.doubts.again([task.placement or "" for task in (*tasks, proven)], NOW + 7)
    assert [(await placement_of(store, task)).doubt_at for task in (*tasks, proven)] == [NOW + 7, NOW + 7, None]
    await store.doubts.again([], NOW)


async def test_a_doubt_remembers_until_when_its_answer_could_have_come(store: Store) -> None:
    at_once, late = await doubtful(store), await kept(store)
    await store.tasks.doubted(late.placement or "", "died", NOW + 900, NOW + 900, NOW + 120)
    assert [(await placement_of(store, task)).lost_at for task in (at_once, late)] == [NOW, NOW + 120]


async def test_at_the_start_doubts_are_looked_for_at_once(store: Store) -> None:
    await doubtful(store, NOW + 60_000)
    await store.queues.void_leases(NOW + 3)
    assert await store.queues.next_due(Queue.DOUBTS) == NOW + 3


async def test_an_adopted_send_is_one_that_was_accepted(store: Store) -> None:
    task = await doubtful(store)
    adopted = await store.doubts.adopted(task.placement or "", "up", NOW + 1, NOW + 5)
    assert adopted == await latest(store, task)
    assert adopted.state is TaskState.QUEUED
    placement = await placement_of(store, task)
    assert (placement.verdict, placement.upstream_id, placement.doubt_at) == (Verdict.ACCEPTED, "up", None)
    assert (placement.due_at, placement.heard_at) == (NOW + 5, NOW + 1)
    assert await store.doubts.adopted(task.placement or "", "other", NOW + 1, NOW + 5) is None


async def test_an_id_that_another_placement_has_is_not_adopted(store: Store) -> None:
    await queued(store, "taken")
    await queued(store, "elsewhere", provider="dashscope")
    task = await doubtful(store)
    before = await placement_of(store, task)
    assert await store.doubts.adopted(task.placement or "", "taken", NOW, NOW) is None
    assert await placement_of(store, task) == before
    assert (await latest(store, task)).state is TaskState.IN_DOUBT
    assert await store.doubts.adopted(task.placement or "", "elsewhere", NOW, NOW) is not None


async def test_a_send_that_was_given_up_can_be_adopted_and_its_task_stays_ended(store: Store) -> None:
    task = await doubtful(store)
    await given_up(store, task)
    adopted = await store.doubts.adopted(task.placement or "", "up", NOW, NOW)
    assert adopted == await latest(store, task)
    assert adopted.state is TaskState.FAILED
    assert (await placement_of(store, task)).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("unfit", ["sending", "accepted", "not_accepted"])
async def test_only_what_is_in_doubt_is_adopted(store: Store, unfit: str) -> None:
    task = await (queued(store, "own") if unfit == "accepted" else kept(store))
    if unfit == "not_accepted":
        await store.sends.deferred(task.placement or "", "HTTP 429", NOW, NOW)
    before = await placement_of(store, task)
    assert await store.doubts.adopted(task.placement or "", "up", NOW, NOW) is None
    assert await placement_of(store, task) == before


async def test_of_adoptions_that_follow_each_other_one_gets_the_id(store: Store) -> None:
    tasks = [await doubtful(store) for _ in range(6)]
    adopted = [await store.doubts.adopted(task.placement or "", "up", NOW, NOW) for task in tasks]
    assert [one is not None for one in adopted] == [True] + [False] * 5


async def test_a_callback_and_a_list_that_race_adopt_the_same_once(store: Store) -> None:
    for number in range(10):
        task = await doubtful(store)
        await asyncio.gather(
            store.tasks.accepted(task.placement or "", f"up-{number}", NOW, NOW),
            store.doubts.adopted(task.placement or "", f"up-{number}", NOW, NOW),
        )
        assert (await placement_of(store, task)).upstream_id == f"up-{number}"
        assert (await latest(store, task)).state is TaskState.QUEUED


async def test_a_doubt_that_its_task_does_not_wait_for_can_be_left(store: Store) -> None:
    waits, moved_on = await doubtful(store), await doubtful(store)
    ended = fail(moved_on, OUTCOME_UNKNOWN, NOW, "doubt")
    await store.tasks.record(ended, Verdict.ENDED, None, placement="another")
    for task in (waits, moved_on):
        await store.doubts.left(task.placement or "")
    verdicts = [(await placement_of(store, task)).verdict for task in (waits, moved_on)]
    assert verdicts == [Verdict.IN_DOUBT, Verdict.UNPROVEN]


async def test_unnamed_are_the_sends_of_a_time_that_may_have_been_accepted(store: Store) -> None:
    sending, doubt, unproven = await kept(store), await doubtful(store), await doubtful(store)
    await given_up(store, unproven)
    named, waits, elsewhere = await queued(store), await kept(store), await kept(store, provider="dashscope")
    await store.sends.deferred(waits.placement or "", "HTTP 429", NOW, NOW)

    async def unnamed(since: int, until: int) -> set[str]:
        return {one.task for one in await store.doubts.unnamed("acedata", since, until)}

    assert await unnamed(NOW - 5, NOW + 5) == {sending.id, doubt.id, unproven.id}
    assert await unnamed(NOW + 1, NOW + 5) == {sending.id}  # its answer may still come
    assert await unnamed(NOW - 5, NOW - 1) == set()
    assert not {named.id, waits.id, elsewhere.id} & await unnamed(0, NOW)


async def test_strangers_are_the_ids_that_no_placement_of_the_provider_has(store: Store) -> None:
    await queued(store, "ours")
    await queued(store, "elsewhere", provider="dashscope")
    many = {f"id-{number}" for number in range(1200)}
    assert await store.doubts.strangers("acedata", {*many, "ours", "elsewhere"}) == {*many, "elsewhere"}
    assert await store.doubts.strangers("acedata", []) == set()


# A no that was not true


async def denied(store: Store, **changes: object) -> Task:
    """A task that waits, because the provider said no to its send."""
    task = await kept(store, **changes)
    waits = await store.sends.deferred(task.placement or "", "HTTP 500", NOW, NOW + 2000)
    assert waits is not None
    return waits


async def amounts(store: Store, task: Task) -> list[int | None]:
    return [charge.amount for charge in (await store.charges.of_task(task.id)).values()]


async def test_a_no_is_overruled_once_and_its_task_goes_on_by_that_send(store: Store) -> None:
    task = await denied(store)
    assert await amounts(store, task) == [0]
    found = await store.doubts.overruled(task.placement or "", "up", NOW + 1)
    assert found is not None
    assert (found.task, found.twice) == (await latest(store, task), False)
    assert (found.task.state, found.task.placement) == (TaskState.QUEUED, task.placement)
    placement = await placement_of(store, task)
    assert (placement.verdict, placement.upstream_id, placement.denied) == (Verdict.ACCEPTED, "up", True)
    assert (placement.due_at, placement.heard_at) == (NOW + 1, NOW + 1)
    assert await amounts(store, task) == [None]
    assert await store.doubts.overruled(task.placement or "", "up", NOW + 1) is None


async def test_a_send_that_began_meanwhile_stays_and_both_may_be_billed(store: Store) -> None:
    waits = await denied(store)
    [(task, second)] = await store.sends.claim("acedata", [Seat()], NOW + 2000, NOW + 9000, 5, lambda: "second")
    found = await store.doubts.overruled(waits.placement or "", "up", NOW + 2001)
    assert found is not None
    assert (found.task.state, found.task.placement, found.twice) == (TaskState.SUBMITTING, second.id, True)
    assert found.task.version > task.version
    assert await store.sends.went_on(second.id, "HTTP 400", NOW + 2002) is not None  # it was refused: the first goes on
    assert (await latest(store, task)).placement == waits.placement


async def test_a_refused_task_stays_ended_and_its_send_is_looked_at(store: Store) -> None:
    task = await kept(store)
    refused = fail(task, OUTCOME_UNKNOWN, NOW, "send")
    assert await store.tasks.record(refused, Verdict.REFUSED, None)
    found = await store.doubts.overruled(task.placement or "", "up", NOW + 1)
    assert found is not None
    assert found.task.state is TaskState.FAILED
    assert (await placement_of(store, task)).due_at == NOW + 1


async def test_an_id_of_another_send_overrules_nothing(store: Store) -> None:
    await queued(store, "taken")
    task = await denied(store)
    before = await placement_of(store, task)
    assert await store.doubts.overruled(task.placement or "", "taken", NOW + 1) is None
    assert await placement_of(store, task) == before


@pytest.mark.parametrize("unfit", ["sending", "accepted", "in_doubt"])
async def test_only_a_no_is_overruled(store: Store, unfit: str) -> None:
    task = await {"sending": kept, "accepted": queued, "in_doubt": doubtful}[unfit](store)
    assert await store.doubts.overruled(task.placement or "", "up", NOW + 1) is None


async def test_denied_are_those_of_some_sends_to_which_there_was_a_no(store: Store) -> None:
    task, others = await denied(store), [await kept(store), await queued(store)]
    asked = [each.placement or "" for each in (task, *others)]
    assert [one.id for one in await store.doubts.denied([*asked, "nobody's"])] == [task.placement]
    assert await store.doubts.denied([]) == []


async def test_a_doubt_over_a_no_says_so(store: Store) -> None:
    task = await kept(store)
    await store.tasks.doubted(task.placement or "", "HTTP 500", NOW, NOW + 5, denied=True)
    [claimed] = await store.doubts.claim(NOW + 5, LEASE, 10)
    assert (claimed.denied, claimed.verdict) == (True, Verdict.IN_DOUBT)


async def test_a_callback_that_came_before_the_no_is_looked_into(store: Store) -> None:
    for how in ("deferred", "refused"):
        task = await kept(store)
        await store.placements.keep_callback(task.placement or "", how, b"{}", how, NOW + 1)
        if how == "deferred":
            await store.sends.deferred(task.placement or "", "HTTP 500", NOW + 2, NOW + 2)
        else:
            await store.tasks.record(fail(task, OUTCOME_UNKNOWN, NOW, "send"), Verdict.REFUSED, None)
        [due] = await store.placements.claim_looks("acedata", NOW + 2, LEASE, 10)
        assert due.id == task.placement
        assert await store.placements.hinted_ids(due.id) == [how]
