"""The log of events, on both engines: written once with what it tells, read without gaps in the order of commits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters import SHAPES
from adapters.catalogue import builtin
from adapters.messages import Report, State
from service.domain.event_log import Event
from service.domain.tasks import TASK_EXPIRED, Task, TaskState, Verdict, advance, fail
from service.domain.tell import Teller
from service.store import Store
from service.store.engine import Transaction
from service.store.event_log import LogPage, write_event
from tests.service.nouns import ENGINES, NOW, a_message, a_watched, opened, queued, watched

pytestmark = pytest.mark.anyio
VIDEO = Report("up", State.SUCCEEDED, video_url="https://v.example.com/1.mp4")
TELLER = Teller({name: shape(builtin()) for name, shape in SHAPES.items()}, lambda: "msg_1")
ANY = 10**6


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


def an_event(task: Task, type_: str = "task.succeeded", at: int = NOW) -> Event:
    return Event(task.id, task.client, type_, at, f'{{"type":"{type_}"}}'.encode())


async def ended(store: Store, task: Task, event: Event | None = None, at: int = NOW) -> Task:
    """Its end is recorded, with its event."""
    done = advance(task, VIDEO, at, "look")
    assert done is not None
    kept = event or TELLER.event(done)
    assert await store.tasks.record(done, Verdict.ENDED, lambda each: a_message(done, each), event=kept)
    return done


async def told(store: Store, after: int = 0, limit: int = ANY, **which: object) -> LogPage:
    return await store.event_log.page(after, limit, **which)  # type: ignore[arg-type]


async def types(store: Store, **which: object) -> list[tuple[int, str]]:
    return [(event.seq, event.type) for event in (await told(store, **which)).events]


async def test_what_ends_a_task_writes_its_event_and_its_delivery_together(store: Store) -> None:
    task = await queued(store)
    done = await ended(store, task)
    [event] = (await told(store)).events
    assert (event.seq, event.task, event.client, event.type) == (1, task.id, task.client, "task.succeeded")
    assert event == await store.event_log.get(1, task.client)
    assert event.body == TELLER.event(done).body  # type: ignore[union-attr]


async def test_of_what_is_not_written_there_is_no_event_and_no_gap(store: Store) -> None:
    task = await queued(store)
    done = advance(task, VIDEO, NOW, "look")
    assert done is not None

    def broken(_: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store.tasks.record(done, Verdict.ENDED, broken, event=an_event(task))  # type: ignore[arg-type]
    assert await types(store) == []
    await ended(store, task)
    late = fail(task, TASK_EXPIRED, NOW, "look", TaskState.EXPIRED)
    assert not await store.tasks.record(late, Verdict.ENDED, None, event=an_event(task, "task.expired"))
    await ended(store, await queued(store))
    assert await types(store) == [(1, "task.succeeded"), (2, "task.succeeded")]


async def test_a_task_begins_and_ends_once_and_what_was_told_stays(store: Store) -> None:
    task = await queued(store)
    running = advance(task, Report("up", State.RUNNING), NOW, "look")
    assert running is not None
    assert await store.tasks.record(running, Verdict.ENDED, None, event=TELLER.event(running))
    expired = fail(
        await store.lookups.task(task.id) or task, TASK_EXPIRED, NOW, "look", TaskState.EXPIRED
    )  # fmt: skip
    assert await store.tasks.record(expired, Verdict.UNPROVEN, None, event=TELLER.event(expired))
    again = await store.lookups.task(task.id) or task
    assert await store.tasks.record(again, Verdict.UNPROVEN, None, event=an_event(task, "task.expired", at=NOW + 5))
    video = advance(await store.lookups.task(task.id) or task, VIDEO, NOW, "look")
    assert video is not None
    assert await store.tasks.record(video, Verdict.ENDED, None, event=TELLER.event(video, recovered=True))
    assert await types(store, task=task.id) == [(1, "task.running"), (2, "task.expired"), (3, "task.recovered")]
    assert (await told(store)).events[1].at == NOW


async def test_what_is_watched_is_logged_as_it_is_found(store: Store) -> None:
    await watched(store)
    assert await types(store) == []
    for state, type_ in ((State.RUNNING, "task.running"), (State.SUCCEEDED, "task.succeeded")):
        task, placement = a_watched()
        found = advance(task, Report("up", state, video_url="https://v.example.com/"), NOW, "watch")
        assert found is not None
        assert await store.watches.watch(found, placement, [], a_message, TELLER.event(found)) is None
        assert await types(store, task=task.id) == [((await told(store)).after, type_)]
        assert await store.watches.watch(found, placement, [], a_message, TELLER.event(found)) is not None
    assert (await told(store)).after == 2


async def test_a_page_goes_on_where_the_last_one_ended_also_over_what_was_not_asked_for(store: Store) -> None:
    mine = [await queued(store, client="env:mine") for _ in range(3)]
    for task in mine:
        await ended(store, task)
        await ended(store, await queued(store, client="env:other"))
    first = await told(store, limit=2, client="env:mine")
    assert ([event.seq for event in first.events], first.after) == ([1, 3], 3)
    rest = await told(store, first.after, limit=2, client="env:mine")
    assert ([event.seq for event in rest.events], rest.after) == ([5], 6)
    assert await told(store, client="env:mine", types=["task.failed"]) == LogPage([], 6)
    assert [event.task for event in (await told(store, client="env:mine", types=["task.succeeded"])).events] == [
        task.id for task in mine
    ]
    assert await store.event_log.get(2, "env:mine") is None
    assert await store.event_log.get(2, None) is not None
    assert await store.event_log.get(7, None) is None


async def test_a_task_that_has_ended_and_was_read_has_nothing_more_to_tell(store: Store) -> None:
    task = await queued(store)
    assert not (await told(store, task=task.id)).ended
    await ended(store, task)
    assert not (await told(store, limit=1, task=task.id)).ended  # there may be more
    assert (await told(store, limit=2, task=task.id)).ended
    assert (await told(store, 1, limit=1, task=task.id)).ended
    assert not (await told(store)).ended


async def test_a_time_leads_to_the_place_before_it(store: Store) -> None:
    assert await store.event_log.before(NOW) == await store.event_log.head() == 0
    for at in (NOW, NOW + 10, NOW + 20):
        await ended(store, await queued(store), at=at)
    assert [await store.event_log.before(NOW + late) for late in (0, 1, 10, 20, 21)] == [0, 1, 1, 2, 3]
    assert await store.event_log.head() == 3


async def test_no_event_is_seen_before_one_with_a_smaller_number(store: Store) -> None:
    first, second = await queued(store), await queued(store)
    written, commit = threading.Event(), threading.Event()

    def slow(tx: Transaction) -> None:
        write_event(tx, an_event(first))
        written.set()
        assert commit.wait(60)

    slowly = asyncio.create_task(store._engine.write(slow))
    await asyncio.to_thread(written.wait, 60)
    quickly = asyncio.create_task(ended(store, second))
    for _ in range(20):
        assert await told(store) == LogPage([], 0)
    commit.set()
    await asyncio.gather(slowly, quickly)
    assert [event.task for event in (await told(store)).events] == [first.id, second.id]


@pytest.mark.parametrize("rounds", [3])
async def test_whoever_has_read_up_to_a_number_never_finds_a_new_one_below_it(store: Store, rounds: int) -> None:
    for _ in range(rounds):
        tasks = [await queued(store) for _ in range(24)]
        before = await store.event_log.head()  # not asked by the reader: the first ends may overtake that question
        wanted = before + len(tasks)
        seen: list[int] = []

        async def reader(after: int = before, seen: list[int] = seen, wanted: int = wanted) -> None:
            while after < wanted:
                page = await told(store, after)
                seen += [event.seq for event in page.events]
                after = page.after

        reading = asyncio.create_task(reader())
        await asyncio.gather(*(ended(store, task) for task in tasks))
        await reading
        assert seen == list(range(wanted - len(tasks) + 1, wanted + 1))
