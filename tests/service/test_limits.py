"""A limit on the tasks of one account: what is more waits here, durably, and takes its turn."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import httpx
import pytest

from service.settings import Account
from service.simulator import SimulatorSettings
from tests.service.asking import SHAPES, body_of, create, created, id_of, paths, record, told
from tests.world import KEY, OTHER_KEY, World, accounts, world

pytestmark = pytest.mark.anyio
STRICT = SimulatorSettings(limits=True)
"""APIYI then refuses an eleventh active task."""


def limited(most: int | None = None) -> tuple[Account, ...]:
    return accounts(["apiyi"], active=most)


def active(it: World) -> int:
    return it.upstreams.active("apiyi", "sk-apiyi-key")


async def states(it: World, tasks: list[str]) -> Counter[str]:
    return Counter([(await record(it, task_id))["state"] for task_id in tasks])


async def settled(it: World, tasks: list[str], seconds: int = 900) -> int:
    """Lets time pass until all have ended; the most that were ever active at once."""
    most = 0
    for _ in range(seconds):
        most = max(most, active(it))
        if (await states(it, tasks)).keys() == {"SUCCEEDED"}:
            break
        await it.settle(1)
    return most


async def test_thirty_five_creates_of_two_clients_are_never_more_than_ten_at_work(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=limited(), simulator=STRICT) as it:
        first = [await created(it, "seconds=20", provider="apiyi", key=KEY) for _ in range(30)]
        second = [await created(it, "seconds=20", provider="apiyi", key=OTHER_KEY) for _ in range(5)]
        assert await states(it, first + second) == {"QUEUED": 10, "ACCEPTED": 25}
        assert await settled(it, first + second) == 10
        assert it.upstreams.requests["apiyi", "create"] == len(it.upstreams.creates) == 35, "and none was throttled"
        assert len(told(it)) == 35


async def test_clients_take_turns(tmp_path: Path) -> None:
    """The first had filled the account before the second came."""
    async with world(tmp_path, accounts=limited(2), simulator=STRICT) as it:
        many = [await created(it, f"seconds=10 queue={number}", provider="apiyi", key=KEY) for number in range(12)]
        few = [await created(it, "seconds=10", provider="apiyi", key=OTHER_KEY) for _ in range(3)]
        await settled(it, many + few)
        sent_at = {task_id: (await record(it, task_id))["placements"][0]["sent_at"] for task_id in many + few}
        order = sorted(sent_at, key=lambda task_id: sent_at[task_id])
        assert set(few) <= set(order[:8]), "three of another client do not wait for ten"
        assert [task_id for task_id in order if task_id in many] == many, "each client's own in their order"


async def test_a_restart_in_the_middle_keeps_the_limit_and_the_line(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=limited(), simulator=STRICT) as it:
        tasks = [await created(it, "seconds=20", provider="apiyi") for _ in range(24)]
        await it.settle(5)
        await it.stop()
        await it.start()
        assert (await states(it, tasks))["ACCEPTED"] == 14
        tasks.append(await created(it, "seconds=20", provider="apiyi"))
        assert (await record(it, tasks[-1]))["placements"] == []
        assert await settled(it, tasks) == 10
        assert it.upstreams.requests["apiyi", "create"] == 25


@pytest.mark.parametrize("shape", ["flat", "native", "gateway"])
async def test_a_task_that_waits_is_accepted_at_once_in_its_shape(tmp_path: Path, shape: str) -> None:
    async with world(tmp_path, accounts=limited(1), submit_wait_seconds=3600) as it:
        sent = await create(it, "seconds=30", provider="apiyi", shape=shape)
        async with asyncio.timeout(5):
            waits = await create(it, "seconds=30", provider="apiyi", shape=shape)
        assert (waits.status_code, waits.json().keys()) == (200, sent.json().keys())
        assert (await record(it, id_of(waits)))["state"] == "ACCEPTED"


async def test_a_new_task_overtakes_nobody(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=limited(1)) as it:
        first = await created(it, "seconds=10", provider="apiyi")
        second = await created(it, "seconds=10", provider="apiyi")
        it.clock.turn(30)
        await it.ringback.workers["look.apiyi"].tick()  # the first has ended; the queue has not noticed yet
        assert (await record(it, first))["state"] == "SUCCEEDED"
        third = await created(it, "seconds=10", provider="apiyi")
        assert (await states(it, [second, third])) == {"ACCEPTED": 2}
        await it.tick()
        assert (await record(it, second))["state"] == "QUEUED"
        assert (await record(it, third))["state"] == "ACCEPTED"


async def test_room_is_noticed_at_once(tmp_path: Path) -> None:
    """By the loop of the queue itself, which would else look again only after five seconds."""
    async with world(tmp_path, accounts=limited(1)) as it:
        await created(it, "seconds=10", provider="apiyi")
        await created(it, "seconds=10", provider="apiyi")
        queue = it.ringback.workers["send.apiyi"]
        loop = asyncio.create_task(queue.run())
        sent = asyncio.Event()

        async def between(request: httpx.Request) -> httpx.Response | None:
            if request.method == "POST":
                sent.set()
            return None

        it.between = between
        for _ in range(20):
            await asyncio.sleep(0)  # it has seen that there is no room, and sleeps
        it.clock.turn(30)
        await it.ringback.workers["look.apiyi"].tick()
        async with asyncio.timeout(4):
            await sent.wait()
        queue.stop()
        await loop


async def test_a_full_account_is_not_asked_about_in_a_loop(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=limited(1)) as it:
        await created(it, "seconds=100", provider="apiyi")
        await created(it, "seconds=100", provider="apiyi")
        assert await it.ringback.workers["send.apiyi"]._work.next_due() is None


async def test_a_waiting_task_can_be_canceled_and_is_never_sent(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=limited(1)) as it:
        await created(it, "seconds=10", provider="apiyi")
        waits = await created(it, "seconds=10", provider="apiyi")
        assert (await it.client.post(f"/v1/tasks/{waits}/cancel")).json()["canceled"] is True
        await it.settle(60)
        assert len(it.upstreams.creates) == 1


async def test_what_is_refused_or_in_doubt_frees_its_room_in_its_time(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=limited(1), in_doubt_seconds=60) as it:
        assert (await create(it, "create=refuse:DataInspectionFailed", provider="apiyi")).status_code == 400
        doubtful = await created(it, "create=lost", provider="apiyi")
        waits = await created(it, "seconds=10", provider="apiyi")
        assert (await record(it, waits))["state"] == "ACCEPTED"  # the doubtful one may be at work there
        await it.settle(30)
        assert (await record(it, waits))["state"] == "ACCEPTED"
        await it.settle(120)
        assert (await record(it, doubtful))["state"] == "FAILED"
        assert (await record(it, waits))["state"] == "SUCCEEDED"


async def test_a_limit_of_the_operators_and_none(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=limited(0)) as it:
        tasks = [await created(it, provider="apiyi") for _ in range(12)]
        assert await states(it, tasks) == {"QUEUED": 12}


async def test_creates_at_the_same_moment_find_no_more_room_than_there_is(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=limited(3), simulator=STRICT) as it:
        bodies = [body_of("gateway", f"cat {number} [sim:seconds=20]") for number in range(12)]
        headers = {"x-ringback-provider": "apiyi"}
        answers = await asyncio.gather(
            *(it.client.post(paths(SHAPES["apiyi"]), json=body, headers=headers) for body in bodies)
        )
        assert await states(it, [id_of(answer) for answer in answers]) == {"QUEUED": 3, "ACCEPTED": 9}
        assert active(it) == 3
