"""What the verbs of a task's life promise, on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from adapters.messages import Category, Failure, Report, State, Usage
from service.domain.deliveries import RUNNING, Delivery, Subscription
from service.domain.tasks import Task, TaskState, Verdict, advance, fail
from service.store import Seat, Store
from service.store.lookups import NEWEST
from tests.service.nouns import (
    ENGINES,
    NOW,
    a_message,
    a_placement,
    a_subscription,
    a_task,
    kept,
    latest,
    opened,
    placement_of,
    queued,
)

pytestmark = pytest.mark.anyio


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


def waiting(**changes: Any) -> Task:
    """A task that waits to be sent (again)."""
    return a_task(**{"state": TaskState.ACCEPTED, "placement": None, "due_at": NOW} | changes)


def succeeded(task: Task) -> Task:
    report = Report("up-1", State.SUCCEEDED, video_url="https://cdn.example.com/v.mp4?sig=ä")
    ended = advance(task, report, NOW + 9000, "look")
    assert ended is not None
    return ended


async def claim_sends(store: Store, limit: int = 10, now: int = NOW) -> list[Task]:
    placed = await store.sends.claim("acedata", [Seat()], now, now + 180_000, limit, lambda: str(uuid4()))
    return [task for task, _ in placed]


async def test_what_is_kept_comes_back_as_it_was(store: Store) -> None:
    usage = Usage(duration=5.0, output_video_duration=5.04, video_count=1, raw={"SR": 720})
    failure = Failure(Category.CONTENT, "DataInspectionFailed", "不行", "native")
    outcome = Report("ours", State.FAILED, failure=failure, usage=usage, progress=30, details={"a": [1, None, {}]})
    body = {"prompt": '猫 \U0001f431 "quoted"\n', "deep": {"list": [1, 2.5, True, None]}, "big": 2**62}
    task = a_task(
        body=body, headers={"x-oss": "enable"}, metadata={"order": "42"}, outcome=outcome, detector="look",
        finished_at=NOW + 1, due_at=NOW + 2,
    )  # fmt: skip
    placement, subscription = a_placement(task), a_subscription(task)
    await store.tasks.accept(task, placement, [subscription])
    assert await store.lookups.task(task.id) == task
    assert await store.lookups.placements(task.id) == [placement]
    assert await store.lookups.subscriptions(task.id) == [subscription]


async def test_keeping_is_all_or_nothing(store: Store) -> None:
    task = a_task()
    subscription = a_subscription(task)
    with pytest.raises(Exception, match=r"(?i)unique"):
        await store.tasks.accept(task, a_placement(task), [subscription, subscription])
    assert await store.lookups.task(task.id) is None
    assert await store.lookups.placements(task.id) == []


async def test_a_taken_send_is_looked_at_later(store: Store) -> None:
    task = await kept(store)
    taken = await store.tasks.accepted(task.placement or "", "up-1", NOW + 10, NOW + 5000)
    assert taken == await latest(store, task)
    assert taken is not None
    assert (taken.state, taken.updated_at, taken.version) == (TaskState.QUEUED, NOW + 10, task.version + 1)
    placement = await placement_of(store, task)
    assert (placement.verdict, placement.upstream_id) == (Verdict.ACCEPTED, "up-1")
    assert (placement.due_at, placement.doubt_at, placement.heard_at) == (NOW + 5000, None, NOW + 10)


async def test_a_send_whose_callback_overtook_its_answer_is_looked_at_now(store: Store) -> None:
    task = await kept(store)
    await store.placements.keep_callback(task.placement or "", "digest", b"{}", "up-1", NOW + 5)
    await store.tasks.accepted(task.placement or "", "up-1", NOW + 10, NOW + 5000)
    assert (await placement_of(store, task)).due_at == NOW + 10


async def test_an_answer_that_comes_after_all_takes_a_task_out_of_doubt(store: Store) -> None:
    task = await kept(store)
    await store.tasks.doubted(task.placement or "", "lost", NOW, NOW + 900_000)
    taken = await store.tasks.accepted(task.placement or "", "up-1", NOW, NOW + 5000)
    assert taken is not None
    assert taken.state is TaskState.QUEUED


async def test_an_answer_after_the_end_changes_nothing(store: Store) -> None:
    task = await kept(store)
    ended = fail(task, Failure(Category.CONTENT, "forbidden", "?"), NOW, "send")
    await store.tasks.record(ended, Verdict.REFUSED, None)
    assert await store.tasks.accepted(task.placement or "", "up-1", NOW, NOW) is None
    placement = await placement_of(store, task)
    assert (placement.verdict, placement.due_at) == (Verdict.REFUSED, None)


async def test_an_answer_after_it_was_given_up_has_the_send_looked_at(store: Store) -> None:
    task = await kept(store)
    ended = fail(task, Failure(Category.OURS, "outcome_unknown", "?"), NOW, "doubt")
    await store.tasks.record(ended, Verdict.UNPROVEN, None)
    assert await store.tasks.accepted(task.placement or "", "up-1", NOW, NOW) is None
    placement = await placement_of(store, task)
    assert (placement.verdict, placement.upstream_id, placement.due_at) == (Verdict.ACCEPTED, "up-1", NOW)


async def test_two_tasks_of_one_provider_never_share_an_upstream_id(store: Store) -> None:
    first = await queued(store, "up-1")
    second = await kept(store)
    with pytest.raises(Exception, match=r"(?i)unique"):
        await store.tasks.accepted(second.placement or "", "up-1", NOW, NOW)
    assert await latest(store, second) == second
    assert (await placement_of(store, first)).upstream_id == "up-1"
    await queued(store, "up-1", provider="dashscope")  # another provider counts for itself


async def test_a_deferred_task_waits_for_its_time_and_a_new_placement(store: Store) -> None:
    task = await kept(store)
    deferred = await store.sends.deferred(task.placement or "", "HTTP 429", NOW + 1, NOW + 2000)
    assert deferred is not None
    assert (deferred.state, deferred.due_at) == (TaskState.ACCEPTED, NOW + 2000)
    placement = await placement_of(store, task)
    assert (placement.verdict, placement.reason, placement.doubt_at) == (Verdict.NOT_ACCEPTED, "HTTP 429", None)
    assert await claim_sends(store, now=NOW + 1999) == []
    [again] = await claim_sends(store, now=NOW + 2000)
    assert again.placement != task.placement
    assert [one.verdict for one in await store.lookups.placements(task.id)] == [Verdict.NOT_ACCEPTED, Verdict.SENDING]


async def test_a_late_no_ends_the_doubt(store: Store) -> None:
    """The machine slept: the loop of doubts came before the send's own answer."""
    task = await kept(store)
    await store.tasks.doubted(task.placement or "", "overdue", NOW, NOW + 900_000)
    waits = await store.sends.deferred(task.placement or "", "HTTP 429", NOW, NOW)
    assert waits is not None
    assert waits.state is TaskState.ACCEPTED
    placement = await placement_of(store, task)
    assert (placement.verdict, placement.doubt_at) == (Verdict.NOT_ACCEPTED, None)


async def test_a_doubted_task_is_never_claimed_for_sending(store: Store) -> None:
    task = await kept(store)
    doubted = await store.tasks.doubted(task.placement or "", "lost", NOW, NOW + 900_000)
    assert doubted is not None
    assert doubted.state is TaskState.IN_DOUBT
    placement = await placement_of(store, task)
    assert (placement.verdict, placement.reason, placement.doubt_at) == (Verdict.IN_DOUBT, "lost", NOW + 900_000)
    assert await claim_sends(store, now=NOW + 10**9) == []


async def test_doubt_comes_too_late_for_a_taken_send(store: Store) -> None:
    task = await queued(store)
    assert await store.tasks.doubted(task.placement or "", "lost", NOW, NOW) is None
    assert (await placement_of(store, task)).verdict is Verdict.ACCEPTED
    assert (await latest(store, task)).state is TaskState.QUEUED


async def test_an_end_closes_its_placement_and_opens_one_delivery_for_each_subscription(store: Store) -> None:
    task = a_task()
    subscriptions = [a_subscription(task), a_subscription(task)]
    await store.tasks.accept(task, a_placement(task), subscriptions)
    taken = await store.tasks.accepted(task.placement or "", "up-1", NOW, NOW)
    assert taken is not None
    ended = succeeded(taken)
    assert await store.tasks.record(ended, Verdict.ENDED, lambda each: a_message(ended, each))
    assert await latest(store, task) == replace(ended, version=ended.version + 1)
    placement = await placement_of(store, task)
    assert (placement.verdict, placement.due_at, placement.claimed_at) == (Verdict.ENDED, None, None)
    told = await store.deliveries.recent(None, task.id, "", NEWEST, 10)
    assert {one.subscription for one in told} == {one.id for one in subscriptions}


async def test_of_two_who_saw_the_same_version_one_writes(store: Store) -> None:
    task = await queued(store)
    ended = succeeded(task)
    assert await store.tasks.record(ended, Verdict.ENDED, lambda each: a_message(ended, each))
    other = fail(task, Failure(Category.CONTENT, "forbidden", "no"), NOW, "callback")
    assert not await store.tasks.record(other, Verdict.ENDED, lambda each: a_message(other, each))
    assert (await latest(store, task)).state is TaskState.SUCCEEDED
    assert len(await store.deliveries.recent(None, task.id, "", NEWEST, 10)) == 1


async def test_a_task_that_only_runs_tells_nobody(store: Store) -> None:
    task = await queued(store)
    running = advance(task, Report("up-1", State.RUNNING, progress=30), NOW, "look")
    assert running is not None
    told = partial(a_message, running, type=RUNNING)
    assert await store.tasks.record(running, Verdict.ENDED, told)
    assert (await placement_of(store, task)).verdict is Verdict.ACCEPTED
    assert await store.deliveries.recent(None, task.id, "", NEWEST, 10) == []


async def test_a_task_canceled_between_two_sends_leaves_the_first_as_it_was(store: Store) -> None:
    task = await kept(store)
    deferred = await store.sends.deferred(task.placement or "", "HTTP 429", NOW, NOW + 2000)
    assert deferred is not None
    canceled = advance(deferred, Report("", State.CANCELED), NOW + 1, "cancel")
    assert canceled is not None
    assert await store.tasks.record(canceled, Verdict.ENDED, lambda each: a_message(canceled, each))
    placement = await placement_of(store, task)
    assert (placement.verdict, placement.reason) == (Verdict.NOT_ACCEPTED, "HTTP 429")


async def test_an_end_whose_message_cannot_be_made_is_not_written(store: Store) -> None:
    def broken(_: Subscription) -> Delivery:
        raise ZeroDivisionError

    task = await queued(store)
    with pytest.raises(ZeroDivisionError):
        await store.tasks.record(succeeded(task), Verdict.ENDED, broken)
    assert await latest(store, task) == task


async def test_sends_are_claimed_oldest_first_with_a_placement_of_their_own(store: Store) -> None:
    tasks = [waiting(due_at=NOW - age) for age in (10, 30, 20)]
    for task in tasks:
        await store.tasks.accept(task, None, [])
    ids = (f"placement-{number}" for number in count())
    claimed = await store.sends.claim("acedata", [Seat("key-1")], NOW, NOW + 180_000, 2, lambda: next(ids))
    assert [one.id for one, _ in claimed] == [tasks[1].id, tasks[2].id]
    for one, sending in claimed:
        assert await latest(store, one) == one
        assert (one.state, one.due_at, one.version) == (TaskState.SUBMITTING, None, 1)
        assert await placement_of(store, one) == sending
        assert (sending.task, sending.verdict, sending.doubt_at) == (one.id, Verdict.SENDING, NOW + 180_000)
        assert sending.account == "key-1"


async def test_only_accepted_tasks_are_claimed_for_sending(store: Store) -> None:
    for state in TaskState:
        await store.tasks.accept(waiting(state=state), None, [])
    assert len(await claim_sends(store)) == 1
    assert await claim_sends(store) == []
