"""Creates and looks that go wrong on purpose, and what was accepted all the same."""

from __future__ import annotations

import httpx
import pytest

from tests.simulator.upstream import Clock, Upstream, task_id_of

pytestmark = pytest.mark.anyio

ALL = ["acedata", "laozhang", "apiyi", "dashscope"]
REFUSED = [
    ("acedata", "401", 401, "invalid_token"),
    ("acedata", "429", 429, "too_many_requests"),
    ("acedata", "500", 500, "api_error"),
    ("acedata", "refuse:used_up", 403, "used_up"),
    ("acedata", "refuse:DataInspectionFailed", 403, "forbidden"),
    ("acedata", "refuse:Throttling.RateQuota", 429, "too_many_requests"),
    ("acedata", "refuse:Arrearage", 403, "used_up"),
    ("acedata", "503", 503, "api_error"),
    ("laozhang", "429", 429, "Throttling.RateQuota"),
    ("laozhang", "500", 500, "InternalError"),
    ("apiyi", "refuse:DataInspectionFailed", 400, "DataInspectionFailed"),
    ("dashscope", "429", 429, "Throttling.RateQuota"),
    ("dashscope", "500", 500, "InternalError"),
    ("dashscope", "503", 503, "ModelServingError"),
    ("dashscope", "refuse:Arrearage", 400, "Arrearage"),
    ("dashscope", "refuse:PrepaidBillOverdue", 429, "PrepaidBillOverdue"),
]


@pytest.mark.parametrize(("provider", "asked", "status", "code"), REFUSED)
async def test_a_refused_create_has_the_vendors_error_and_leaves_nothing(
    upstream: Upstream, provider: str, asked: str, status: int, code: str
) -> None:
    reply = await upstream.create(provider, f"[sim:create={asked}]")
    assert reply.status_code == status
    assert reply.json().get("error", reply.json())["code"] == code
    assert "retry-after" not in reply.headers
    assert upstream.world.creates == []


async def test_a_refusal_may_say_when_to_come_back(upstream: Upstream) -> None:
    reply = await upstream.create("dashscope", "[sim:create=429:30]")
    assert reply.headers["retry-after"] == "30"


async def test_acedata_asks_for_payment_with_a_bare_string(upstream: Upstream) -> None:
    reply = await upstream.flat("[sim:create=402]")
    assert (reply.status_code, type(reply.json()["error"])) == (402, str)


@pytest.mark.parametrize("provider", ALL)
async def test_a_dropped_create_never_happened(upstream: Upstream, provider: str) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await upstream.create(provider, "[sim:create=dropped]")
    assert upstream.world.creates == []


@pytest.mark.parametrize("provider", ALL)
async def test_a_lost_answer_leaves_a_task_that_is_billed(upstream: Upstream, provider: str) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await upstream.create(provider, "[sim:create=lost]")
    (create,) = upstream.world.creates
    assert create.billed
    assert create.task_id in (await upstream.look(provider, create.task_id)).text


@pytest.mark.parametrize("provider", ALL)
async def test_a_proxys_page_hides_a_task_that_is_billed(upstream: Upstream, provider: str) -> None:
    reply = await upstream.create(provider, "[sim:create=502html]")
    assert (reply.status_code, reply.headers["content-type"]) == (502, "text/html; charset=utf-8")
    assert "502 Bad Gateway" in reply.text
    assert [create.billed for create in upstream.world.creates] == [True]


@pytest.mark.parametrize("provider", ALL)
async def test_an_answer_without_an_id_hides_a_task_too(upstream: Upstream, provider: str) -> None:
    reply = await upstream.create(provider, "[sim:create=noid]")
    assert (reply.status_code, reply.json()) == (200, {})
    assert len(upstream.world.creates) == 1


@pytest.mark.parametrize("provider", ALL)
@pytest.mark.parametrize("status", [403, 429, 500, 503])
async def test_an_error_body_may_hide_a_task_too(upstream: Upstream, provider: str, status: int) -> None:
    reply = await upstream.create(provider, f"[sim:create=denied:{status}]")
    refused = await upstream.create(provider, f"[sim:create={status}]")
    assert reply.status_code == status
    assert reply.json().keys() == refused.json().keys()
    assert [create.billed for create in upstream.world.creates] == [True]


@pytest.mark.parametrize("provider", ALL)
async def test_a_late_answer_comes_after_the_task_was_accepted(upstream: Upstream, clock: Clock, provider: str) -> None:
    began = clock()
    task_id = task_id_of(await upstream.create(provider, "[sim:create=delay:5]"))
    (create,) = upstream.world.creates
    assert (create.task_id, create.at, clock()) == (task_id, began, began + 5)


@pytest.mark.parametrize("provider", ALL)
async def test_a_slow_answer_stops_half_way_and_is_whole_in_the_end(
    upstream: Upstream, clock: Clock, provider: str
) -> None:
    began = clock()
    reply = await upstream.create(provider, "[sim:create=slow:5]")
    (create,) = upstream.world.creates
    assert (create.task_id, clock()) == (task_id_of(reply), began + 5)
    assert int(reply.headers["content-length"]) == len(reply.content)


@pytest.mark.parametrize("provider", ALL)
async def test_looks_go_wrong_as_often_as_asked(upstream: Upstream, provider: str) -> None:
    task_id = task_id_of(await upstream.create(provider, "[sim:poll=503:3]"))
    replies = [await upstream.look(provider, task_id) for _ in range(4)]
    assert [reply.status_code for reply in replies] == [503, 503, 503, 200]
    assert {"error", "code"} & set(replies[0].json())
    assert task_id in replies[3].text


async def test_looks_may_get_a_proxys_page_or_no_answer(upstream: Upstream) -> None:
    page = task_id_of(await upstream.create("dashscope", "[sim:poll=502html]"))
    assert "<html>" in (await upstream.look("dashscope", page)).text
    lost = task_id_of(await upstream.create("dashscope", "[sim:poll=lost]"))
    with pytest.raises(httpx.RemoteProtocolError):
        await upstream.look("dashscope", lost)
    assert (await upstream.look("dashscope", lost)).status_code == 200


async def test_a_batch_goes_wrong_with_one_of_its_tasks(upstream: Upstream) -> None:
    ids = [task_id_of(await upstream.flat(prompt)) for prompt in ("a cat", "[sim:poll=429:1]")]
    query = {"action": "retrieve_batch", "ids": ids}
    assert (await upstream.post("/acedata/wan/tasks", query)).status_code == 429
    assert (await upstream.post("/acedata/wan/tasks", query)).json()["count"] == 2


async def test_only_the_first_creates_of_a_prompt_misbehave(upstream: Upstream) -> None:
    prompt = "[sim:create=429 times=2 seconds=1]"
    statuses = [(await upstream.native("dashscope", prompt)).status_code for _ in range(3)]
    assert statuses == [429, 429, 200]
    script = upstream.world.creates[0].task.script
    assert script.ends_at - script.created_at == 1  # the pace is no misbehaviour and stays
    assert (await upstream.native("dashscope", prompt + " and another")).status_code == 429


async def test_a_marker_may_be_meant_for_one_vendor_only(upstream: Upstream) -> None:
    prompt = "[sim:create=500 only=laozhang]"
    assert (await upstream.native("laozhang", prompt)).status_code == 500
    assert (await upstream.native("apiyi", prompt)).status_code == 200
