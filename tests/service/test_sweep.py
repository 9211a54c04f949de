"""Many tasks at one glance: the list of what runs says which task to look at, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.asking import created, record, told
from tests.world import World, world

pytestmark = pytest.mark.anyio


class Wire:
    """What goes to the upstream: lists and single looks, counted; `answer` may answer in its place."""

    def __init__(self) -> None:
        self.lists: list[httpx.URL] = []
        self.looks: list[str] = []
        self.refuse: Any = None

    async def see(self, request: httpx.Request) -> httpx.Response | None:
        if request.method != "GET":
            return None
        if request.url.path.endswith("/tasks"):
            self.lists.append(request.url)
            return self.refuse(request) if self.refuse else None
        self.looks.append(request.url.path.rpartition("/")[2])
        return None


@asynccontextmanager
async def swept(folder: Path, **how: Any) -> AsyncIterator[tuple[World, Wire]]:
    async with world(folder, **how) as it:
        wire = Wire()
        it.between = wire.see
        yield it, wire


async def many(it: World, count: int, marker: str) -> list[str]:
    return [await created(it, f"{marker} seconds={60 + each}", provider="dashscope") for each in range(count)]


async def by_list(it: World, tasks: list[str]) -> int:
    """How many ends the list noticed first."""
    return sum([(await record(it, task))["detector"] == "list" for task in tasks])


async def states(it: World, tasks: list[str]) -> set[str]:
    return {(await record(it, task))["state"] for task in tasks}


async def test_a_task_that_is_missing_from_the_list_is_looked_at_once_and_told_at_once(tmp_path: Path) -> None:
    async with swept(tmp_path) as (it, wire):
        tasks = await many(it, 20, "queue=1")
        await it.settle(58)
        wire.looks.clear()
        for done in range(1, 21):
            await it.settle(1)
            late = len(tasks) - len(told(it)) - (20 - done)
            assert late <= 3
        await it.settle(6)
        assert await states(it, tasks) == {"SUCCEEDED"}
        assert await by_list(it, tasks) >= 17  # the last ones are too few for a list
        assert len(wire.looks) <= 35  # one each, and one a minute for safety


async def test_what_fails_early_is_told_early(tmp_path: Path) -> None:
    async with swept(tmp_path) as (it, _):
        await many(it, 10, "")
        await it.settle(15)
        task = await created(it, "fail seconds=2", provider="dashscope")
        await it.settle(13)
        assert (await record(it, task))["state"] == "FAILED"


async def test_a_few_tasks_are_not_worth_a_list(tmp_path: Path) -> None:
    async with swept(tmp_path) as (it, wire):
        tasks = await many(it, 2, "")
        await it.settle(70)
        assert wire.lists == []
        assert await states(it, tasks) == {"SUCCEEDED"}


@pytest.mark.parametrize("status", [400, 404])
async def test_without_a_list_there_are_single_looks(tmp_path: Path, status: int) -> None:
    async with swept(tmp_path) as (it, wire):
        wire.refuse = lambda request: httpx.Response(status, json={"code": "InvalidParameter", "message": "no"})
        tasks = await many(it, 10, "")
        await it.settle(80)
        assert await states(it, tasks) == {"SUCCEEDED"}
        assert len(wire.lists) <= 5


async def test_the_page_size_is_what_the_list_gives(tmp_path: Path) -> None:
    def picky(request: httpx.Request) -> httpx.Response | None:
        if int(request.url.params["page_size"]) > 10:
            return httpx.Response(400, json={"code": "InvalidParameter", "message": "page_size"})
        return None

    async with swept(tmp_path) as (it, wire):
        wire.refuse = picky
        tasks = await many(it, 25, "queue=1")
        await it.settle(95)
        assert await states(it, tasks) == {"SUCCEEDED"}
        assert await by_list(it, tasks) >= 22
        assert max(int(url.params["page_no"]) for url in wire.lists) == 3


async def test_a_busy_upstream_slows_the_list_and_never_a_task(tmp_path: Path) -> None:
    async with swept(tmp_path) as (it, wire):
        tasks = await many(it, 10, "")
        await it.settle(20)
        wire.refuse = lambda request: httpx.Response(429, json={"code": "Throttling.RateQuota", "message": "no"})
        await it.settle(60)
        wire.refuse = None
        await it.settle(120)
        assert await states(it, tasks) == {"SUCCEEDED"}
        assert len(told(it)) == 10


async def test_tasks_of_other_programs_in_the_list_do_no_harm(tmp_path: Path) -> None:
    async with swept(tmp_path) as (it, _):
        tasks = await many(it, 5, "queue=1")
        for mine in list(it.upstreams.tasks.values()):
            other = replace(mine, id=it.upstreams.fresh_id())
            it.upstreams.tasks[other.id] = other
        await it.settle(75)
        assert await states(it, tasks) == {"SUCCEEDED"}
        assert len(told(it)) == 5


async def test_while_an_account_rests_its_queue_sleeps(tmp_path: Path) -> None:
    async with swept(tmp_path) as (it, wire):
        await many(it, 5, "queue=1")
        await it.settle(10)
        wire.refuse = lambda request: httpx.Response(429, headers={"retry-after": "60"})
        await it.settle(5)
        due = await it.ringback.workers["look.dashscope"]._work.next_due()
        assert due is not None
        assert due >= it.clock.now + 50_000


async def test_a_moment_s_trouble_with_the_list_leaves_no_task_to_single_looks(tmp_path: Path) -> None:
    async with swept(tmp_path) as (it, wire):
        await many(it, 20, "queue=1")
        await it.settle(40)
        wire.looks.clear()
        wire.refuse = lambda request: httpx.Response(503, json={"code": "InternalError", "message": "no"})
        await it.settle(3)
        wire.refuse = None
        await it.settle(12)
        assert wire.looks == []
        assert {url.params["page_size"] for url in wire.lists[-3:]} == {"100"}, "and its pages are as large as before"


async def test_a_list_that_is_silent_for_long_is_made_up_for_by_looks(tmp_path: Path) -> None:
    async with swept(tmp_path) as (it, wire):
        tasks = await many(it, 20, "queue=1")
        await it.settle(40)
        wire.refuse = lambda request: httpx.Response(503, json={"code": "InternalError", "message": "no"})
        await it.settle(60)
        assert await states(it, tasks) == {"SUCCEEDED"}


async def test_what_moves_up_while_pages_are_read_is_not_missed(tmp_path: Path) -> None:
    """Of 250 tasks some end between two pages; a list that is read from its start would miss one of a later page."""
    async with swept(tmp_path) as (it, wire):
        tasks = [await created(it, "seconds=300 queue=1", provider="dashscope", url="") for _ in range(250)]
        await it.settle(20)
        wire.looks.clear()
        middle = [create.task for create in it.upstreams.creates[120:123]]
        ended: list[str] = []

        def ending(request: httpx.Request) -> None:
            if request.url.params["page_no"] == "3" and middle:
                task = middle.pop()
                task.script = replace(task.script, ends_at=it.clock.seconds())
                ended.append(task.id)

        wire.refuse = ending
        await it.settle(20)
        assert len(ended) == 3
        assert sorted(wire.looks) == sorted(ended)
        assert len(tasks) == 250
