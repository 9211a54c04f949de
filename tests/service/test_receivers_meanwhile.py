"""While an attempt is on its way its endpoint is deleted, or leads elsewhere: its answer is about what was asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.service.test_receivers import an_endpoint, endpoint_of, shown, to_tell
from tests.world import World, serve, world

pytestmark = pytest.mark.anyio
HOUR = 3600.0
Meanwhile = Callable[[], Awaitable[Any]]


@asynccontextmanager
async def answering(status: int, meanwhile: list[Meanwhile], **headers: str) -> AsyncIterator[str]:
    """A receiver that answers when what is to happen first has happened."""

    async def receive(request: Request) -> Response:
        for act in meanwhile:
            await act()
        return Response(status_code=status, headers={name.replace("_", "-"): value for name, value in headers.items()})

    async with serve(Starlette(routes=[Route("/", receive, methods=["POST"])])) as url:
        yield url


@pytest.mark.parametrize("disabled", [False, True])
async def test_what_fails_while_its_endpoint_is_deleted_is_abandoned(tmp_path: Path, *, disabled: bool) -> None:
    acts: list[Meanwhile] = []
    async with world(tmp_path) as it, answering(500, acts) as url:
        one = await an_endpoint(it, url)
        if disabled:
            acts.append(lambda: it.client.post(f"/v1/endpoints/{one}/disable"))
        acts.append(lambda: it.client.delete(f"/v1/endpoints/{one}"))
        message = await to_tell(it, url, one)
        await it.settle(60)
        found = await shown(it, message)
        verdicts = [attempt["verdict"] for attempt in found["log"]]
        assert (found["state"], verdicts) == ("ABANDONED", ["bad_status", "no_endpoint"])


async def moved(it: World, endpoint: str) -> None:
    changed = await it.client.patch(f"/v1/endpoints/{endpoint}", json={"url": f"{it.inbox.url}/new"})
    assert changed.status_code == 200


async def test_a_gone_from_where_an_endpoint_led_before_does_not_disable_it(tmp_path: Path) -> None:
    acts: list[Meanwhile] = []
    async with world(tmp_path) as it, answering(410, acts) as url:
        one = await an_endpoint(it, url)
        acts.append(lambda: moved(it, one))
        message = await to_tell(it, url, one)
        await it.settle(10)
        assert (await endpoint_of(it, one))["disabled_at"] is None
        assert ((await shown(it, message))["state"], len(it.inbox.received)) == ("DELIVERED", 1)


async def test_a_rest_that_the_earlier_receiver_asked_for_is_not_given_to_the_new_one(tmp_path: Path) -> None:
    acts: list[Meanwhile] = []
    async with world(tmp_path) as it, answering(429, acts, retry_after="3600") as url:
        one = await an_endpoint(it, url)
        acts.append(lambda: moved(it, one))
        await to_tell(it, url, one)
        await it.tick()
        assert (await endpoint_of(it, one))["health"]["pause"] is None
        second = await to_tell(it, url, one)
        await it.tick()
        assert (await shown(it, second))["state"] == "DELIVERED"
