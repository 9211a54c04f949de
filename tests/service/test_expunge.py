"""A task that was expunged: gone from every answer, and from the bytes of the disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.service.asking import SHAPES, body_of, created, paths
from tests.world import ADMIN, OTHER_KEY, World, world

pytestmark = pytest.mark.anyio
WORD = "unmistakable-word"
LONG = f"{WORD} " * 600
"""So long that a row needs pages of its own, which are free pages afterwards."""


def on_disk(folder: Path, text: str) -> list[str]:
    """The files in which a text stands."""
    return [path.name for path in folder.iterdir() if text.encode() in path.read_bytes()]


async def told(it: World, number: int, prompt: str, provider: str = "dashscope") -> str:
    """A task with a secret in everything that its client can say."""
    body = body_of(SHAPES[provider], f"{prompt} [sim:seconds=1]")
    headers = {
        "x-ringback-provider": provider,
        "x-callback-url": f"{it.inbox.url}/hook?{WORD}",
        "x-ringback-metadata": json.dumps({WORD: number}),
        "idempotency-key": f"order-{number}",
    }
    reply = await it.client.post(paths(SHAPES[provider]), json=body, headers=headers)
    assert reply.status_code == 200, reply.text
    task: str = reply.json().get("task_id") or reply.json()["output"]["task_id"]
    return task


async def test_nothing_of_what_it_was_about_is_left_on_disk(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        tasks = [await told(it, number, WORD if number % 2 else LONG) for number in range(40)]
        await it.settle(8)
        await it.client.post("/v1/replays", json={"since": "1h"})
        await it.settle(8)
        video = (await it.client.get(f"/v1/tasks/{tasks[0]}/record")).json()["video_url"]
        assert on_disk(tmp_path, WORD)
        assert on_disk(tmp_path, video)
        for task in tasks:
            reply = await it.client.request("DELETE", f"/v1/tasks/{task}")
            assert (reply.status_code, reply.json()["task_id"]) == (200, task)
        assert on_disk(tmp_path, WORD) == []
        assert on_disk(tmp_path, video) == []
        assert len(it.inbox.received) == 80


async def test_neighbours_are_not_touched(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        mine, other = await told(it, 1, "one"), await told(it, 2, "two")
        await it.settle(8)
        before = (await it.client.get(f"/v1/tasks/{other}/record")).json()
        cost = (await it.client.get("/v1/cost")).json()
        assert (await it.client.request("DELETE", f"/v1/tasks/{mine}")).status_code == 200
        assert (await it.client.get(f"/v1/tasks/{other}/record")).json() == before
        assert (await it.client.get("/v1/cost")).json() == cost
        assert [one["task_id"] for one in (await it.client.get("/v1/tasks")).json()["tasks"]] == [other]


@pytest.mark.parametrize("provider", ["acedata", "apiyi", "dashscope"])
async def test_it_is_unknown_in_every_shape(provider: str, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task = await told(it, 1, "a cat", provider)
        await it.settle(30)
        unknown = await ask(it, provider, "nobodys-task")
        await it.client.request("DELETE", f"/v1/tasks/{task}")
        answer = await ask(it, provider, task)
        assert (answer[0], answer[1].replace(task, "nobodys-task")) == unknown
        for path in (f"/v1/tasks/{task}/record", f"/v1/tasks/{task}/subscriptions"):
            assert (await it.client.get(path)).status_code == 404


async def ask(it: World, provider: str, task: str) -> tuple[int, str]:
    """What its own API says of a task, without what is new in every answer."""
    if SHAPES[provider] == "flat":
        reply = await it.client.post("/wan/tasks", json={"action": "retrieve", "id": task})
    else:
        reply = await it.client.get(f"/{'api/' if SHAPES[provider] == 'native' else ''}v1/tasks/{task}")
    body = reply.json()
    text = json.dumps({name: value for name, value in body.items() if name not in ("request_id", "trace_id")})
    return reply.status_code, text


async def test_a_create_under_its_idempotency_key_is_refused_and_not_sent(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task = await told(it, 1, "a cat")
        await it.settle(8)
        await it.client.request("DELETE", f"/v1/tasks/{task}")
        sent = len(it.upstreams.creates)
        body = body_of("native", "a cat [sim:seconds=1]")
        headers = {"x-ringback-provider": "dashscope", "idempotency-key": "order-1"}
        reply = await it.client.post(paths("native"), json=body, headers=headers)
        assert (reply.status_code, reply.json()["code"]) == (422, "expunged")
        assert len(it.upstreams.creates) == sent


async def test_what_has_not_ended_is_refused_with_what_to_do(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task = await created(it, "seconds=600", provider="dashscope")
        for headers in ({}, it.as_key(ADMIN)):
            reply = await it.client.request("DELETE", f"/v1/tasks/{task}", headers=headers)
            assert (reply.status_code, reply.json()["error"]["code"]) == (409, "not_ended")
            assert "Cancel it first" in reply.json()["error"]["message"]
        await it.client.post(f"/v1/tasks/{task}/cancel", json={})
        assert (await it.client.request("DELETE", f"/v1/tasks/{task}")).status_code == 200


async def test_only_its_client_and_the_operator_can_expunge_it(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        first, second = await told(it, 1, "a cat"), await told(it, 2, "a cat")
        await it.settle(8)
        path = f"/v1/tasks/{first}"
        theirs = await it.client.request("DELETE", path, headers=it.as_key(OTHER_KEY))
        assert (theirs.status_code, theirs.json()["error"]["message"]) == (404, "There is no such task.")
        assert (await it.client.request("DELETE", path, headers=it.as_key("nobody's"))).status_code == 401
        assert (await it.client.request("DELETE", path)).status_code == 200
        assert (await it.client.request("DELETE", path)).status_code == 404
        assert (await it.client.request("DELETE", f"/v1/tasks/{second}", headers=it.as_key(ADMIN))).status_code == 200
