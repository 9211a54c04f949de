"""The OpenAPI document against the server: every route is in it, and what the server says is what it promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from starlette.routing import Route

from service.openapi import document
from service.routes import ROUTES
from tests.service.elsewhere import OWN_KEY, at_provider
from tests.world import ADMIN, World, world

pytestmark = pytest.mark.anyio
DOCUMENT = document()
OPERATORS = ("/v1/keys", "/v1/operator", "/v1/tasks/{task_id}/send-again", "/v1/tasks/{task_id}/adopt")
NATIVE = "/api/v1/services/aigc/video-generation/video-synthesis"


def test_it_is_valid_openapi() -> None:
    validate(DOCUMENT)


def test_it_has_every_route_and_no_other() -> None:
    served = {
        (route.path.rstrip("/"), method.lower())
        for route in ROUTES
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    told = {(path, method) for path, call in DOCUMENT["paths"].items() for method in call if method != "parameters"}
    assert told == served


async def test_it_is_served_without_a_key(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        assert (await it.client.get("/openapi.json", headers={"authorization": ""})).json() == DOCUMENT


def promised(path: str, method: str, status: int) -> Draft202012Validator:
    schema = DOCUMENT["paths"][path][method]["responses"][str(status)]["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})


async def test_replies_are_what_it_promises(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        seen = 0

        async def call(method: str, path: str, body: Any = None, status: int = 200, **given: str) -> Any:
            nonlocal seen
            headers = {"authorization": f"Bearer {ADMIN}"} if path.startswith(OPERATORS) else {}
            reply = await it.client.request(method, path.format(**given), json=body, headers=headers)
            assert reply.status_code == status, reply.text
            promised(path, method.lower(), status).validate(reply.json())
            seen += 1
            return reply.json()

        hook = f"{it.inbox.url}/hook"
        flat = {"model": "wan2.6-t2v", "prompt": "x", "callback_url": hook}
        task = (await call("POST", "/wan/videos", flat))["task_id"]
        native = await call("POST", NATIVE, {"model": "wan2.7-t2v", "input": {"prompt": "x [sim:fail]"}})
        failed = native["output"]["task_id"]
        await call("POST", f"/wan{NATIVE}", {"model": "wan2.7-t2v", "input": {"prompt": "x"}, "callback_url": hook})
        for _ in range(2):
            for one in (task, failed):
                await call("POST", "/wan/tasks", {"action": "retrieve", "id": one})
                await call("GET", "/api/v1/tasks/{task_id}", task_id=one)
                await call("GET", "/v1/tasks/{task_id}", task_id=one)
                await call("GET", "/v1/tasks/{task_id}/record", task_id=one)
                await call("GET", "/v1/tasks/{task_id}/subscriptions", task_id=one)
            await call("POST", "/wan/tasks", {"action": "retrieve_batch", "ids": [task, failed]})
            await call("GET", "/api/v1/tasks")
            await call("GET", "/v1/tasks")
            await call("GET", "/v1/events")
            await call("GET", "/v1/tasks/{task_id}/events", task_id=task)
            await call("GET", "/v1/deliveries")
            await it.settle(60)
        await call("GET", "/v1/events/{seq}", seq="1")
        await call("GET", "/v1/events/{seq}", status=404, seq="999")
        await call("POST", "/v1/test-events", {"type": "task.succeeded"})
        await call("POST", "/v1/test-events", {"type": "task.failed", "url": hook, "format": "own"})
        delivery = (await call("GET", "/v1/deliveries"))["deliveries"][0]["id"]
        await call("GET", "/v1/deliveries/{delivery_id}", delivery_id=delivery)
        await call("POST", "/v1/deliveries/{delivery_id}/replay", status=202, delivery_id=delivery)
        await call("POST", "/v1/deliveries/{delivery_id}/replay", {"new_id": True}, 202, delivery_id=delivery)
        await call("POST", "/v1/tasks/{task_id}/replay", status=202, task_id=task)
        await call("POST", "/v1/replays", {"since": "1h", "dry_run": True})
        replay = (await call("POST", "/v1/replays", {"failed": True, "until": "1s"}, 202))["id"]
        await call("GET", "/v1/replays")
        await it.tick()
        await call("GET", "/v1/replays/{replay_id}", replay_id=replay)
        await call("POST", "/v1/replays/{replay_id}/cancel", replay_id=replay)
        await call("POST", "/v1/tasks/{task_id}/subscriptions", {"url": f"{hook}/2"}, 201, task_id=task)
        await call("POST", "/v1/tasks/{task_id}/cancel", task_id=task)
        again = "/v1/tasks/{task_id}/send-again"
        lost = {"model": "wan2.6-t2v", "prompt": "x [sim:create=lost times=1]", "async": True}
        doubtful = (await call("POST", "/wan/videos", lost))["task_id"]
        await call("GET", "/v1/tasks/{task_id}/record", task_id=doubtful)
        adopt = "/v1/tasks/{task_id}/adopt"
        await call("POST", adopt, {"upstream_id": "nobody's"}, 409, task_id=doubtful)
        theirs = {"upstream_id": it.upstreams.creates[-1].task_id}
        await call("POST", adopt, theirs, task_id=doubtful)
        doubtful = (await call("POST", "/wan/videos", lost | {"prompt": "y [sim:create=lost times=1]"}))["task_id"]
        await call("POST", again, {"confirm": False}, 409, task_id=doubtful)
        await call("POST", again, {"confirm": True}, 202, task_id=doubtful)
        sent = (await call("GET", "/v1/tasks/{task_id}/record", task_id=task))["placements"][0]
        await call("POST", "/v1/watch", {"provider": sent["provider"], "task_id": sent["upstream_id"]})
        mine = {"provider": "apiyi", "upstream_key": OWN_KEY}
        await call("POST", "/v1/watch", mine | {"task_id": await at_provider(it, "apiyi")}, 201)
        await call("POST", "/v1/watch", mine | {"task_id": "nothing"}, 404)
        await call("POST", "/v1/watch", mine, 400)
        await call("GET", "/v1/models")
        await call("POST", "/v1/keys", {"name": "new"}, 201)
        await call("GET", "/v1/keys")
        budget = {"amount_micros": 20_000_000, "currency": "USD", "period": "month"}
        await call("PUT", "/v1/keys/{client}/allowance", {"budgets": [budget], "models": ["x"]}, client="new")
        await call("GET", "/v1/keys/{client}/allowance", client="env:first")
        await call("GET", "/v1/cost")
        key = (await call("POST", "/v1/keys", {"name": "newer"}, 201))["id"]
        await call("POST", "/v1/keys/{key_id}/rotate-secret", {"overlap_seconds": 60}, key_id=key)
        one = "/v1/endpoints/{endpoint_id}"
        wanted = {"url": hook, "events": ["task.running"], "schedule": [5, 0.5 + 1], "headers": {"X-A": "b"}}
        made = (await call("POST", "/v1/endpoints", wanted, 201))["id"]
        await call("POST", "/v1/endpoints", {"url": "x"}, 400)
        await call("GET", "/v1/endpoints")
        await call("GET", one, endpoint_id=made)
        await call("PATCH", one, {"schedule": None}, endpoint_id=made)
        for verb in ("disable", "enable", "rotate-secret"):
            await call("POST", f"{one}/{verb}", {}, endpoint_id=made)
        await call("GET", f"{one}/jwks.json", endpoint_id=made)
        await call("POST", "/v1/endpoints/check", {"endpoint": made})
        await call("POST", "/v1/endpoints/check", {"url": "https://10.0.0.1/"})
        await call("POST", "/v1/endpoints/check", {}, 400)
        await call("POST", "/v1/tasks/{task_id}/subscriptions", {"endpoint": made}, 201, task_id=task)
        await call("GET", "/v1/tasks/{task_id}/subscriptions", task_id=task)
        await it.ringback.operator.tell("new.kind", "x", said="y")
        await call("GET", "/v1/operator/events")
        await call("POST", "/wan/videos", {"model": "wan2.6-t2v"}, 400)
        await call("POST", NATIVE, {}, 400)
        await call("GET", "/v1/tasks/{task_id}/record", status=404, task_id="nothing")
        await call("GET", "/v1/tasks/{task_id}", status=400, task_id="nothing")
        await call("DELETE", "/v1/tasks/{task_id}", task_id=task)
        await call("DELETE", "/v1/tasks/{task_id}", status=404, task_id=task)
        await call("GET", "/health", status=503)  # no loop runs in this world
        assert seen > 30


SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)


@SCHEMA.parametrize()
@settings(max_examples=6, derandomize=True, suppress_health_check=list(HealthCheck))
async def test_generated_requests_never_break_it(case: Any, running: World) -> None:
    sent = case.as_transport_kwargs(base_url="http://localhost")
    key = ADMIN if case.path.startswith(OPERATORS) else None
    request = httpx.Request(
        sent["method"], sent["url"], params=sent.get("params"), headers=_headers(sent), json=sent.get("json"),
        content=sent.get("data"),
    )  # fmt: skip
    request.headers["authorization"] = f"Bearer {key}" if key else running.client.headers["authorization"]
    reply = await running.client.send(request)
    assert reply.status_code < 500 or (reply.status_code == 503 and case.path in ("/health", "/ready"))
    if reply.content:
        assert isinstance(reply.json(), dict)


def _headers(sent: dict[str, Any]) -> dict[str, bytes]:
    """As bytes: httpx itself would send a text in ASCII only."""
    given = {name: value for name, value in (sent.get("headers") or {}).items() if name.lower() != "content-length"}
    return {name: value.encode("latin-1", "replace") for name, value in given.items()}


@pytest.fixture
async def running(tmp_path: Path) -> Any:
    async with world(tmp_path) as it:
        yield it
