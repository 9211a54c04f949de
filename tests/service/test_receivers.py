"""What a receiver does, it does to its own lane: it rests, is probed, is disabled; and nobody else notices."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.domain.deliveries import Delivery
from service.domain.lanes import FIRST_PAUSE, TRIES
from service.domain.tasks import OUTCOME_UNKNOWN as UNKNOWN
from service.domain.tasks import TaskState, Verdict, fail
from tests.service.loopback import Asked, fine, receiving
from tests.service.nouns import a_message, a_placement, a_subscription, a_task
from tests.world import World, serve, world

pytestmark = pytest.mark.anyio
HOUR, DAY = 3600.0, 86_400.0


async def to_tell(it: World, url: str, endpoint: str | None = None) -> str:
    """A message for this URL or endpoint that is due now; its id."""
    store, task, made = it.ringback.store.tasks, a_task(state=TaskState.IN_DOUBT), list[Delivery]()
    await store.accept(task, a_placement(task), [a_subscription(task, url=url, endpoint=endpoint)])

    def message(each: Any) -> Delivery:
        made.append(a_message(task, each, created_at=it.clock(), due_at=it.clock(), endpoint=each.endpoint))
        return made[-1]

    await store.record(fail(task, UNKNOWN, it.clock(), "doubt"), Verdict.UNPROVEN, message)
    return made[0].id


async def an_endpoint(it: World, url: str, **fields: Any) -> str:
    made = await it.client.post("/v1/endpoints", json={"url": url} | fields)
    assert made.status_code == 201, made.text
    it.inbox.secrets += (made.json()["secret"],)
    return str(made.json()["id"])


async def shown(it: World, message: str) -> dict[str, Any]:
    found: dict[str, Any] = (await it.client.get(f"/v1/deliveries/{message}")).json()
    return found


async def endpoint_of(it: World, endpoint: str) -> dict[str, Any]:
    found: dict[str, Any] = (await it.client.get(f"/v1/endpoints/{endpoint}")).json()
    return found


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_who_asks_for_less_gets_nothing_for_a_while_and_others_do(tmp_path: Path, status: int) -> None:
    async with world(tmp_path) as it:
        url = f"{it.inbox.url}/hook"
        resting, other = await an_endpoint(it, url), await an_endpoint(it, url)
        it.inbox.answers = [(status, {"retry-after": "40"})]
        first = await to_tell(it, url, resting)
        await it.tick()
        second, third = await to_tell(it, url, resting), await to_tell(it, url, other)
        await it.settle(38)
        assert [(await shown(it, one))["attempts"] for one in (first, second, third)] == [1, 0, 1]
        health = (await endpoint_of(it, resting))["health"]
        assert (health["standing"], health["failures"], health["pause"]) == ("ill", 1, "throttled")
        await it.settle(20)
        assert [(await shown(it, one))["state"] for one in (first, second, third)] == ["DELIVERED"] * 3
        assert (await endpoint_of(it, resting))["health"]["standing"] == "well"


async def test_a_circuit_opens_and_one_message_is_its_probe_also_after_a_restart(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        url = f"{it.inbox.url}/hook"
        down = await an_endpoint(it, url, schedule=[1.0] * 20)
        it.inbox.answers = [(500, {})] * (TRIES + 1)
        messages = [await to_tell(it, url, down) for _ in range(TRIES + 3)]
        await it.tick()  # one after the other: a lane begins with one attempt
        assert len(it.inbox.received) == TRIES
        await it.stop()
        await it.start()
        await it.settle(FIRST_PAUSE - 2)
        assert len(it.inbox.received) == TRIES
        await it.settle(4)
        assert len(it.inbox.received) == TRIES + 1  # the probe, which failed
        assert (await endpoint_of(it, down))["health"]["pause"] == "open"
        await it.settle(2 * FIRST_PAUSE + 5)
        assert {(await shown(it, one))["state"] for one in messages} == {"DELIVERED"}


@pytest.mark.parametrize(("status", "headers"), [(410, {}), (500, {"webhook-delivery": "disable"})])
async def test_an_endpoint_that_wants_no_more_is_disabled_and_its_messages_are_kept(
    tmp_path: Path, status: int, headers: dict[str, str]
) -> None:
    async with world(tmp_path) as it:
        url = f"{it.inbox.url}/hook"
        gone = await an_endpoint(it, url)
        it.inbox.answers = [(status, headers)]
        messages = [await to_tell(it, url, gone)]
        await it.tick()
        assert (await endpoint_of(it, gone))["disabled_by"] == "gone"
        messages.append(await to_tell(it, url, gone))
        await it.settle(3 * DAY, HOUR)
        assert len(it.inbox.received) == 1
        assert {(await shown(it, one))["state"] for one in messages} == {"PENDING"}
        await it.client.post(f"/v1/endpoints/{gone}/enable")
        await it.settle(5)
        assert {(await shown(it, one))["state"] for one in messages} == {"DELIVERED"}


async def test_a_message_that_is_not_wanted_is_abandoned_and_others_go_on(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        url = f"{it.inbox.url}/hook"
        picky = await an_endpoint(it, url)
        it.inbox.answers = [(422, {"webhook-delivery": "abort-message"})]
        first = await to_tell(it, url, picky)
        await it.tick()
        second = await to_tell(it, url, picky)
        await it.settle(5)
        assert [(await shown(it, one))["state"] for one in (first, second)] == ["ABANDONED", "DELIVERED"]
        [attempt] = (await shown(it, first))["log"]
        assert (attempt["verdict"], attempt["why_next"]) == ("aborted", "the receiver wants no more of it")


async def test_a_message_that_is_not_wanted_does_not_wait_for_its_endpoint_to_be_enabled(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        url = f"{it.inbox.url}/hook"
        done = await an_endpoint(it, url)
        it.inbox.answers = [(500, {"webhook-delivery": "disable, abort-message"})]
        message = await to_tell(it, url, done)
        await it.tick()
        assert (await endpoint_of(it, done))["disabled_by"] == "gone"
        assert (await shown(it, message))["state"] == "ABANDONED"


async def test_after_days_of_nothing_but_failures_an_endpoint_is_disabled_with_warnings_before(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        url = f"{it.inbox.url}/hook"
        dead = await an_endpoint(it, url, schedule=[HOUR] * 15)
        it.inbox.answers = [(500, {})] * 1000
        for _ in range(6):
            message = await to_tell(it, url, dead)
            await it.settle(DAY, HOUR)
        assert (await endpoint_of(it, dead))["disabled_by"] == "failing"
        events = await it.ringback.store.events.recent("", 0, (2**62, ""), 50)
        kinds = [event.kind for event in events if event.subject == dead]
        assert kinds.count("receiver.failing") == 4
        assert kinds[0] == "endpoint.disabled"
        assert (await shown(it, message))["state"] == "PENDING"


@pytest.mark.parametrize("status", [404, 409])
async def test_a_url_that_may_not_be_armed_yet_is_tried_again_soon_whatever_the_schedule(
    tmp_path: Path, status: int
) -> None:
    async with world(tmp_path) as it:
        url = f"{it.inbox.url}/hook"
        waiting = await an_endpoint(it, url, schedule=[HOUR, HOUR, HOUR])
        it.inbox.answers = [(status, {})] * 3
        await to_tell(it, url, waiting)
        await it.settle(40)
        assert len(it.inbox.received) == 3
        await it.settle(HOUR - 10, 10)
        assert len(it.inbox.received) == 3


async def test_a_kept_connection_that_died_is_replaced_within_the_same_attempt(tmp_path: Path) -> None:
    used: set[int] = set()

    async def hangs_up_when_reused(asked: Asked, writer: asyncio.StreamWriter) -> bool | None:
        if asked.connection in used:
            return False
        used.add(asked.connection)
        await fine(asked, writer)
        return None

    async with world(tmp_path) as it, receiving(hangs_up_when_reused) as receiver:
        url = f"http://127.0.0.1:{receiver.port}/hook"
        for _ in range(2):
            message = await to_tell(it, url)
            await it.tick()
            found = await shown(it, message)
            assert (found["state"], found["attempts"], len(found["log"])) == ("DELIVERED", 1, 1)
        assert [asked.connection for asked in receiver.asked] == [0, 0, 1]  # the second message was seen twice


async def test_an_attempt_tells_where_its_time_went_and_hides_what_may_be_secret(tmp_path: Path) -> None:
    async def redirect(request: Request) -> Response:
        headers = {"location": "https://user:pw@new.example.com/in?token=hush", "set-cookie": "id=hush"}
        return Response("moved", 301, headers)

    async with world(tmp_path) as it, serve(Starlette(routes=[Route("/", redirect, methods=["POST"])])) as url:
        message = await to_tell(it, url)
        await it.tick()
        [attempt] = (await shown(it, message))["log"]
        # Where it leads is not told of a receiver that only the operator's word has opened, as here.
        assert attempt["reason"] == "answered 301 Moved Permanently: redirects are not followed; change the URL"
        assert attempt["why_next"] == "attempt 2 of the 13 of the schedule"
        assert all(isinstance(attempt[name], int) for name in ("dns_ms", "connect_ms", "first_byte_ms", "elapsed_ms"))
        assert (attempt["tls_ms"], attempt["address"], attempt["reply_headers"]) == (None, None, {})
        assert "hush" not in str(attempt)


async def test_those_that_are_ill_begin_at_a_pace_and_none_of_them_is_forgotten(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        url, work = f"{it.inbox.url}/hook", it.ringback.workers["deliver"]._work
        it.inbox.answers = [(500, {})] * 30
        ill = {await to_tell(it, url, await an_endpoint(it, url, schedule=[600.0] * 3)) for _ in range(30)}
        await it.tick()
        it.clock.turn(1200)  # all are due again, and by now all are known to be ill
        it.inbox.received.clear()
        it.inbox.answers = [(500, {})] * 40
        well = await to_tell(it, url)
        began = it.clock()
        await it.tick()
        received = [message.id for message in it.inbox.received]
        assert well in received
        assert len(received) < 15
        while not ill <= {message.id for message in it.inbox.received}:
            due = await work.next_due()
            assert due is not None
            assert it.clock() < due <= it.clock() + 200  # it sleeps for a moment, and no longer
            it.clock.turn((due - it.clock()) / 1000)
            await it.tick()
        assert 3000 <= it.clock() - began <= 5000


async def test_those_that_come_round_are_found_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        url = f"{it.inbox.url}/hook"
        it.inbox.answers = [(500, {})] * 30
        ill = {await to_tell(it, url, await an_endpoint(it, url, schedule=[600.0] * 3)) for _ in range(30)}
        await it.tick()
        it.clock.turn(1200)
        it.inbox.received.clear()
        await it.tick()
        assert {message.id for message in it.inbox.received} == ill  # who answers takes nobody's turn
