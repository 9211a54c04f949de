"""Asking an upstream account which tasks it has."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from adapters import SHAPES
from adapters.catalogue import builtin
from adapters.messages import Listing, State
from adapters.providers import PROVIDERS
from service.accounts.upstream import Declined, Unheard, Upstream
from service.simulator import SimulatorSettings, create_simulator

pytestmark = pytest.mark.anyio
NATIVE = "/api/v1/services/aigc/video-generation/video-synthesis"
CREATES = {
    "acedata": ("/wan/videos", {"prompt": "a cat", "async": True, "callback_url": "https://r.test/1"}),
    "dashscope": (NATIVE, {"model": "wan2.6-t2v", "input": {"prompt": "a cat"}}),
}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_simulator(SimulatorSettings(), lambda: 1_769_262_721.0))
    async with httpx.AsyncClient(transport=transport, base_url="http://upstreams.test") as client:
        yield client


def upstream(client: httpx.AsyncClient, name: str) -> Upstream:
    row = PROVIDERS[name]
    return Upstream(row, SHAPES[row.shape](builtin()), client, f"http://upstreams.test/{name}", "sk-1", 5, lambda: 0)


async def ordered(client: httpx.AsyncClient, name: str) -> str:
    path, body = CREATES[name]
    headers = {"authorization": "Bearer sk-1", "x-dashscope-async": "enable"}
    reply = (await client.post(f"/{name}{path}", json=body, headers=headers)).json()
    task_id: str = reply.get("output", reply)["task_id"]
    return task_id


async def test_acedata_lists_records_with_what_was_sent(client: httpx.AsyncClient) -> None:
    task_id = await ordered(client, "acedata")
    page = await upstream(client, "acedata").list(Listing(service="wan", limit=100))
    assert [(one.task_id, one.callback_url) for one in page.reports] == [(task_id, "https://r.test/1")]


async def test_dashscope_lists_states_by_model(client: httpx.AsyncClient) -> None:
    task_id = await ordered(client, "dashscope")
    it = upstream(client, "dashscope")
    [row] = (await it.list(Listing(model="wan2.6-t2v", limit=100))).reports
    assert (row.task_id, row.state, row.created_at) == (task_id, State.QUEUED, 1_769_262_721_000)
    assert (await it.list(Listing(model="wan2.7-t2v"))).reports == ()


@pytest.mark.parametrize("name", ["laozhang", "apiyi"])
async def test_a_gateway_has_no_list(client: httpx.AsyncClient, name: str) -> None:
    with pytest.raises(Declined):
        await upstream(client, name).list(Listing())


@pytest.mark.parametrize(
    ("answer", "declined", "throttled", "retry_after"),
    [
        (httpx.Response(429, headers={"retry-after": "7"}), False, True, 7.0),
        (httpx.Response(502, text="<html>"), False, False, None),
        (httpx.Response(401, json={"code": "InvalidApiKey", "message": "?"}), False, False, None),
        (httpx.Response(400, json={"code": "InvalidParameter", "message": "page_size"}), True, False, None),
        (httpx.Response(200, json={"code": "?"}), False, False, None),
        (httpx.ConnectError("nobody"), False, False, None),
    ],
)
async def test_a_list_that_is_not_heard_says_why(
    answer: httpx.Response | httpx.ConnectError, declined: bool, throttled: bool, retry_after: float | None
) -> None:
    def reply(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, httpx.ConnectError):
            raise answer
        return answer

    async with httpx.AsyncClient(transport=httpx.MockTransport(reply)) as client:
        with pytest.raises(Unheard) as unheard:
            await upstream(client, "dashscope").list(Listing())
    assert isinstance(unheard.value, Declined) is declined
    assert (unheard.value.throttled, unheard.value.retry_after) == (throttled, retry_after)
