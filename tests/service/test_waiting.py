"""Requests that wait for a task's end."""

from __future__ import annotations

import asyncio

import pytest

from service.domain.tasks import NO_RESULT, Task, TaskState, fail
from service.telling.waiting import WaitingRoom
from tests.service.nouns import NOW, a_task

pytestmark = pytest.mark.anyio
FOREVER = 3600.0


def ended(task: Task) -> Task:
    return fail(task, NO_RESULT, NOW, "look")


async def as_it_was() -> Task | None:
    return None


async def waiting(room: WaitingRoom, task: Task, seconds: float = FOREVER) -> asyncio.Task[Task]:
    """A request that waits by now."""
    wait = asyncio.create_task(room.wait(task, seconds, as_it_was))
    for _ in range(3):
        await asyncio.sleep(0)
    return wait


async def test_everyone_who_waits_for_a_task_hears_of_its_end() -> None:
    room, task, other = WaitingRoom(10), a_task(), a_task()
    waits = [await waiting(room, task) for _ in range(3)]
    unconcerned = await waiting(room, other)
    room.ended(ended(task))
    assert await asyncio.gather(*waits) == [ended(task)] * 3
    assert not unconcerned.done()
    unconcerned.cancel()


async def test_an_end_while_the_wait_begins_is_not_missed() -> None:
    room, task = WaitingRoom(10), a_task()

    async def ended_meanwhile() -> Task | None:
        room.ended(ended(task))
        return task

    async def ended_before() -> Task | None:
        return ended(task)

    assert await room.wait(task, FOREVER, ended_meanwhile) == ended(task)
    assert await room.wait(task, FOREVER, ended_before) == ended(task)


async def test_after_its_time_a_wait_gets_the_task_as_it_is() -> None:
    task, running = a_task(), a_task(state=TaskState.RUNNING)

    async def latest() -> Task | None:
        return running

    assert await WaitingRoom(10).wait(task, 0, latest) == running


async def test_a_client_with_too_many_waits_is_answered_at_once() -> None:
    room = WaitingRoom(2)
    waits = [await waiting(room, a_task(client="env:first")) for _ in range(2)]
    task = a_task(client="env:first")
    assert await room.wait(task, FOREVER, as_it_was) == task
    other = await waiting(room, a_task(client="env:second"))
    assert not other.done()
    waits[0].cancel()
    await asyncio.wait({waits[0]})
    freed = await waiting(room, task)
    assert not freed.done()
    room.close()
    await asyncio.gather(waits[1], other, freed)


async def test_closing_sends_everyone_home_with_the_task_as_it_is() -> None:
    room, task = WaitingRoom(10), a_task()
    wait = await waiting(room, task)
    room.close()
    assert await wait == task
    assert room.closed
    assert await room.wait(task, FOREVER, as_it_was) == task
    room.ended(ended(task))  # nobody is left to be told


async def test_waits_leave_nothing_behind() -> None:
    room, task = WaitingRoom(10), a_task()
    wait = await waiting(room, task)
    room.ended(ended(task))
    room.ended(ended(task))
    await wait
    assert not room._waiting
    assert not room._clients
