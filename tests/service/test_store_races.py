"""Claims and ends that race, on both engines: no row is handed out twice, one end wins."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import pytest

from adapters.messages import Category, Failure, Report, State
from service.domain.ledger import settled
from service.domain.tasks import OUTCOME_UNKNOWN, Placement, Task, TaskState, Verdict, advance, fail
from service.doubts.reopen import reopen
from service.sending.retry import again
from service.store import Road, Seat, Store
from service.store.doubts import DoubtVerbs
from service.store.engine import Engine, Transaction, Verb
from service.store.lookups import NEWEST
from tests.service.nouns import (
    ENGINES,
    NOW,
    a_message,
    a_task,
    due_now,
    kept,
    latest,
    opened,
    placement_of,
    queued,
)
from tests.service.postgres import ADDRESS
from tests.service.test_store_sends import elsewhere, sent_twice

T = TypeVar("T")
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


# On an engine with many writers a verb may wait for another one, and must see what that has written.


class Holding:
    """An engine whose transactions commit only once another one waits for them, or is over."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.begun = asyncio.Event()
        self.over = threading.Event()

    async def write(self, verb: Verb[T]) -> T:
        loop = asyncio.get_running_loop()

        def held(tx: Transaction) -> T:
            result = verb(tx)
            loop.call_soon_threadsafe(self.begun.set)
            blocked = "SELECT pid FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"
            while tx.one(blocked) is None and not self.over.is_set():
                pass
            return result

        return await self._engine.write(held)

    async def read(self, verb: Verb[T]) -> T:
        return await self._engine.read(verb)

    async def close(self) -> None:
        await self._engine.close()


async def while_proven(store: Store, first: Placement, verb: Awaitable[T]) -> T:
    """What a verb comes to that begins while `first` is being adopted."""
    engine = Holding(store._engine)
    adopting = asyncio.create_task(DoubtVerbs(engine).adopted(first.id, "up-1", NOW + 2, NOW + 2))
    await engine.begun.wait()
    result = await verb
    engine.over.set()
    assert await adopting is not None
    return result


many_writers = pytest.mark.skipif(not ADDRESS, reason="RINGBACK_TEST_POSTGRES is not set: SQLite has one writer")


@many_writers
async def test_a_task_that_failed_is_not_sent_again_when_an_earlier_send_is_proven_meanwhile(tmp_path: Path) -> None:
    async with opened("postgres", tmp_path) as store:
        task, first = await sent_twice(store)
        assert await store.tasks.accepted(task.placement or "", "up-2", NOW + 2, NOW + 2) is not None
        waits = again(await latest(store, task), "apiyi", NOW + 3, NOW + 5)
        assert not await while_proven(store, first, store.sends.again(waits, Road("apiyi", []), None, settled))
        assert (await latest(store, task)).state is TaskState.QUEUED


@many_writers
async def test_a_refused_send_goes_nowhere_when_an_earlier_one_is_proven_meanwhile(tmp_path: Path) -> None:
    async with opened("postgres", tmp_path) as store:
        task, first = await sent_twice(store)
        sent = (task, await placement_of(store, task))
        assert await while_proven(store, first, elsewhere(store, sent, {"apiyi": [Seat("a")]})) is None
        assert len(await store.lookups.placements(task.id)) == 2


@many_writers
async def test_a_refused_send_ends_nothing_when_an_earlier_one_is_proven_meanwhile(tmp_path: Path) -> None:
    async with opened("postgres", tmp_path) as store:
        task, first = await sent_twice(store)
        moved = await while_proven(store, first, store.sends.went_on(task.placement or "", "HTTP 400", NOW + 3))
        assert moved is not None
        assert (moved.state, moved.placement) == (TaskState.QUEUED, first.id)


@many_writers
async def test_a_task_that_was_given_up_is_not_sent_again_when_its_send_is_proven_meanwhile(tmp_path: Path) -> None:
    async with opened("postgres", tmp_path) as store:
        task = await kept(store)
        doubted = await store.tasks.doubted(task.placement or "", "lost", NOW, NOW + 5)
        assert doubted is not None
        assert await store.tasks.record(fail(doubted, OUTCOME_UNKNOWN, NOW, "doubt"), Verdict.UNPROVEN, None)
        reopened = reopen(await latest(store, task), "apiyi", NOW + 3)
        first = await placement_of(store, task)
        assert not await while_proven(store, first, store.decisions.reopen(reopened))
