"""Trouble of our own at awkward moments: it fails no task, pays nothing twice and is never taken for an answer."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.store import AlreadyServed, Store
from service.worker import Worker
from tests.service.asking import create, created, events, id_of, record, told
from tests.world import ADMIN, World, world

pytestmark = pytest.mark.anyio
HELD = {"action": "text2video", "model": "wan2.6-t2v", "prompt": "a cat [sim:seconds=20]"}


class Generous:
    """A queue that gives more than was asked for, as a query for many tasks may fall into several."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.gate = asyncio.Event()

    async def claim(self, room: int) -> Sequence[int]:
        self.asked.append(room)
        return range(5) if len(self.asked) == 1 else ()

    async def handle(self, item: int) -> None:
        await self.gate.wait()

    async def next_due(self) -> int | None:
        return None


async def test_a_worker_with_more_than_its_slots_in_hand_claims_nothing() -> None:
    queue = Generous()
    worker = Worker("generous", queue, lambda: 0, slots=3)
    loop = asyncio.create_task(worker.run())
    for _ in range(50):
        worker.wake()
        await asyncio.sleep(0)
    queue.gate.set()
    worker.stop()
    await loop
    assert all(room > 0 for room in queue.asked)


async def test_trouble_with_the_account_fails_no_task_that_was_accepted_before(tmp_path: Path) -> None:
    """The client has its task id: the task waits until the operator has paid."""
    async with world(tmp_path) as it:
        replies = [429, 401, 403]

        async def between(request: httpx.Request) -> httpx.Response | None:
            if not request.url.path.endswith("/videos") or not replies:
                return None
            code = {429: "too_many_requests", 401: "invalid_token", 403: "used_up"}
            status = replies.pop(0)
            return httpx.Response(status, json={"success": False, "error": {"code": code[status], "message": "m"}})

        it.between = between
        task_id = await created(it, "seconds=5")
        await it.settle(60)
        assert (await record(it, task_id))["state"] == "ACCEPTED"
        assert await events(it) == ["upstream.account_refused"]
        await it.settle(3 * 3600, 60)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert len(it.upstreams.creates) == len(told(it)) == 1


async def test_a_cancel_that_a_look_has_seen_first_is_a_cancel(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["dashscope"]) as it:
        task_id = await created(it, "queue=60 seconds=90", provider="dashscope", shape="native")

        async def between(request: httpx.Request) -> httpx.Response | None:
            if not request.url.path.endswith("/cancel"):
                return None
            it.between = None
            reply = await httpx.AsyncClient(transport=httpx.ASGITransport(it.simulator)).send(request)
            it.clock.turn(10)
            await it.tick()  # the look
            return reply

        it.between = between
        assert (await it.client.post(f"/v1/tasks/{task_id}/cancel")).json() == {
            "canceled": True, "task_id": task_id, "state": "CANCELED", "message": "Alibaba DashScope has canceled it.",
        }  # fmt: skip


def unreadable(it: World) -> None:
    """The database cannot be read any more."""

    async def fail(*given: Any) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    it.ringback.store.lookups.task = fail  # type: ignore[method-assign]


async def test_a_held_request_that_cannot_be_held_gets_the_async_reply(tmp_path: Path) -> None:
    """An error would make AceData's SDK create the job again."""
    async with world(tmp_path) as it:
        unreadable(it)
        response = await it.client.post("/wan/videos", json=HELD)
        assert response.status_code == 200
        assert response.json()["task_id"]


async def test_a_create_that_was_answered_with_an_error_of_ours_is_not_paid_for_again(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        write = it.ringback.shapes["flat"].write_acceptance
        it.ringback.shapes["flat"].write_acceptance = None  # type: ignore[method-assign, assignment]
        transport = httpx.ASGITransport(it.client._transport.app, raise_app_exceptions=False)  # type: ignore[attr-defined]
        it.client._transport = transport
        assert (await create(it)).status_code == 500
        it.ringback.shapes["flat"].write_acceptance = write  # type: ignore[method-assign]
        task_id = id_of(await create(it))
        assert len(it.upstreams.creates) == 1
        assert (await record(it, task_id))["placements"][0]["verdict"] == "accepted"


def test_a_second_server_is_refused_under_another_name_of_the_file_too(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    link = tmp_path / "other" / "link.db"
    link.symlink_to(tmp_path / "ringback.db")
    store = Store.open(tmp_path / "ringback.db")
    try:
        with pytest.raises(AlreadyServed):
            Store.open(link)
    finally:
        asyncio.run(store.close())


def full(verb: Any, times: int) -> Any:
    """The verb on a disk that is full at first."""
    left = [True] * times

    async def tried(*given: Any, **more: Any) -> Any:
        if left:
            left.pop()
            raise sqlite3.OperationalError("database or disk is full")
        return await verb(*given, **more)

    return tried


@pytest.mark.parametrize("verb", ["elsewhere", "deferred"])
async def test_what_was_not_accepted_is_no_doubt_while_it_cannot_be_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setattr("service.sending.onward.KEEP_AGAIN", (0.0,) * 5)
    async with world(tmp_path) as it:
        store = it.ringback.store.sends
        setattr(store, verb, full(getattr(store, verb), 3))
        task_id = await created(it, "create=429 times=1 seconds=5")
        await it.settle(60)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert await events(it) == []
        assert len(it.upstreams.creates) == len(told(it)) == 1


async def test_a_store_that_cannot_be_read_keeps_no_task_from_being_sent(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.ringback.learned.of = full(it.ringback.learned.of, 1)  # type: ignore[method-assign]
        task_id = await created(it, "seconds=5")
        assert (await record(it, task_id))["state"] == "QUEUED"
        await it.settle(60)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"


async def test_a_no_that_comes_after_its_task_moved_on_costs_nothing(tmp_path: Path) -> None:
    """The loop of doubts came first, then the operator had it sent again, then the answer came after all."""
    async with world(tmp_path, providers=["apiyi"]) as it:
        gate, asked = asyncio.Event(), asyncio.Event()

        async def between(request: httpx.Request) -> httpx.Response | None:
            if asked.is_set():
                return None
            asked.set()
            await gate.wait()
            return httpx.Response(400, json={"code": "InvalidParameter", "message": "no", "request_id": "r"})

        it.between = between
        creating = asyncio.create_task(created(it, "seconds=5", provider="apiyi"))
        await asked.wait()
        await it.settle(200, 10)
        [task] = (await it.client.get("/v1/tasks", headers=it.as_key(ADMIN))).json()["tasks"]
        assert task["state"] == "IN_DOUBT"
        again = f"/v1/tasks/{task['task_id']}/send-again"
        assert (await it.client.post(again, json={"confirm": True}, headers=it.as_key(ADMIN))).status_code == 202
        await it.tick()
        gate.set()
        await creating
        await it.settle(60)
        shown = await record(it, task["task_id"])
        assert shown["state"] == "SUCCEEDED"
        assert [one["verdict"] for one in shown["placements"]] == ["refused", "ended"]
        charges = await it.ringback.store.charges.of_task(task["task_id"])
        assert charges[shown["placements"][0]["id"]].amount == 0


async def test_a_paid_task_outlives_a_disk_that_is_full_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.sending.onward.KEEP_AGAIN", (0.0,) * 5)
    async with world(tmp_path) as it:
        it.ringback.store.tasks.accepted = full(it.ringback.store.tasks.accepted, 3)  # type: ignore[method-assign]
        task_id = await created(it, "seconds=5")
        await it.settle(1200, 10)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert len(it.upstreams.creates) == len(told(it)) == 1
