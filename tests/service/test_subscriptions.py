"""Subscriptions beside the create: late ones, several, and to a task that has ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.world import OTHER_KEY, World, world

pytestmark = pytest.mark.anyio
CREATE = {"action": "text2video", "model": "wan2.6-t2v", "prompt": "a cat", "async": True}


async def created(it: World) -> str:
    response = await it.client.post("/wan/videos", json=CREATE)
    task_id: str = response.json()["task_id"]
    return task_id


async def subscribe(it: World, task_id: str, path: str, **fields: str) -> int:
    url = f"/v1/tasks/{task_id}/subscriptions"
    return (await it.client.post(url, json={"url": f"{it.inbox.url}{path}", **fields})).status_code


async def test_every_subscriber_is_told_once_in_its_own_form(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it)
        assert await subscribe(it, task_id, "/one") == 201
        assert await subscribe(it, task_id, "/one") == 200
        assert await subscribe(it, task_id, "/two", format="event") == 201
        await it.settle(60)
        assert [body["task_id"] for body in it.inbox.bodies("/one")] == [task_id]
        assert [body["type"] for body in it.inbox.bodies("/two")] == ["task.succeeded"]
        assert len({one.id for one in it.inbox.received}) == 2


async def test_a_subscriber_to_an_ended_task_is_told_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it)
        await it.settle(60)
        assert await subscribe(it, task_id, "/late") == 201
        await it.tick()
        [body] = it.inbox.bodies("/late")
        polled = (await it.client.post("/wan/tasks", json={"id": task_id, "action": "retrieve"})).json()
        assert body == polled["response"]


async def test_subscriptions_are_listed_for_their_owner_only(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it)
        await subscribe(it, task_id, "/one")
        url = f"/v1/tasks/{task_id}/subscriptions"
        [kept] = (await it.client.get(url)).json()["subscriptions"]
        assert (kept["url"], kept["format"]) == (f"{it.inbox.url}/one", "own")
        other = it.as_key(OTHER_KEY)
        assert (await it.client.get(url, headers=other)).status_code == 404
        foreign = await it.client.post(url, json={"url": f"{it.inbox.url}/spy"}, headers=other)
        assert foreign.status_code == 404
        await it.settle(60)
        assert not it.inbox.bodies("/spy")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": 5},
        {"url": "https://a.b", "format": []},
        {"url": "http://10.0.0.1/x"},
        {"url": "https://a.b", "format": "xml"},
        [],
    ],
)
async def test_what_cannot_be_subscribed_is_refused(tmp_path: Path, body: object) -> None:
    async with world(tmp_path) as it:
        url = f"/v1/tasks/{await created(it)}/subscriptions"
        response = await it.client.post(url, json=body)
        assert response.status_code == 400
        assert response.json()["error"]["message"]
