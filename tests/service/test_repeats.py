"""A create that comes twice: by its idempotency key, or because the first answer was lost. Paid for once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from service.app import create_app
from tests.world import KEY, OTHER_KEY, World, serve, world

pytestmark = pytest.mark.anyio
NATIVE = "/api/v1/services/aigc/video-generation/video-synthesis"
BODY = {"model": "wan2.7-t2v", "input": {"prompt": "a cat"}}
HELD = {"action": "text2video", "model": "wan2.6-t2v", "prompt": "a cat"}


async def create(it: World, body: dict[str, Any] = BODY, path: str = NATIVE, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await it.client.post(path, json=body, headers=named)


def task_of(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    task_id: str = response.json()["output"]["task_id"]
    return task_id


async def test_the_same_key_gives_the_same_task_and_the_same_reply(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["dashscope"]) as it:
        first, second = await create(it, idempotency_key="k1"), await create(it, idempotency_key="k1")
        assert first.text == second.text
        assert task_of(await create(it, idempotency_key="k2")) != task_of(first)
        assert len(it.upstreams.creates) == 2


async def test_a_key_belongs_to_one_client_and_one_path(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["dashscope"]) as it:
        first = task_of(await create(it, idempotency_key="k"))
        assert task_of(await create(it, path=f"/wan{NATIVE}", idempotency_key="k")) != first
        other = {"authorization": f"Bearer {OTHER_KEY}"}
        assert task_of(await create(it, idempotency_key="k", **other)) != first


async def test_another_request_under_the_same_key_is_refused_and_nothing_is_sent(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["dashscope"]) as it:
        await create(it, idempotency_key="k")
        refused = await create(it, {**BODY, "input": {"prompt": "a dog"}}, idempotency_key="k")
        assert refused.status_code == 422
        assert refused.json()["code"] == "InvalidParameter"
        assert refused.headers["x-should-retry"] == "false"
        assert len(it.upstreams.creates) == 1


async def test_a_concurrent_twin_waits_for_the_first_answer(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["dashscope"]) as it:
        replies = await asyncio.gather(*(create(it, idempotency_key="k") for _ in range(5)))
        assert len({task_of(reply) for reply in replies}) == 1
        assert len(it.upstreams.creates) == 1


async def test_a_concurrent_twin_hears_the_refusal_of_the_first(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["dashscope"]) as it:
        bad = {"model": "wan2.7-t2v", "input": {"prompt": "x [sim:create=refuse:DataInspectionFailed]"}}
        replies = await asyncio.gather(*(create(it, bad, idempotency_key="k") for _ in range(3)))
        assert {(reply.status_code, reply.json()["code"]) for reply in replies} == {(400, "DataInspectionFailed")}


async def test_a_refused_create_frees_its_key(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["dashscope"]) as it:
        once = {"model": "wan2.7-t2v", "input": {"prompt": "x [sim:create=refuse:DataInspectionFailed times=1]"}}
        assert (await create(it, once, idempotency_key="k")).status_code == 400
        assert task_of(await create(it, BODY, idempotency_key="k"))


async def test_a_key_is_kept_two_days_and_across_a_restart(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["dashscope"]) as it:
        first = task_of(await create(it, idempotency_key="k"))
        it.clock.turn(47 * 3600)
        assert task_of(await create(it, idempotency_key="k")) == first
        it.clock.turn(2 * 3600)
        assert task_of(await create(it, idempotency_key="k")) != first


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there"])
async def test_a_key_that_is_no_key_is_refused(tmp_path: Path, key: str) -> None:
    async with world(tmp_path, providers=["dashscope"]) as it:
        assert (await create(it, idempotency_key=key)).status_code == 400
        assert not it.upstreams.creates


async def test_identical_creates_that_were_answered_are_separate(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["dashscope"]) as it:
        replies = [await create(it) for _ in range(3)] + await asyncio.gather(*(create(it) for _ in range(3)))
        assert len({task_of(reply) for reply in replies}) == 6


async def _post(url: str, body: dict[str, Any]) -> asyncio.StreamWriter:
    """Sends a held create and reads nothing."""
    address = urlsplit(url)
    assert address.hostname is not None
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    content = json.dumps(body).encode()
    head = (
        f"POST /wan/videos HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    writer.write(head.encode() + content)
    await writer.drain()
    return writer


async def _until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_a_client_that_hung_up_and_asks_again_gets_its_first_task(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["acedata"]) as it, serve(create_app(it.ringback), lifespan="off") as url:

        async def sent() -> bool:
            return bool(it.upstreams.creates)

        async def noticed() -> bool:
            [task] = await it.ringback.store.lookups.tasks(None, "", (2**62, ""), 10)
            return not it.ringback.submitter.is_awaited(task.id)

        writer = await _post(url, HELD)
        await _until(sent)
        writer.close()
        await _until(noticed)
        json_type = {"content-type": "application/json"}
        again = asyncio.create_task(it.client.post("/wan/videos", content=json.dumps(HELD), headers=json_type))

        async def waiting() -> bool:
            await it.settle(1)
            return again.done()

        await _until(waiting)
        [task] = await it.ringback.store.lookups.tasks(None, "", (2**62, ""), 10)
        assert again.result().json()["task_id"] == task.id
        assert again.result().json()["success"] is True
        assert len(it.upstreams.creates) == 1


async def test_the_window_for_retries_can_be_set(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["dashscope"], repeat_seconds=3600) as it:
        first = task_of(await create(it))
        await it.ringback.store.tasks._engine.write(lambda tx: tx.run("UPDATE tasks SET answered_at = NULL"))
        it.clock.turn(3599)
        assert task_of(await create(it)) == first


async def test_an_answered_create_is_a_twin_only_if_the_operator_says_so(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["dashscope"], repeat_answered_seconds=60) as it:
        first = task_of(await create(it))
        assert task_of(await create(it)) == first
        assert task_of(await create(it, {**BODY, "input": {"prompt": "a dog"}})) != first
        assert task_of(await create(it, idempotency_key="another take")) != first
        it.clock.turn(61)
        assert task_of(await create(it)) != first


async def test_an_unanswered_create_is_a_twin_for_ten_minutes_only(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["dashscope"]) as it:
        first = task_of(await create(it))
        engine = it.ringback.store.tasks._engine
        await engine.write(lambda tx: tx.run("UPDATE tasks SET answered_at = NULL"))  # as after a kill
        assert task_of(await create(it, **{"x-callback-url": f"{it.inbox.url}/new"})) != first
        assert task_of(await create(it)) == first
        await engine.write(lambda tx: tx.run("UPDATE tasks SET answered_at = NULL"))
        it.clock.turn(601)
        assert task_of(await create(it)) != first
