"""Claims and ends that race, on both engines: no row is handed out twice, one end wins."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.messages import Category, Failure, Report, State
from service.store import Seat, Store
from service.store.lookups import NEWEST
from service.tasks import Task, TaskState, Verdict, advance, fail
from tests.service.nouns import ENGINES, NOW, a_message, a_task, due_now, kept, latest, opened, queued

pytestmark = pytest.mark.anyio
ROWS = 40


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


def only_once(batches: list[list[str]], expected: set[str]) -> None:
    taken = Counter(each for batch in batches for each in batch)
    assert set(taken) == expected
    assert set(taken.values()) == {1}


async def test_racing_claims_of_sends_take_each_task_once(store: Store) -> None:
    tasks = [a_task(state=TaskState.ACCEPTED, placement=None, due_at=NOW) for _ in range(ROWS)]
    for task in tasks:
        await store.tasks.accept(task, None, [])

    async def claim() -> list[str]:
        placed = await store.sends.claim("acedata", [Seat()], NOW, NOW + 1, 7, lambda: str(uuid4()))
        return [task.id for task, _ in placed]

    only_once(await asyncio.gather(*(claim() for _ in range(12))), {task.id for task in tasks})


async def test_racing_claims_of_looks_and_doubts_take_each_placement_once(store: Store) -> None:
    looks = {(await queued(store, look_at=NOW)).id for _ in range(ROWS)}
    doubts = {(await kept(store)).id for _ in range(ROWS)}
    late = NOW + 10**6

    async def claim(number: int) -> list[str]:
        if number % 2:
            return [one.task for one in await store.doubts.claim(late, late + 1, 7)]
        return [one.task for one in await store.placements.claim_looks("acedata", NOW, NOW + 1, 7)]

    only_once(await asyncio.gather(*(claim(number) for number in range(24))), looks | doubts)


async def test_racing_claims_of_deliveries_take_each_once(store: Store) -> None:
    for _ in range(ROWS):
        task = await queued(store)
        failed = fail(task, Failure(Category.CONTENT, "forbidden", "no"), NOW, "look")
        await store.tasks.record(failed, Verdict.ENDED, lambda each, task=task: a_message(task, each))
    made = {one.id for one in await store.deliveries.recent(None, "", "", NEWEST, 100)}

    async def claim() -> list[str]:
        return [one.id for one in await due_now(store, NOW, NOW + 1)]

    only_once(await asyncio.gather(*(claim() for _ in range(12))), made)


async def test_of_racing_reports_one_ends_the_task_and_tells(store: Store) -> None:
    task = await queued(store)
    reports = [Report("up", State.SUCCEEDED, video_url=f"https://v.example.com/{number}") for number in range(8)]

    async def record(report: Report) -> Task | None:
        ended = advance(task, report, NOW, "look")
        assert ended is not None
        wrote = await store.tasks.record(ended, Verdict.ENDED, lambda each: a_message(ended, each))
        return ended if wrote else None

    wrote = [one for one in await asyncio.gather(*map(record, reports)) if one]
    assert len(wrote) == 1
    assert (await latest(store, task)).outcome == wrote[0].outcome
    assert len(await store.deliveries.recent(None, task.id, "", NEWEST, 10)) == 1


async def test_an_answer_and_a_doubt_that_race_leave_one_clear_state(store: Store) -> None:
    for number in range(10):
        task = await kept(store)
        placement = task.placement or ""
        await asyncio.gather(
            store.tasks.accepted(placement, f"up-{number}", NOW, NOW),
            store.tasks.doubted(placement, "overdue", NOW, NOW),
        )
        found = await store.lookups.placement(placement)
        assert found is not None
        assert (found.verdict, found.upstream_id) == (Verdict.ACCEPTED, f"up-{number}")
        assert (await latest(store, task)).state is TaskState.QUEUED
