"""A POST, a GET and a stream tell the same of a task, byte for byte: all are made of one record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.service.asking import created
from tests.service.elsewhere import OWN_KEY, at_provider, watched
from tests.service.lost import unlisted
from tests.service.streaming import online, reading
from tests.world import Received, World, world

pytestmark = pytest.mark.anyio
ODD = {"line": "a\u2028b\u0085c\nd", "größe": "½", "nested": [1, {"x": None}]}
ENDS = {"": "task.succeeded", "fail": "task.failed", "seconds=1": "task.succeeded"}


def posted(it: World, path: str) -> list[Received]:
    return [one for one in it.inbox.received if one.path == path]


@pytest.mark.parametrize("marker", ENDS)
@pytest.mark.parametrize("provider", ["acedata", "apiyi", "dashscope"])
async def test_an_event_is_the_same_by_post_get_stream_and_page(tmp_path: Path, provider: str, marker: str) -> None:
    async with world(tmp_path) as it, online(it) as client:
        it.client.headers["x-ringback-metadata"] = json.dumps(ODD)
        it.client.headers["x-callback-format"] = "event"
        async with reading(client, f"/v1/events?types={ENDS[marker]}") as reader:
            await reader.some(1)
            task_id = await created(it, marker, provider=provider)
            await it.settle(60)
            [streamed] = await reader.some(1)
        [told] = posted(it, "/hook")
        assert told.body["data"]["metadata"] == ODD
        assert streamed.data == told.raw
        assert streamed.event == told.body["type"] == ENDS[marker]
        assert (await client.get(f"/v1/events/{streamed.id}")).content == told.raw
        page = (await client.get(f"/v1/tasks/{task_id}/events?types={ENDS[marker]}")).content
        assert page == b'{"events":[{"id":%d,"event":%b}],"after":%d,"gap":false}' % (
            streamed.id,
            told.raw,
            streamed.id,
        )  # type: ignore[str-bytes-safe]
        late = {"url": f"{it.inbox.url}/late", "format": "event"}
        await it.client.post(f"/v1/tasks/{task_id}/subscriptions", json=late)
        await it.settle(1)
        assert [one.raw for one in posted(it, "/late")] == [told.raw]


@pytest.mark.parametrize("marker", ["", "fail"])
@pytest.mark.parametrize("provider", ["acedata", "apiyi", "dashscope"])
async def test_in_the_clients_own_shape_a_post_is_what_a_get_answers(
    tmp_path: Path, provider: str, marker: str
) -> None:
    reads = {"apiyi": "/v1/tasks/{}", "dashscope": "/api/v1/tasks/{}"}
    async with world(tmp_path) as it:
        task_id = await created(it, marker, provider=provider)
        await it.settle(60)
        [told] = posted(it, "/hook")
        if provider == "acedata":
            polled = await it.client.post("/wan/tasks", json={"id": task_id, "action": "retrieve"})
            compact = json.dumps(polled.json()["response"], ensure_ascii=False, separators=(",", ":")).encode()
            assert compact in polled.content
            assert told.raw == compact
        else:
            assert told.raw == (await it.client.get(reads[provider].format(task_id))).content


@pytest.mark.parametrize("marker", ["", "fail"])
@pytest.mark.parametrize("provider", ["acedata", "apiyi", "dashscope"])
async def test_a_stream_in_the_clients_own_shape_tells_what_is_posted(
    tmp_path: Path, provider: str, marker: str
) -> None:
    async with world(tmp_path) as it, online(it) as client:
        task_id = await created(it, marker, provider=provider)
        async with reading(client, "/v1/events?types=task.succeeded,task.failed&format=own") as reader:
            await reader.some(1)
            await it.settle(60)
            [streamed] = await reader.some(1)
        [told] = posted(it, "/hook")
        assert streamed.data == told.raw
        page = await client.get(f"/v1/tasks/{task_id}/events?types=task.succeeded,task.failed&format=own")
        assert page.json()["events"] == [{"id": streamed.id, "event": told.body}]
        refused = await client.get("/v1/events?format=xml")
        assert refused.json()["error"]["message"] == "format: it may be event or own."


async def test_a_recovery_is_an_event_of_its_own_and_the_first_one_stays(tmp_path: Path) -> None:
    async with world(tmp_path) as it, online(it) as client:
        it.client.headers["x-callback-format"] = "event"
        task_id = await created(it, "create=lost seconds=899")
        it.between = unlisted
        await it.settle(898, 2)
        it.clock.turn(2)
        await it.upstreams.send_due_callbacks()
        await it.ringback.workers["doubt"].tick()
        path = f"/v1/tasks/{task_id}/events"
        async with reading(client, path) as reader:
            [failed] = await reader.rest()
        await it.settle(60)
        async with reading(client, path, **{"last-event-id": str(failed.id)}) as reader:
            [recovered] = await reader.rest()
        assert [failed.event, recovered.event] == ["task.failed", "task.recovered"]
        assert [one.raw for one in posted(it, "/hook")] == [failed.data, recovered.data]


@pytest.mark.parametrize("turned", [25, 0])
async def test_what_was_created_elsewhere_is_told_the_same_way(tmp_path: Path, turned: int) -> None:
    """Also if it has ended before anybody watches it."""
    async with world(tmp_path) as it, online(it) as client:
        upstream_id = await at_provider(it, "dashscope")
        it.clock.turn(turned)
        async with reading(client, "/v1/events?types=task.succeeded") as reader:
            await reader.some(1)
            task_id = await watched(it, "dashscope", upstream_id, upstream_key=OWN_KEY, format="event")
            await it.settle(60)
            [streamed] = await reader.some(1)
        [told] = posted(it, "/hook")
        assert told.raw == streamed.data
        assert told.body["data"]["task_id"] == task_id
