"""Cancelling and listing: DashScope's calls, AceData's batch without ids, and our own cancel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.world import OTHER_KEY, World, world

pytestmark = pytest.mark.anyio
NATIVE = "/api/v1/services/aigc/video-generation/video-synthesis"


async def created(it: World, words: str = "", model: str = "wan2.7-t2v", **headers: str) -> str:
    body = {"model": model, "input": {"prompt": f"a cat [sim:{words}]" if words else "a cat"}}
    named = {"x-callback-url": f"{it.inbox.url}/hook"} | headers
    response = await it.client.post(NATIVE, json=body, headers=named)
    assert response.status_code == 200, response.text
    task_id: str = response.json()["output"]["task_id"]
    return task_id


async def cancel(it: World, task_id: str, ending: str = "") -> httpx.Response:
    return await it.client.post(f"/api/v1/tasks/{task_id}/cancel{ending}")


async def status(it: World, task_id: str) -> str:
    word: str = (await it.client.get(f"/api/v1/tasks/{task_id}")).json()["output"]["task_status"]
    return word


async def test_what_was_not_sent_yet_is_canceled_and_never_sent(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["laozhang"]) as it:  # a provider without a cancel of its own
        task_id = await created(it, "create=429 times=1")
        assert (await cancel(it, task_id)).status_code == 200
        await it.settle(120, 10)
        assert await status(it, task_id) == "CANCELED"
        assert not it.upstreams.creates
        [told] = it.inbox.received
        assert told.body["output"]["task_status"] == "CANCELED"


@pytest.mark.parametrize("ending", ["", "/"])
async def test_what_waits_at_dashscope_is_canceled_there(tmp_path: Path, ending: str) -> None:
    async with world(tmp_path, providers=["dashscope"]) as it:
        task_id = await created(it, "queue=60 seconds=90")
        reply = await cancel(it, task_id, ending)
        assert (reply.status_code, list(reply.json())) == (200, ["request_id"])
        assert await status(it, task_id) == "CANCELED"
        assert (await cancel(it, task_id)).status_code == 200  # again: it is canceled
        await it.settle(5)
        assert len(it.inbox.received) == 1


async def test_too_late_is_said_and_changes_nothing(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["dashscope"]) as it:
        task_id = await created(it, "queue=0 seconds=20")
        await it.settle(8)
        reply = await cancel(it, task_id)
        assert (reply.status_code, reply.json()["code"]) == (400, "UnsupportedOperation")
        await it.settle(30)
        assert await status(it, task_id) == "SUCCEEDED"


async def test_a_provider_without_a_cancel_and_a_cancel_without_an_answer_are_told_as_too_late(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["apiyi", "dashscope"]) as it:
        sent = await created(it, "seconds=20", **{"x-ringback-provider": "apiyi"})
        assert (await cancel(it, sent)).status_code == 400
        waiting = await created(it, "queue=60 seconds=90")

        async def broken(request: httpx.Request) -> httpx.Response | None:
            return httpx.Response(502, text="<html>") if request.url.path.endswith("/cancel") else None

        it.between = broken
        assert (await cancel(it, waiting)).status_code == 400
        assert await status(it, waiting) == "PENDING"


async def test_nobody_cancels_anothers_task(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["dashscope"]) as it:
        task_id = await created(it, "queue=60 seconds=90")
        other = it.as_key(OTHER_KEY)
        foreign = await it.client.post(f"/api/v1/tasks/{task_id}/cancel", headers=other)
        unknown = await it.client.post("/api/v1/tasks/nothing/cancel", headers=other)
        assert foreign.status_code == unknown.status_code == 400
        assert foreign.json()["message"] == unknown.json()["message"]
        assert (await it.client.post(f"/v1/tasks/{task_id}/cancel", headers=other)).status_code == 404
        assert await status(it, task_id) == "PENDING"


async def test_our_own_cancel_says_how_the_task_is(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["dashscope"]) as it:
        waiting, running = await created(it, "queue=60 seconds=90"), await created(it, "queue=0 seconds=60")
        await it.settle(6)
        assert (await it.client.post(f"/v1/tasks/{waiting}/cancel")).json() == {
            "canceled": True, "message": "Alibaba DashScope has canceled it.", "task_id": waiting, "state": "CANCELED",
        }  # fmt: skip
        assert (await it.client.post(f"/v1/tasks/{running}/cancel")).json()["canceled"] is False


async def listed(it: World, query: str = "", **headers: str) -> dict[str, Any]:
    page: dict[str, Any] = (await it.client.get(f"/api/v1/tasks{query}", headers=headers)).json()
    return page


async def test_dashscopes_list_pages_through_ones_own_tasks(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["dashscope"]) as it:
        mine = []
        for _ in range(5):
            mine.append(await created(it, "seconds=5"))
            it.clock.turn(1)
        failed = await created(it, "fail")
        await created(it, **it.as_key(OTHER_KEY))
        await it.settle(60)
        page = await listed(it, "?page_no=2&page_size=2")
        assert (page["total"], page["total_page"], page["page_no"]) == (6, 3, 2)
        assert [row["task_id"] for row in page["data"]] == [mine[3], mine[2]]
        assert [row["task_id"] for row in page["tasks"]] == [mine[3], mine[2]]
        assert [row["task_id"] for row in (await listed(it, "?status=FAILED"))["data"]] == [failed]
        assert (await listed(it, "/?model_name=wan2.6-t2v"))["total"] == 0
        assert (await listed(it, "?task_id=" + mine[0]))["total"] == 1
        assert (await listed(it, "", **it.as_key(OTHER_KEY)))["total"] == 1


async def test_a_list_that_cannot_be_is_refused_in_the_clients_shape(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["dashscope"]) as it:
        reply = await it.client.get("/api/v1/tasks?page_size=ten")
        assert (reply.status_code, reply.json()["code"]) == (400, "InvalidParameter")


async def test_acedatas_batch_without_ids_lists_by_time(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["acedata"]) as it:
        body = {"action": "text2video", "model": "wan2.6-t2v", "prompt": "x", "async": True}
        first = (await it.client.post("/wan/videos", json=body)).json()["task_id"]
        it.clock.turn(100)
        between = it.clock.seconds()
        it.clock.turn(100)
        second = (await it.client.post("/wan/videos", json=body | {"prompt": "y"})).json()["task_id"]
        ask = {"action": "retrieve_batch", "limit": 10, "offset": 0}
        page = (await it.client.post("/wan/tasks", json=ask)).json()
        assert [item["id"] for item in page["items"]] == [second, first]
        page = (await it.client.post("/wan/tasks", json=ask | {"created_at_max": between})).json()
        assert [item["id"] for item in page["items"]] == [first]
        assert (await it.client.post("/happyhorse/tasks", json=ask)).json()["items"] == []
