"""Reports arrive, from wherever: one end, one message for each subscription."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import SHAPES
from adapters.catalogue import builtin
from adapters.messages import Category, Failure, Report, State
from service.domain.deliveries import Delivery, Format
from service.domain.tasks import NO_RESULT, OUTCOME_UNKNOWN, Task, TaskState, Verdict, advance
from service.domain.tell import Teller
from service.store import Store
from service.store.lookups import NEWEST
from service.telling.receive import Receiver
from tests.service.nouns import NOW, a_subscription, a_task, kept, latest, placement_of, queued

pytestmark = pytest.mark.anyio
VIDEO = Report("up-1", State.SUCCEEDED, video_url="https://v.example.com/1.mp4")
REFUSED = Report("up-1", State.FAILED, failure=Failure(Category.CONTENT, "forbidden", "no", "flat"))
RUNNING = Report("up-1", State.RUNNING)


@dataclass
class Desk:
    store: Store
    receiver: Receiver
    ended: list[Task] = field(default_factory=list)

    async def told(self, task: Task) -> list[Delivery]:
        return await self.store.deliveries.recent(None, task.id, "", NEWEST, 10)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    store = Store.open(tmp_path / "ringback.db")
    numbers = count()
    shapes = {name: shape(builtin()) for name, shape in SHAPES.items()}
    ended: list[Task] = []
    teller = Teller(shapes, lambda: f"msg_{next(numbers)}")
    yield Desk(store, Receiver(store, teller, lambda: NOW + 9, lambda task, moved: ended.append(task)), ended)
    await store.close()


async def test_an_end_is_on_disk_before_anybody_hears_of_it(desk: Desk) -> None:
    task = await queued(desk.store)
    seen = []
    desk.receiver._on_told = lambda ended, moved: seen.append(asyncio.ensure_future(latest(desk.store, ended)))
    moved = await desk.receiver.report(task, VIDEO, "callback")
    assert moved is not None
    [found] = await asyncio.gather(*seen)
    assert (found.state, found.detector, found.finished_at) == (TaskState.SUCCEEDED, "callback", NOW + 9)
    assert len(await desk.told(task)) == 1


async def test_the_same_report_twice_ends_and_tells_once(desk: Desk) -> None:
    task = await queued(desk.store)
    assert await desk.receiver.report(task, VIDEO, "callback") is not None
    assert await desk.receiver.report(task, VIDEO, "look") is None
    assert len(desk.ended) == len(await desk.told(task)) == 1


async def test_reports_that_race_end_a_task_once(desk: Desk) -> None:
    for _ in range(5):
        task = await queued(desk.store)
        reports = [VIDEO, REFUSED, RUNNING, replace(VIDEO, video_url="https://v.example.com/2.mp4")] * 4
        moved = await asyncio.gather(*(desk.receiver.report(task, report, "look") for report in reports))
        ends = [one for one in moved if one is not None and one.ended]
        assert len(ends) == 1
        assert (await latest(desk.store, task)).outcome == ends[0].outcome
        assert len(await desk.told(task)) == 1


async def test_a_report_meets_the_task_as_it_is_by_now(desk: Desk) -> None:
    """The task ran on since it was read: the newer state counts, and nothing is lost."""
    stale = await queued(desk.store)
    assert await desk.receiver.report(stale, RUNNING, "look") is not None
    assert await desk.receiver.report(stale, VIDEO, "look") is not None
    assert await desk.receiver.report(stale, Report("up-1", State.QUEUED), "look") is None
    assert (await latest(desk.store, stale)).state is TaskState.SUCCEEDED


async def test_a_success_without_a_video_waits_for_the_last_word(desk: Desk) -> None:
    task = await queued(desk.store)
    empty = Report("up-1", State.SUCCEEDED)
    assert await desk.receiver.report(task, empty, "look") is None
    assert (await latest(desk.store, task)).state is TaskState.QUEUED
    failed = await desk.receiver.report(task, empty, "look", last_word=True)
    assert failed is not None
    assert failed.outcome is not None
    assert (failed.state, failed.outcome.failure) == (TaskState.FAILED, NO_RESULT)
    assert len(await desk.told(task)) == 1


async def test_giving_up_ends_only_what_is_still_where_it_was(desk: Desk) -> None:
    doubtful = await kept(desk.store)
    in_doubt = await desk.store.tasks.doubted(doubtful.placement or "", "lost", NOW, NOW)
    assert in_doubt is not None
    await desk.store.tasks.accepted(doubtful.placement or "", "up-1", NOW, NOW)  # adopted
    given_up = await desk.receiver.give_up(in_doubt, OUTCOME_UNKNOWN, "doubt", only=TaskState.IN_DOUBT)
    assert given_up is None
    assert (await latest(desk.store, doubtful)).state is TaskState.QUEUED
    assert (await placement_of(desk.store, doubtful)).verdict is Verdict.ACCEPTED


async def test_giving_up_twice_tells_once(desk: Desk) -> None:
    task = await kept(desk.store)
    for _ in range(2):
        await desk.receiver.give_up(task, OUTCOME_UNKNOWN, "doubt", verdict=Verdict.UNPROVEN)
    assert (await placement_of(desk.store, task)).verdict is Verdict.UNPROVEN
    assert len(desk.ended) == len(await desk.told(task)) == 1


async def test_who_was_told_in_person_is_not_told_again(desk: Desk) -> None:
    task = await kept(desk.store)
    assert REFUSED.failure is not None
    refused = await desk.receiver.give_up(task, REFUSED.failure, "send", verdict=Verdict.REFUSED, tell=False)
    assert refused is not None
    assert await desk.told(task) == []
    assert [one.id for one in desk.ended] == [task.id]  # a held request still hears of it


async def test_an_unknown_task_is_no_news(desk: Desk) -> None:
    task = await queued(desk.store)
    assert await desk.receiver.report(task, Report("up-1", State.UNKNOWN), "look") is None
    assert await desk.receiver.report(replace(task, id="nobody's"), VIDEO, "look") is None


failures = st.builds(
    Failure,
    st.sampled_from(Category),
    st.text(max_size=12),
    st.text(max_size=30),
    st.sampled_from(["", *SHAPES]),
)


@settings(max_examples=60)
@given(st.none() | failures, st.sampled_from(list(SHAPES)), st.dictionaries(st.text(max_size=5), st.text(max_size=5)))
def test_every_failure_can_be_told_in_every_shape(
    failure: Failure | None, shape: str, metadata: dict[str, str]
) -> None:
    report = Report("up-1", State.FAILED, failure=failure)
    shapes = {name: made(builtin()) for name, made in SHAPES.items()}
    body = {"model": "wan2.6-t2v", "input": {"prompt": "a cat"}}
    task = advance(a_task(shape=shape, body=body, state=TaskState.QUEUED, metadata=metadata), report, NOW, "look")
    assert task is not None
    for form in Format:
        delivery = Teller(shapes, lambda: "msg_1").message(task, a_subscription(task, format=form))
        assert task.id.encode() in delivery.body


async def test_a_late_video_of_a_send_that_was_given_up_ends_the_task_that_waits_for_another(desk: Desk) -> None:
    task = await kept(desk.store, state=TaskState.ACCEPTED)
    moved = await desk.receiver.report(task, VIDEO, "callback", placement="an earlier one")
    assert moved is not None
    assert moved.state is TaskState.SUCCEEDED


async def test_no_other_news_of_a_send_that_was_given_up_moves_its_task(desk: Desk) -> None:
    task = await queued(desk.store)
    for state in (State.RUNNING, State.FAILED, State.CANCELED):
        assert await desk.receiver.report(task, Report("up-0", state), "look", placement="an earlier one") is None


async def test_an_end_of_an_earlier_send_ends_nothing(desk: Desk) -> None:
    task = await queued(desk.store)
    assert await desk.receiver.give_up(task, NO_RESULT, "look", placement="an earlier one") is None
    assert (await latest(desk.store, task)).state is TaskState.QUEUED
    ended = await desk.receiver.give_up(task, NO_RESULT, "look", placement=task.placement)
    assert ended is not None
    assert ended.ended
