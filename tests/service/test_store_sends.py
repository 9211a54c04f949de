"""Room and order of what waits to be sent, on both engines: limits hold whatever races, and nobody is starved."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from adapters.messages import Report, State
from service.domain.ledger import settled
from service.domain.tasks import Placement, Task, TaskState, Verdict, advance
from service.doubts.reopen import reopen
from service.sending.retry import again
from service.store import Placed, Road, Seat, Store
from service.store.room import heads
from service.store.sqlite import SqliteTransaction, connect, migrate
from tests.service.nouns import ENGINES, NOW, a_placement, a_task, kept, latest, opened, placement_of, queued

pytestmark = pytest.mark.anyio
LATER = NOW + 180_000


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


def new_id() -> str:
    return str(uuid4())


async def waiting(store: Store, client: str = "env:first", due_at: int = NOW, **changes: Any) -> Task:
    task = a_task(client=client, state=TaskState.ACCEPTED, placement=None, due_at=due_at, **changes)
    await store.tasks.accept(task, None, [])
    return task


async def claim(
    store: Store, *seats: Seat, limit: int = 100, now: int = NOW, provider: str = "acedata"
) -> list[Placed]:
    return await store.sends.claim(provider, seats, now, LATER, limit, new_id)


async def arrive(store: Store, *seats: Seat, **changes: Any) -> Placed | None:
    """A new create, sent at once if there is room."""
    task = a_task(**changes)
    stands, sent = await store.tasks.accept(task, a_placement(task), [], seats=seats)
    assert await latest(store, task) == stands
    return (stands, sent) if sent is not None else None


async def finish(store: Store, task: Task) -> None:
    taken = await store.tasks.accepted(task.placement or "", new_id(), NOW, NOW)
    assert taken is not None
    ended = advance(taken, Report("up", State.SUCCEEDED, video_url="https://v.example/1"), NOW, "look")
    assert ended is not None
    assert await store.tasks.record(ended, Verdict.ENDED, None)


async def elsewhere(
    store: Store, sent: Placed, roads: dict[str, list[Seat]], verdict: Verdict = Verdict.NOT_ACCEPTED
) -> Placed | None:
    ways = [Road(provider, seats) for provider, seats in roads.items()]
    return await store.sends.elsewhere(sent, verdict, "HTTP 429", ways, NOW + 1, LATER, new_id)


# Room


async def test_as_many_leave_as_there_is_room_and_one_more_for_each_that_ends(store: Store) -> None:
    for _ in range(5):
        await waiting(store)
    seat = Seat("a", most=2)
    first, second = await claim(store, seat)
    assert await claim(store, seat) == []
    await finish(store, first[0])
    assert len(await claim(store, seat)) == 1
    await store.tasks.doubted(second[1].id, "lost", NOW, LATER)
    assert await claim(store, seat) == []  # what is in doubt may be at work
    await store.sends.deferred(second[1].id, "HTTP 429", NOW, LATER)  # late, and the end of the doubt
    assert len(await claim(store, seat)) == 1


async def test_a_new_task_leaves_at_once_if_there_is_room_and_waits_otherwise(store: Store) -> None:
    seat = Seat("a", most=1)
    sent = await arrive(store, seat)
    assert sent is not None
    assert (sent[0].state, sent[1].account) == (TaskState.SUBMITTING, "a")
    assert await arrive(store, seat) is None
    [waits] = await store.lookups.tasks(None, "ACCEPTED", (2**62, ""), 10)
    assert (waits.placement, waits.due_at, await store.lookups.placements(waits.id)) == (None, NOW, [])
    assert await arrive(store, seat, provider="dashscope") is not None  # another provider's room is its own


async def test_a_new_task_overtakes_nobody_who_is_due(store: Store) -> None:
    seat = Seat("a", most=1)
    first = await arrive(store, seat)
    assert first is not None
    await waiting(store, "env:second", NOW - 1)
    await finish(store, first[0])
    assert await arrive(store, seat) is None
    [(elder, _)] = await claim(store, seat)
    assert elder.client == "env:second"


async def test_a_new_task_does_not_wait_for_one_that_waits_for_its_own_second_try(store: Store) -> None:
    await waiting(store, due_at=NOW + 60_000)
    assert await arrive(store, Seat("a", most=1)) is not None


async def test_nothing_leaves_while_no_account_is_awake(store: Store) -> None:
    assert await arrive(store) is None
    assert await claim(store) == []
    assert await store.sends.waiting("acedata", []) == (NOW, set())


async def test_limits_hold_whatever_races(store: Store) -> None:
    """Creates that come and tasks that waited, all at once."""
    seats = (Seat("a", ("a",), most=4), Seat("b", ("b",), most=3))
    for _ in range(10):
        await waiting(store, due_at=NOW + 1)

    async def come(number: int) -> list[Placed]:
        if number % 2:
            return await claim(store, *seats, limit=2, now=NOW + 1)
        sent = await arrive(store, *seats)
        return [sent] if sent else []

    placed = [sent for some in await asyncio.gather(*(come(number) for number in range(24))) for sent in some]
    assert Counter(placement.account for _, placement in placed) == {"a": 4, "b": 3}
    assert len({task.id for task, _ in placed}) == 7


async def test_the_account_with_most_room_is_taken_and_one_in_trouble_last(store: Store) -> None:
    seats = (Seat("a", ("a", ""), most=3), Seat("b", ("b",), most=5), Seat("c", ("c",), most=9, last=True))
    taken = [sent[1].account for _ in range(9) if (sent := await arrive(store, *seats))]
    assert taken == ["b", "b", "a", "b", "a", "b", "a", "b", "c"]


async def test_accounts_without_a_limit_share_and_are_never_full(store: Store) -> None:
    seats = (Seat("a", ("a",)), Seat("b", ("b",)))
    taken = [sent[1].account for _ in range(6) if (sent := await arrive(store, *seats))]
    assert sorted(taken) == ["a", "a", "a", "b", "b", "b"]


async def test_the_pace_of_an_account_is_kept(store: Store) -> None:
    for _ in range(5):
        await waiting(store)
    placed = await claim(store, Seat("a", ("a",), pace=1), Seat("b", ("b",), pace=2))
    assert Counter(placement.account for _, placement in placed) == {"a": 1, "b": 2}


async def test_the_tasks_of_a_watchers_own_key_take_no_room(store: Store) -> None:
    task = a_task(provider="apiyi")
    lent = a_placement(task, verdict=Verdict.ACCEPTED, upstream_id="theirs", credential=b"sealed")
    await store.tasks.accept(task, lent, [])
    assert await arrive(store, Seat("a", most=1), provider="apiyi") is not None


# Fairness


async def test_who_has_least_at_work_goes_first_and_of_each_client_the_oldest(store: Store) -> None:
    many = [await waiting(store, "env:many", NOW - 1000 + number) for number in range(6)]
    few = [await waiting(store, "env:few", NOW - 10 + number) for number in range(2)]
    order = [task.id for task, _ in await claim(store, Seat("a", most=5))]
    assert order == [many[0].id, few[0].id, many[1].id, few[1].id, many[2].id]


async def test_what_is_at_work_already_counts(store: Store) -> None:
    for _ in range(2):
        await kept(store, client="env:many")
    await queued(store, client="env:many", provider="dashscope")  # elsewhere: takes nobody's room here
    many = [await waiting(store, "env:many", NOW - 100) for _ in range(3)]
    few = [await waiting(store, "env:few", NOW - number) for number in (3, 2, 1)]
    order = [task.id for task, _ in await claim(store, Seat("a"), limit=4)]
    assert order == [few[0].id, few[1].id, many[0].id, few[2].id]  # of two with two, the one due for longer


async def test_one_waiting_task_is_not_starved_by_a_thousand(store: Store) -> None:
    for number in range(300):
        await waiting(store, "env:many", NOW - 1000 + number)
    await claim(store, Seat("a", most=10))
    one = await waiting(store, "env:one")
    [running] = (await store.lookups.tasks("env:many", "SUBMITTING", (2**62, ""), 1))[:1]
    await finish(store, running)
    assert [task.id for task, _ in await claim(store, Seat("a", most=10))] == [one.id]


async def test_only_what_is_due_and_of_this_provider_leaves(store: Store) -> None:
    await waiting(store, due_at=NOW + 1)
    await waiting(store, provider="dashscope")
    assert await claim(store, Seat("a")) == []
    assert await store.sends.waiting("acedata", [Seat("a")]) == (NOW + 1, {"a"})


async def test_a_task_canceled_while_it_waited_leaves_its_place_to_the_next(store: Store) -> None:
    first = await waiting(store, due_at=NOW - 1)
    second = await waiting(store)
    canceled = advance(first, Report("", State.CANCELED), NOW, "cancel")
    assert canceled is not None
    assert await store.tasks.record(canceled, Verdict.ENDED, None)
    assert [task.id for task, _ in await claim(store, Seat("a", most=1))] == [second.id]


def test_a_long_line_is_asked_by_index_and_never_sorted(tmp_path: Path) -> None:
    connection = connect_to(tmp_path)
    plans: list[str] = []

    class Explained(SqliteTransaction):
        def all(self, sql: str, **values: Any) -> Any:
            plans.extend(row["detail"] for row in super().all(f"EXPLAIN QUERY PLAN {sql}", **values))
            return super().all(sql, **values)

    assert heads(Explained(connection), "acedata") == []
    asked = [plan for plan in plans if "tasks" in plan]
    assert len(asked) == 3
    assert all("SEARCH tasks USING INDEX tasks_waiting (provider=?" in plan for plan in asked)
    connection.close()


def connect_to(folder: Path) -> sqlite3.Connection:
    (folder / "ringback.db").touch()
    connection = connect(folder / "ringback.db")
    migrate(connection)
    return connection


# Elsewhere


async def test_a_refused_send_is_closed_and_its_task_leaves_for_the_next_provider(store: Store) -> None:
    task = await kept(store)
    sent = (task, await placement_of(store, task))
    moved = await elsewhere(store, sent, {"apiyi": [Seat("a", most=1)]})
    assert moved is not None
    again, placement = moved
    assert again == await latest(store, task)
    assert (again.state, again.provider, again.placement) == (TaskState.SUBMITTING, "apiyi", placement.id)
    assert (again.passed, again.version) == (("acedata",), task.version + 1)
    assert (placement.account, placement.verdict, placement.doubt_at) == ("a", Verdict.SENDING, LATER)
    closed = await placement_of(store, task)
    assert (closed.verdict, closed.reason, closed.doubt_at) == (Verdict.NOT_ACCEPTED, "HTTP 429", None)


async def test_a_provider_that_is_full_or_has_a_line_is_passed(store: Store) -> None:
    task = await kept(store)
    sent = (task, await placement_of(store, task))
    await waiting(store, provider="laozhang")
    roads = {"laozhang": [Seat("x")], "apiyi": [Seat("y", most=0)], "dashscope": [Seat("z")]}
    full = dict(list(roads.items())[:2])
    assert await elsewhere(store, sent, full) is None
    assert (await latest(store, task), await placement_of(store, task)) == sent
    moved = await elsewhere(store, sent, roads)
    assert moved is not None
    assert moved[0].passed == ("laozhang", "apiyi", "acedata")


async def test_a_task_in_doubt_goes_nowhere(store: Store) -> None:
    task = await kept(store)
    sent = (task, await placement_of(store, task))
    await store.tasks.doubted(sent[1].id, "overdue", NOW, LATER)
    assert await elsewhere(store, sent, {"apiyi": [Seat("a")]}) is None
    assert [one.provider for one in await store.lookups.placements(task.id)] == ["acedata"]


async def test_of_two_who_send_a_task_elsewhere_one_does(store: Store) -> None:
    for _ in range(10):
        task = await kept(store)
        sent = (task, await placement_of(store, task))
        moved = await asyncio.gather(
            elsewhere(store, sent, {"apiyi": [Seat("a")], "dashscope": [Seat("b")]}),
            elsewhere(store, sent, {"dashscope": [Seat("b")], "apiyi": [Seat("a")]}),
            store.tasks.doubted(sent[1].id, "overdue", NOW, LATER),
        )
        assert sum(one is not None for one in moved) == 1
        live = [p for p in await store.lookups.placements(task.id) if p.verdict in (Verdict.SENDING, Verdict.IN_DOUBT)]
        assert len(live) == 1


async def test_a_round_that_ends_makes_everybody_a_candidate_again(store: Store) -> None:
    task = await kept(store)
    moved = await elsewhere(store, (task, await placement_of(store, task)), {"apiyi": [Seat("a")]})
    assert moved is not None
    deferred = await store.sends.deferred(moved[1].id, "HTTP 429", NOW, NOW + 2000, Road("acedata", []))
    assert deferred is not None
    assert (deferred.provider, deferred.passed, deferred.due_at) == ("acedata", (), NOW + 2000)
    assert deferred == await latest(store, task)


# With an earlier send that is proven after all


async def sent_twice(store: Store, provider: str = "acedata") -> tuple[Task, Placement]:
    """A task whose first send was given up, and which an operator had sent again."""
    task = await kept(store)
    doubted = await store.tasks.doubted(task.placement or "", "lost", NOW, LATER)
    assert doubted is not None
    assert await store.decisions.reopen(reopen(doubted, provider, NOW + 1))
    [(again, _)] = await claim(store, Seat("a"), now=NOW + 1, provider=provider)
    return again, await placement_of(store, task)


async def test_a_second_send_goes_nowhere_else_once_the_first_is_proven(store: Store) -> None:
    task, first = await sent_twice(store)
    assert await store.doubts.adopted(first.id, "up-1", NOW + 2, NOW + 2) is not None
    assert await elsewhere(store, (task, await placement_of(store, task)), {"apiyi": [Seat("a")]}) is None
    assert len(await store.lookups.placements(task.id)) == 2


async def test_a_second_send_that_fails_is_not_followed_by_a_third_once_the_first_is_proven(store: Store) -> None:
    task, first = await sent_twice(store)
    taken = await store.tasks.accepted(task.placement or "", "up-2", NOW + 2, NOW + 2)
    assert taken is not None
    assert await store.doubts.adopted(first.id, "up-1", NOW + 2, NOW + 2) is not None
    latest_row = await latest(store, task)
    waits = again(latest_row, "apiyi", NOW + 3, NOW + 5)
    assert not await store.sends.again(waits, Road("apiyi", []), None, settled)
    assert (await latest(store, task)).state is TaskState.QUEUED


async def test_a_refused_second_send_ends_nothing_once_the_first_is_proven(store: Store) -> None:
    task, first = await sent_twice(store)
    second = await placement_of(store, task)
    assert await store.sends.went_on(second.id, "HTTP 400", NOW + 2) is None
    assert (await latest(store, task), await placement_of(store, task)) == (task, second), "there is no other one yet"
    assert await store.doubts.adopted(first.id, "up-1", NOW + 2, NOW + 2) is not None
    moved = await store.sends.went_on(second.id, "HTTP 400", NOW + 3)
    assert moved is not None
    assert (moved.state, moved.placement) == (TaskState.QUEUED, first.id)
    assert [each.verdict for each in await store.lookups.placements(task.id)] == [Verdict.ACCEPTED, Verdict.REFUSED]


# Of a provider that was taken out


async def test_what_waits_for_a_provider_is_read_page_by_page(store: Store) -> None:
    tasks = sorted([(await waiting(store, due_at=NOW + 10**9)).id for _ in range(5)])
    await waiting(store, provider="dashscope")
    await kept(store)
    first = await store.sends.stranded("acedata", "", 3)
    rest = await store.sends.stranded("acedata", first[-1].id, 3)
    assert [task.id for task in (*first, *rest)] == tasks


async def test_a_task_that_waits_goes_to_another_provider_unless_it_has_moved_on(store: Store) -> None:
    task = await waiting(store, due_at=NOW + 10**9)
    assert await store.sends.rerouted(task, Road("apiyi", []), NOW + 1)
    assert not await store.sends.rerouted(task, Road("laozhang", []), NOW + 2)
    moved = await latest(store, task)
    assert (moved.state, moved.provider, moved.due_at) == (TaskState.ACCEPTED, "apiyi", NOW + 1)
    [(_, placement)] = await claim(store, Seat("a"), provider="apiyi", now=NOW + 1)
    assert placement.provider == "apiyi"


async def test_what_a_provider_took_long_ago_is_found_by_account(store: Store) -> None:
    old = await queued(store)
    await store.placements.closed((await queued(store)).placement or "", Report("up", State.FAILED))
    await kept(store)
    assert [one.task for one in await store.placements.sent_before("acedata", NOW + 1, 9)] == [old.id]
    assert [one.task for one in await store.placements.sent_before("acedata", NOW + 1, 9, [""])] == [old.id]
    assert await store.placements.sent_before("acedata", NOW + 1, 9, ["other"]) == []
    assert await store.placements.sent_before("acedata", NOW, 9) == []
    assert await store.placements.sent_before("apiyi", NOW + 1, 9) == []
