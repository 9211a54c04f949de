"""Events that did not happen: signed like real ones, marked, and without a trace."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from service.domain.deliveries import Format, Subscription
from service.domain.tell import EVENT_TYPES
from service.openapi import document
from service.receivers.trial import trial
from tests.service.nouns import NOW
from tests.service.streaming import online, reading
from tests.world import ADMIN, OTHER_KEY, World, world

pytestmark = pytest.mark.anyio
DOCUMENT = document()
SHAPES = {"flat": "FlatResult", "native": "NativeTask", "gateway": "GatewayTask"}
TABLES = ("tasks", "placements", "subscriptions", "deliveries", "attempts", "events", "charges")


async def rows(it: World) -> dict[str, int]:
    """How many rows the tables of tasks and messages have."""

    def count(tx: Any) -> dict[str, int]:
        return {table: tx.one(f"SELECT count(*) AS n FROM {table}")["n"] for table in TABLES}

    return await it.ringback.store._engine.read(count)


async def tried(it: World, **wish: Any) -> Any:
    reply = await it.client.post("/v1/test-events", json=wish)
    assert reply.status_code == 200, reply.text
    return reply.json()


@pytest.mark.parametrize("type_", EVENT_TYPES)
async def test_an_event_of_any_type_is_posted_signed_and_marked_and_leaves_no_trace(tmp_path: Path, type_: str) -> None:
    async with world(tmp_path) as it:
        done = await tried(it, type=type_, url=f"{it.inbox.url}/hook")
        [received] = it.inbox.received
        assert (received.body["type"], received.body["data"]["test"]) == (type_, True)
        assert received.body["data"]["finished_at"] is None or type_ != "task.running"
        assert (done["webhook_id"], done["body"]) == (received.id, received.body)
        assert (done["delivered"], done["status"], done["listeners"]) == (True, 204, None)
        assert not it.inbox.forged
        assert set((await rows(it)).values()) == {0}
        task_id = received.body["data"]["task_id"]
        assert (await it.client.get(f"/v1/tasks/{task_id}/record")).status_code == 404


@pytest.mark.parametrize("form", list(Format))
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("type_", EVENT_TYPES)
async def test_every_form_is_what_would_be_told(tmp_path: Path, shape: str, form: Format, type_: str) -> None:
    async with world(tmp_path) as it:
        to = Subscription("s", "", "https://hook.example.com/", form, NOW)
        message = trial(it.ringback.teller, type_, shape, to, "env:first", NOW)
    body = json.loads(message.body)
    marked = body if form is Format.OWN else body["data"]
    assert marked["test"] is True
    if form is not Format.CLOUDEVENTS:
        schema = SHAPES[shape] if form is Format.OWN else "Event"
        if not (schema == "FlatResult" and type_ == "task.running"):
            reference = {"$ref": f"#/components/schemas/{schema}", "components": DOCUMENT["components"]}
            Draft202012Validator(reference).validate(body)


async def test_an_endpoint_is_tried_with_its_own_secret_headers_and_form(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        wanted = {"url": f"{it.inbox.url}/ep", "format": "own"}
        made = (await it.client.post("/v1/endpoints", json=wanted)).json()
        it.inbox.secrets = (made["secret"],)
        done = await tried(it, type="task.succeeded", endpoint=made["id"], shape="native")
        assert (done["delivered"], done["body"]["output"]["task_status"], done["body"]["test"]) == (
            True,
            "SUCCEEDED",
            True,
        )
        [received] = it.inbox.received
        assert received.path == "/ep"
        foreign = {"type": "task.succeeded", "endpoint": made["id"]}
        reply = await it.client.post("/v1/test-events", json=foreign, headers=it.as_key(OTHER_KEY))
        assert (reply.status_code, reply.json()["error"]["message"]) == (400, "endpoint: there is no such endpoint.")
        theirs = await it.client.post("/v1/test-events", json=foreign, headers=it.as_key(ADMIN))
        assert theirs.json()["delivered"]


async def test_a_receiver_that_does_not_take_it_is_told_in_a_sentence_and_nothing_is_tried_again(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        it.inbox.answers = [(500, {}), (302, {"location": "https://elsewhere.example/"})]
        done = await tried(it, type="task.failed", url=f"{it.inbox.url}/hook")
        assert (done["delivered"], done["status"]) == (False, 500)
        assert done["reason"].startswith("answered 500")
        done = await tried(it, type="task.failed", url=f"{it.inbox.url}/hook")
        assert "redirects are not followed" in done["reason"]
        done = await tried(it, type="task.failed", url="http://127.0.0.1:9/")
        assert (done["delivered"], done["status"]) == (False, None)
        await it.settle(120, 10)
        assert len(it.inbox.received) == 2


async def test_streams_of_the_client_hear_it_but_never_as_a_place_to_go_on_from(tmp_path: Path) -> None:
    async with world(tmp_path) as it, online(it) as client, AsyncExitStack() as stack:
        assert (await tried(it, type="task.succeeded"))["listeners"] == 0
        mine = await stack.enter_async_context(reading(client, "/v1/events?types=task.succeeded"))
        others = await stack.enter_async_context(reading(client, "/v1/events", **it.as_key(OTHER_KEY)))
        await mine.some(1), await others.some(1)
        assert (await tried(it, type="task.failed"))["listeners"] == 1  # but it wants other types
        done = await tried(it, type="task.succeeded")
        [frame] = await mine.some(1)
        assert (frame.id, frame.event, frame.body) == (None, "task.succeeded", done["body"])
        assert done["delivered"]
        theirs = {"json": {"type": "task.expired"}, "headers": it.as_key(OTHER_KEY)}
        assert (await it.client.post("/v1/test-events", **theirs)).json()["listeners"] == 1
        assert (await others.some(1))[0].event == "task.expired"
        assert (await rows(it))["events"] == 0


async def test_a_client_has_so_many_under_way_and_no_more(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        gate = asyncio.Event()
        way_of = it.ringback.clients.way_of

        async def late(message: Any) -> Any:
            await gate.wait()
            return await way_of(message)

        it.ringback.clients.way_of = late  # type: ignore[method-assign]
        wish = {"type": "task.succeeded", "url": f"{it.inbox.url}/hook"}
        under_way = [asyncio.create_task(tried(it, **wish)) for _ in range(4)]
        trials = it.to_service._transport.app.state.house.trials  # type: ignore[attr-defined]
        while trials._share._open["env:first"] < 4:
            await asyncio.sleep(0)
        reply = await it.client.post("/v1/test-events", json=wish)
        assert (reply.status_code, reply.json()["error"]["code"]) == (429, "too_many_tests")
        gate.set()
        assert all(done["delivered"] for done in await asyncio.gather(*under_way))


@pytest.mark.parametrize(
    ("wish", "named"),
    [
        ({}, "type"),
        ({"type": "task.ended"}, "type"),
        ({"type": "task.failed", "url": "http://10.0.0.1/"}, "url"),
        ({"type": "task.failed", "url": 5}, "url"),
        ({"type": "task.failed", "endpoint": []}, "endpoint"),
        ({"type": "task.failed", "endpoint": "ep_1", "url": "https://a.example.com/"}, "endpoint"),
        ({"type": "task.failed", "format": "own"}, "format"),
        ({"type": "task.failed", "format": "xml"}, "format"),
        ({"type": "task.failed", "shape": "round"}, "shape"),
        ({"type": "task.failed", "times": 5}, "times"),
    ],
)
async def test_what_cannot_be_tried_is_refused(tmp_path: Path, wish: dict[str, Any], named: str) -> None:
    async with world(tmp_path) as it:
        reply = await it.client.post("/v1/test-events", json=wish)
        assert reply.status_code == 400
        assert reply.json()["error"]["message"].startswith(f"{named}: ")
