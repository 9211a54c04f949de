"""AceData's callbacks: promised with the create, due at the end, sent once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import pytest

from service.simulator import SimulatorSettings, create_simulator
from tests.simulator.upstream import BASE, Clock, Inbox, Upstream, task_id_of

pytestmark = pytest.mark.anyio

URL = "http://inbox.test/token-1"


async def test_a_callback_is_sent_when_the_task_ends_and_never_again(
    upstream: Upstream, clock: Clock, inbox: Inbox
) -> None:
    reply = await upstream.flat("[sim:seconds=10]", callback_url=URL, **{"async": False})
    task_id = task_id_of(reply)
    assert reply.json() == {"task_id": task_id}
    clock.turn(9.9)
    assert await upstream.world.send_due_callbacks() == 0
    clock.turn(0.1)
    assert await upstream.world.send_due_callbacks() == 1
    assert await upstream.world.send_due_callbacks() == 0
    ((token, headers, body),) = inbox.received
    assert (token, headers["content-type"]) == ("token-1", "application/json")
    assert not [name for name in headers if "sign" in name or name == "authorization"]
    assert body == (await upstream.look("acedata", task_id)).json()["response"]


async def test_a_failure_is_called_back_too(upstream: Upstream, clock: Clock, inbox: Inbox) -> None:
    task_id = task_id_of(await upstream.flat("[sim:fail seconds=1]", callback_url=URL))
    clock.turn(1)
    await upstream.world.send_due_callbacks()
    (body,) = inbox.bodies
    assert body.pop("trace_id")
    assert body == {"success": False, "task_id": task_id, "error": {"code": "api_error", "message": "fetch failed"}}


async def test_a_callback_that_is_not_taken_is_not_repeated(upstream: Upstream, clock: Clock, inbox: Inbox) -> None:
    inbox.status = 503
    await upstream.flat("[sim:seconds=1]", callback_url=URL)
    await upstream.flat("[sim:seconds=1]", callback_url="http://inbox.test:nowhere/")
    clock.turn(1)
    assert await upstream.world.send_due_callbacks() == 2
    clock.turn(3600)
    assert await upstream.world.send_due_callbacks() == 0
    assert sorted(str(sent.status) for sent in upstream.world.outbox.sent) == ["503", "None"]


@pytest.mark.parametrize(("marker", "times"), [("callback=lost", 0), ("callback=twice", 2)])
async def test_callbacks_may_be_lost_or_come_twice(
    upstream: Upstream, clock: Clock, inbox: Inbox, marker: str, times: int
) -> None:
    task_id = task_id_of(await upstream.flat(f"[sim:seconds=1 {marker}]", callback_url=URL))
    clock.turn(1)
    await upstream.world.send_due_callbacks()
    assert [body["task_id"] for body in inbox.bodies] == [task_id] * times
    assert (await upstream.look("acedata", task_id)).json()["response"]["success"] is True


async def test_a_callback_may_name_another_task(upstream: Upstream, clock: Clock, inbox: Inbox) -> None:
    task_id = task_id_of(await upstream.flat("[sim:seconds=1 callback=wrongid]", callback_url=URL))
    clock.turn(1)
    await upstream.world.send_due_callbacks()
    (body,) = inbox.bodies
    assert body["task_id"] != task_id
    assert (await upstream.look("acedata", body["task_id"])).json() == {}


async def test_a_callback_may_overtake_the_answer_of_the_create(upstream: Upstream, inbox: Inbox) -> None:
    with pytest.raises(httpx.RemoteProtocolError):  # there is no answer at all, and the callback has come
        await upstream.flat("[sim:callback=early create=lost]", callback_url=URL)
    (body,) = inbox.bodies
    record = (await upstream.look("acedata", body["task_id"])).json()
    assert record["response"] == body
    assert record["request"]["callback_url"] == URL


async def test_native_vendors_send_no_callbacks(upstream: Upstream, clock: Clock) -> None:
    await upstream.native("dashscope", "[sim:seconds=1]")
    clock.turn(1)
    assert await upstream.world.send_due_callbacks() == 0


async def test_a_create_without_async_or_callback_is_held_until_the_end(upstream: Upstream, clock: Clock) -> None:
    began = clock()
    reply = await upstream.flat("[sim:seconds=787]", **{"async": False})
    assert clock() == pytest.approx(began + 787)
    assert (reply.status_code, reply.json()["state"]) == (200, "completed")
    task_id = reply.json()["task_id"]
    assert (await upstream.look("acedata", task_id)).json()["response"] == reply.json()


@pytest.mark.parametrize(("code", "status"), [("fail", 500), ("fail=DataInspectionFailed", 403), ("fail=timeout", 504)])
async def test_a_held_create_that_fails_is_an_error(upstream: Upstream, code: str, status: int) -> None:
    reply = await upstream.flat(f"[sim:{code}]", **{"async": False})
    assert (reply.status_code, reply.json()["success"]) == (status, False)


async def test_the_lifespan_sends_callbacks_by_itself(clock: Clock, inbox: Inbox) -> None:
    arrived = asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        arrived.set()
        return httpx.Response(200)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as sender:
        app = create_simulator(SimulatorSettings(), clock, sender)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client,
        ):
            body = {"prompt": "[sim:seconds=0]", "callback_url": URL}
            await client.post("/acedata/wan/videos", json=body, headers={"Authorization": "Bearer sk"})
            async with asyncio.timeout(5):
                await arrived.wait()
        assert len(app.state.world.outbox.sent) == 1


async def test_a_slow_receiver_keeps_no_other_callback_waiting(simulate: Callable[..., Upstream], clock: Clock) -> None:
    slow, quick = asyncio.Event(), asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/slow":
            await slow.wait()
        else:
            quick.set()
        return httpx.Response(200)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as sender:
        app = create_simulator(SimulatorSettings(), clock, sender)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client,
        ):
            for path in ("slow", "quick"):
                body = {"prompt": "[sim:seconds=0]", "callback_url": f"http://inbox.test/{path}"}
                await client.post("/acedata/wan/videos", json=body, headers={"Authorization": "Bearer sk"})
            async with asyncio.timeout(5):
                await quick.wait()
            slow.set()


async def test_eventbridge_tries_three_times_more_and_says_the_same_id(
    upstream: Upstream, clock: Clock, inbox: Inbox
) -> None:
    inbox.status = 503
    upstream.world.bridge.subscribe("http://inbox.test/token-2", "console")
    await upstream.native("dashscope", "[sim:seconds=1]")
    for seconds, expected in ((1, 1), (14, 1), (1, 2), (15, 3), (15, 4), (60, 4)):
        clock.turn(seconds)
        await upstream.world.send_due_callbacks()
        assert len(inbox.received) == expected
    assert len({body["id"] for body in inbox.bodies}) == 1
    assert {headers["x-eventbridge-signature-token"] for _, headers, _ in inbox.received} == {"console"}
