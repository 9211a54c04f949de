"""Events as they happen, over a connection that the client opened: nothing missed, nothing polled, nothing held."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Message

from service.app import create_app
from service.routes import event_log
from service.telling import follow
from tests.service.asking import create, created, id_of
from tests.service.nouns import a_task
from tests.service.streaming import SSE, online, reading
from tests.world import ADMIN, KEY, OTHER_KEY, World, world

pytestmark = pytest.mark.anyio
ENDS = "/v1/events?types=task.succeeded,task.failed,task.recovered"


async def done(it: World, marker: str = "", **how: Any) -> str:
    """A task that has ended."""
    task_id = await created(it, marker, url="", **how)
    await it.settle(60)
    return task_id


async def test_a_stream_begins_now_and_tells_what_happens_from_then_on(tmp_path: Path) -> None:
    async with world(tmp_path) as it, online(it) as client:
        await done(it)
        async with reading(client, "/v1/events") as reader:
            [opened] = await reader.some(1)
            assert (opened.event, opened.body["data"]["after"]) == ("stream.opened", opened.id)
            task_id = await done(it, "seconds=20", provider="dashscope")
            running, succeeded = await reader.some(2)
            assert [running.event, succeeded.event] == ["task.running", "task.succeeded"]
            assert running.id == (opened.id or 0) + 1 == (succeeded.id or 0) - 1
            assert succeeded.body["type"] == "task.succeeded"
            assert (succeeded.body["data"]["task_id"], succeeded.body["data"]["state"]) == (task_id, "SUCCEEDED")
            assert reader.response.headers["content-type"] == "text/event-stream; charset=utf-8"
            assert reader.response.headers["cache-control"] == "no-store"


async def test_a_stream_goes_on_behind_the_last_event_id(tmp_path: Path) -> None:
    async with world(tmp_path) as it, online(it) as client:
        tasks = [await done(it) for _ in range(4)]
        async with reading(client, f"{ENDS}&after=0") as reader:
            frames = (await reader.some(5))[1:]
        assert [frame.body["data"]["task_id"] for frame in frames] == tasks
        for path in (f"{ENDS}&after={frames[1].id}", f"{ENDS}&after=0", f"{ENDS}&since=1h"):
            headers = {} if path.startswith(f"{ENDS}&after={frames[1].id}") else {"last-event-id": str(frames[1].id)}
            async with reading(client, path, **headers) as reader:
                assert (await reader.some(3))[1:] == frames[2:]
        async with reading(client, f"{ENDS}&since=2100-01-01") as reader:
            assert (await reader.some(1))[0].id == await it.ringback.store.event_log.head()


async def test_who_goes_on_behind_what_was_deleted_is_told_of_the_gap(tmp_path: Path) -> None:
    async with world(tmp_path, keep_tasks_days=7) as it, online(it) as client:
        await done(it)
        head = await it.ringback.store.event_log.head()
        assert [await gap_behind(client, place) for place in (0, head)] == [False, False]
        it.clock.turn(8 * 86_400)
        await it.settle(30)
        await done(it)
        assert [await gap_behind(client, place) for place in (0, head - 1, head)] == [True, True, False]
        assert not (await client.get("/v1/events")).json()["gap"]  # it asked for the oldest, whichever that is


async def gap_behind(client: httpx.AsyncClient, place: int) -> bool:
    """As a page says it, and a stream's first frame."""
    page = (await client.get("/v1/events", params={"after": place})).json()
    async with reading(client, f"/v1/events?after={place}") as reader:
        [opened] = await reader.some(1)
    assert opened.body["data"]["gap"] is page["gap"]
    return bool(page["gap"])


async def test_a_place_of_another_database_does_not_make_a_stream_deaf(tmp_path: Path) -> None:
    async with world(tmp_path) as it, online(it) as client, reading(client, f"{ENDS}&after=999999") as reader:
        await reader.some(1)
        task_id = await done(it)
        assert (await reader.some(1))[0].body["data"]["task_id"] == task_id


async def test_more_than_a_page_is_told_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "PAGE", 3)
    async with world(tmp_path) as it, online(it) as client:
        for _ in range(7):
            await created(it, url="")
        await it.settle(60)
        async with reading(client, "/v1/events?after=0") as reader:
            assert [frame.id for frame in (await reader.some(8))[1:]] == list(range(1, 8))


async def test_the_stream_of_a_task_ends_with_it_and_there_is_nothing_to_come_back_for(tmp_path: Path) -> None:
    async with world(tmp_path) as it, online(it) as client:
        await done(it)
        task_id = await created(it, "seconds=20", url="", provider="dashscope")
        path = f"/v1/tasks/{task_id}/events"
        async with reading(client, path) as reader:
            await it.settle(60)
            frames = await reader.rest()
        assert [frame.event for frame in frames] == ["task.running", "task.succeeded"]
        async with reading(client, path) as reader:
            assert await reader.rest() == frames
        async with reading(client, path, **{"last-event-id": str(frames[0].id)}) as reader:
            assert await reader.rest() == frames[1:]
        again = await client.get(path, headers=SSE | {"last-event-id": str(frames[1].id)})
        assert again.status_code == 204


async def test_the_stream_of_a_task_whose_end_is_told_to_nobody_ends_too(tmp_path: Path) -> None:
    """Its client was refused in person."""
    async with world(tmp_path) as it, online(it) as client:
        answer = asyncio.Event()

        async def late(request: httpx.Request) -> httpx.Response | None:
            await answer.wait()
            return None

        it.between = late
        creating = asyncio.create_task(create(it, "create=400", url=""))
        while not (tasks := (await client.get("/v1/tasks")).json()["tasks"]):
            await asyncio.sleep(0)
        async with reading(client, f"/v1/tasks/{tasks[0]['task_id']}/events") as reader:
            answer.set()
            assert (await creating).status_code == 400
            assert await reader.rest() == []


async def test_a_client_hears_of_its_own_tasks_and_the_operator_of_all(tmp_path: Path) -> None:
    async with world(tmp_path) as it, online(it) as client, AsyncExitStack() as stack:
        others = await stack.enter_async_context(reading(client, ENDS, **it.as_key(OTHER_KEY)))
        everyones = await stack.enter_async_context(reading(client, ENDS, **it.as_key(ADMIN)))
        await others.some(1), await everyones.some(1)
        mine = await done(it)
        theirs = await done(it, key=OTHER_KEY)
        assert [frame.body["data"]["task_id"] for frame in await others.some(1)] == [theirs]
        assert [frame.body["data"]["task_id"] for frame in await everyones.some(2)] == [mine, theirs]
        path = f"/v1/tasks/{mine}/events"
        assert (await client.get(path, headers=SSE | it.as_key(OTHER_KEY))).status_code == 404
        assert (await client.get("/v1/events", headers=SSE | it.as_key("nobody's"))).status_code == 401


async def test_idle_streams_ask_the_database_nothing_and_a_commit_wakes_those_it_concerns(tmp_path: Path) -> None:
    async with world(tmp_path, streams_per_key=500) as it, online(it) as client, AsyncExitStack() as stack:
        asked: Counter[str | None] = Counter()
        page = it.ringback.store.event_log.page

        async def counted(after: int, limit: int, client: str | None = None, *rest: Any) -> Any:
            asked[client] += 1
            return await page(after, limit, client, *rest)

        it.ringback.store.event_log.page = counted  # type: ignore[method-assign]
        mine = [await stack.enter_async_context(reading(client, ENDS)) for _ in range(100)]
        theirs = [await stack.enter_async_context(reading(client, ENDS, **it.as_key(OTHER_KEY))) for _ in range(100)]
        await asyncio.gather(*(reader.some(1) for reader in (*mine, *theirs)))
        while asked.total() < 200:
            await asyncio.sleep(0)
        await done(it, key=OTHER_KEY)
        frames = await asyncio.gather(*(reader.some(1) for reader in theirs))
        assert len({frame.data for [frame] in frames}) == 1
        assert asked["env:first"] == 100
        assert asked["env:second"] <= 300


async def test_a_key_has_so_many_streams_and_no_more_until_one_is_closed(tmp_path: Path) -> None:
    async with world(tmp_path, streams_per_key=2) as it, online(it) as client:
        async with reading(client, "/v1/events"):
            async with reading(client, "/v1/events"):
                refused = await client.get("/v1/events", headers=SSE)
                assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_streams")
                assert "may have" in refused.json()["error"]["message"]
                async with reading(client, "/v1/events", **it.as_key(OTHER_KEY)):
                    pass
                assert (await client.head("/v1/events", headers=SSE)).status_code == 429
            while it.ringback.streams._owners["env:first"] > 1:
                await asyncio.sleep(0)  # until the server has noticed
            assert (await client.head("/v1/events", headers=SSE)).status_code == 200
            async with reading(client, "/v1/events"):
                pass
        while it.ringback.streams._open:
            await asyncio.sleep(0)


async def test_a_stop_ends_all_streams_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as it, online(it) as client, AsyncExitStack() as stack:
        task_id = await created(it, url="")
        paths = ("/v1/events", f"/v1/tasks/{task_id}/events")
        readers = [await stack.enter_async_context(reading(client, path)) for path in paths * 5]
        waits = asyncio.create_task(client.get("/v1/events?after=99", headers={"prefer": "wait=60"}))
        while len(it.ringback.streams._open["env:first"]) < 11:
            await asyncio.sleep(0)
        it.ringback.hurry()
        assert [len(await reader.rest()) for reader in readers] == [1, 0] * 5
        assert (await waits).json()["events"] == []
        async with reading(client, "/v1/events") as reader:
            assert len(await reader.rest()) == 1


async def test_a_silent_stream_shows_that_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "HEARTBEAT_SECONDS", 0.01)
    async with world(tmp_path) as it, online(it) as client, reading(client, ENDS) as reader:
        await reader.some(1)
        while reader._rest.count(b":\n") < 2:
            reader._rest += await anext(reader._chunks)
        task_id = await done(it)
        assert (await reader.some(1))[0].body["data"]["task_id"] == task_id


async def test_a_revoked_key_hears_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(tmp_path) as it, online(it) as client:
        made = await it.ringback.clients.create("new")
        assert made is not None
        async with reading(client, "/v1/events", **it.as_key(made.key)) as reader:
            await reader.some(1)
            it.clock.turn(event_log.RIGHTS_MS / 1000 + 1)
            it.ringback.streams.ring(a_task(client=made.id))
            await it.ringback.clients.revoke(made.id)
            it.clock.turn(event_log.RIGHTS_MS / 1000 + 1)
            it.ringback.streams.ring(a_task(client=made.id))
            assert await reader.rest() == []


async def test_a_slow_reader_holds_one_page_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "PAGE", 2)
    async with world(tmp_path) as it:
        for _ in range(6):
            await created(it, url="")
        await it.settle(60)
        pages = 0
        page = it.ringback.store.event_log.page

        async def counted(*which: Any) -> Any:
            nonlocal pages
            pages += 1
            return await page(*which)

        it.ringback.store.event_log.page = counted  # type: ignore[method-assign]
        taken: asyncio.Queue[None] = asyncio.Queue()
        sent: list[bytes] = []
        full = asyncio.Event()

        async def send(message: Message) -> None:
            sent.append(message.get("body", b""))
            full.set()
            await taken.get()

        async def receive() -> Message:
            await asyncio.Event().wait()
            raise AssertionError

        headers = {"host": "localhost", "authorization": f"Bearer {KEY}", **SSE}
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET",
            "scheme": "http", "path": "/v1/events", "raw_path": b"/v1/events", "root_path": "",
            "query_string": b"after=0", "server": ("localhost", 80), "client": ("127.0.0.1", 1),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }  # fmt: skip
        serving = asyncio.create_task(create_app(it.ringback)(scope, receive, send))
        for expected in (0, 0, 1, 2, 3):  # the head, the first frame, and then a page each time that one was taken
            await full.wait()
            full.clear()
            assert pages == expected
            taken.put_nowait(None)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        assert not it.ringback.streams._open


@pytest.mark.parametrize(
    ("query", "headers", "named"),
    [
        ("?types=task.ended", {}, "types"),
        ("?after=x", {}, "after"),
        ("?after=-1", {}, "after"),
        ("", {"last-event-id": "msg_1"}, "Last-Event-ID"),
        ("?since=yesterday", {}, "since"),
    ],
)
async def test_what_cannot_be_followed_is_refused(
    tmp_path: Path, query: str, headers: dict[str, str], named: str
) -> None:
    async with world(tmp_path) as it:
        reply = await it.client.get(f"/v1/events{query}", headers=SSE | headers)
        assert reply.status_code == 400
        assert reply.json()["error"]["message"].startswith(f"{named}: ")


async def test_in_open_mode_everyone_on_this_machine_listens_but_no_page_of_another_origin(tmp_path: Path) -> None:
    async with world(tmp_path, api_keys=(), public_url=None) as it, online(it) as client:
        client.headers.pop("authorization")
        async with reading(client, ENDS) as reader:
            await reader.some(1)
            created = await it.client.post("/wan/videos", json={"model": "wan2.6-t2v", "prompt": "x", "async": True})
            await it.settle(60)
            assert (await reader.some(1))[0].body["data"]["task_id"] == id_of(created)
        foreign = await client.get("/v1/events", headers=SSE | {"origin": "https://evil.example"})
        assert foreign.status_code == 403
