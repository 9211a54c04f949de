"""What DashScope and AceData tell of an account's tasks; cancelling; rate limits; and what the simulator counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from service.simulator import Phase
from tests.simulator.upstream import Clock, Upstream, task_id_of

pytestmark = pytest.mark.anyio


async def test_a_pending_task_can_be_cancelled_and_is_not_billed(upstream: Upstream, clock: Clock) -> None:
    task_id = task_id_of(await upstream.native("dashscope", "[sim:seconds=10 queue=5]"))
    reply = await upstream.post(f"/dashscope/api/v1/tasks/{task_id}/cancel", None)
    assert (reply.status_code, list(reply.json())) == (200, ["request_id"])
    clock.turn(60)
    assert (await upstream.look("dashscope", task_id)).json()["output"]["task_status"] == "CANCELED"
    assert [create.billed for create in upstream.world.creates] == [False]


@pytest.mark.parametrize("seconds", [5, 60])
async def test_a_task_that_runs_or_has_ended_cannot_be_cancelled(
    upstream: Upstream, clock: Clock, seconds: float
) -> None:
    task_id = task_id_of(await upstream.native("dashscope", "[sim:seconds=10 queue=5]"))
    clock.turn(seconds)
    reply = await upstream.post(f"/dashscope/api/v1/tasks/{task_id}/cancel/", None)
    assert (reply.status_code, reply.json()["code"]) == (400, "UnsupportedOperation")
    assert "PENDING status" in reply.json()["message"]


async def test_dashscope_lists_tasks_by_page_filter_and_window(upstream: Upstream, clock: Clock) -> None:
    ids = []
    for model in ("wan2.7-t2v", "wan2.6-t2v", "wan2.7-t2v"):
        ids.append(task_id_of(await upstream.native("dashscope", "[sim:seconds=10 queue=2]", model=model)))
        clock.turn(5)

    async def rows(query: str) -> list[str]:
        page = (await upstream.get(f"/dashscope/api/v1/tasks{query}")).json()
        return [row["task_id"] for row in page["data"]]

    assert await rows("") == await rows("/?page_no=1&page_size=10") == ids[::-1]
    assert await rows("?page_no=2&page_size=2") == ids[:1]
    assert await rows("?model_name=wan2.6-t2v") == ids[1:2]
    assert await rows("?status=SUCCEEDED") == ids[1::-1]
    assert await rows("?start_time=20260124215204&end_time=20260124215208") == ids[1:2]
    page = (await upstream.get("/dashscope/api/v1/tasks?page_size=2")).json()
    assert (page["total"], page["total_page"], page["page_no"], page["page_size"]) == (3, 2, 1, 2)
    assert page["data"][0]["gmt_create"] == 1769262731000
    assert page["data"][0]["user_api_unique_key"].endswith(":video-synthesis:wan2.7-t2v")


@pytest.mark.parametrize("query", ["page_no=0", "page_size=x", "start_time=2026", "start_time=20260101000000"])
async def test_dashscope_refuses_a_list_that_it_cannot_give(upstream: Upstream, query: str) -> None:
    reply = await upstream.get(f"/dashscope/api/v1/tasks?{query}")
    assert (reply.status_code, reply.json()["code"]) == (400, "InvalidParameter")


async def test_a_page_of_the_list_is_as_large_as_it_may_be_and_no_larger(
    simulate: Callable[..., Upstream], clock: Clock
) -> None:
    upstream = simulate(page_size=10)
    for _ in range(11):
        await upstream.native("dashscope")
    page = (await upstream.get("/dashscope/api/v1/tasks?page_size=10")).json()
    assert (len(page["data"]), page["total"], page["total_page"]) == (10, 11, 2)
    assert (await upstream.get("/dashscope/api/v1/tasks?page_size=11")).json()["code"] == "InvalidParameter"
    assert (await simulate().get("/dashscope/api/v1/tasks?page_size=100")).status_code == 200
    assert (await simulate().get("/dashscope/api/v1/tasks?page_size=101")).status_code == 400


async def test_a_new_task_is_found_by_nobody_for_a_while(simulate: Callable[..., Upstream], clock: Clock) -> None:
    upstream = simulate(lag_seconds=1)
    task_id = task_id_of(await upstream.native("dashscope"))

    async def seen() -> tuple[str, int]:
        state = (await upstream.look("dashscope", task_id)).json()["output"]["task_status"]
        return state, (await upstream.get("/dashscope/api/v1/tasks")).json()["total"]

    assert await seen() == ("UNKNOWN", 0)
    clock.turn(1)
    assert await seen() == ("PENDING", 1)


async def test_acedata_answers_for_many_and_leaves_out_the_unknown(upstream: Upstream, clock: Clock) -> None:
    ids = []
    for _ in range(3):
        ids.append(task_id_of(await upstream.flat()))
        clock.turn(10)

    async def batch(**query: Any) -> list[str]:
        body = (await upstream.post("/acedata/wan/tasks", {"action": "retrieve_batch"} | query)).json()
        assert body["count"] == len(body["items"])
        return [item["id"] for item in body["items"]]

    assert sorted(await batch(ids=[*ids, "none"])) == sorted(ids)
    assert await batch(created_at_min=clock() - 20) == [ids[2], ids[1]]
    assert await batch(created_at_max=clock() - 30) == [ids[0]]
    assert await batch(offset=1, limit=1) == [ids[1]]
    assert await batch(ids=[]) == []


@pytest.mark.parametrize("query", [{"ids": "a"}, {"ids": [1]}, {"limit": "few"}, {"created_at_min": [0]}])
async def test_acedata_refuses_a_batch_that_it_cannot_read(upstream: Upstream, query: dict[str, Any]) -> None:
    reply = await upstream.post("/acedata/wan/tasks", {"action": "retrieve_batch"} | query)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "bad_request")


async def test_acedata_takes_one_query_a_second_where_it_has_limits(
    simulate: Callable[..., Upstream], clock: Clock
) -> None:
    upstream = simulate(limits=True)
    statuses = []
    for seconds in (0.0, 0.5, 0.5, 1.0):
        clock.turn(seconds)
        statuses.append((await upstream.look("acedata", "any")).status_code)
    assert statuses == [200, 429, 200, 200]


async def test_dashscope_takes_twenty_queries_a_second_where_it_has_limits(
    simulate: Callable[..., Upstream], clock: Clock
) -> None:
    upstream = simulate(limits=True)
    replies = [await upstream.look("dashscope", "any") for _ in range(21)]
    assert [reply.status_code for reply in replies] == [200] * 20 + [429]
    assert replies[-1].json()["code"] == "Throttling.RateQuota"
    clock.turn(1)
    assert (await upstream.get("/dashscope/api/v1/tasks")).status_code == 200


async def test_apiyi_has_room_for_ten_tasks_where_it_has_limits(
    simulate: Callable[..., Upstream], clock: Clock
) -> None:
    upstream = simulate(limits=True)
    statuses = [(await upstream.native("apiyi", "[sim:seconds=10]")).status_code for _ in range(11)]
    assert statuses == [200] * 10 + [429]
    clock.turn(10)
    assert (await upstream.native("apiyi")).status_code == 200


async def test_without_limits_there_are_none(upstream: Upstream) -> None:
    for provider in ("acedata", "dashscope"):
        assert {(await upstream.look(provider, "any")).status_code for _ in range(30)} == {200}
    assert {(await upstream.native("apiyi")).status_code for _ in range(12)} == {200}


async def test_every_accepted_create_is_kept_as_it_was_sent(upstream: Upstream, clock: Clock) -> None:
    task_id = task_id_of(await upstream.native("apiyi", "a cat", parameters={"duration": 5}))
    (create,) = upstream.world.creates
    assert (create.provider, create.task_id, create.at) == ("apiyi", task_id, clock())
    assert create.path == "/wan/api/v1/services/aigc/video-generation/video-synthesis"
    assert create.headers["x-dashscope-async"] == "enable"
    assert create.body == {"model": "wan2.7-t2v", "input": {"prompt": "a cat"}, "parameters": {"duration": 5}}
    assert create.task.script.phase(clock()) is Phase.QUEUED


async def test_statistics_show_what_would_be_paid_twice(upstream: Upstream, clock: Clock) -> None:
    await upstream.flat("a cat", callback_url="http://inbox.test/callbacks/acedata/token-1")
    await upstream.native("dashscope", "a cat")
    await upstream.native("dashscope", "a dog [sim:fail]")
    clock.turn(60)
    stats = (await upstream.client.get("/_sim/stats")).json()
    assert (stats["creates_billed"], stats["by_provider"]) == (2, {"acedata": 1, "dashscope": 1})
    assert stats["requests"] == {"acedata": {"create": 1}, "dashscope": {"create": 2}}
    told = [(row["provider"], row["model"], row["state"], row["creates"]) for row in stats["tasks"]]
    assert told == [
        ("acedata", "wan2.6-t2v", "succeeded", 2),
        ("dashscope", "wan2.7-t2v", "succeeded", 2),
        ("dashscope", "wan2.7-t2v", "failed", 0),
    ]
    assert [row["callback_token"] for row in stats["tasks"]] == ["token-1", None, None]
    assert "a cat" not in str(stats)


async def test_the_next_creates_can_be_told_how_to_behave(upstream: Upstream) -> None:
    plan = {"provider": "dashscope", "model": "wan2.7-t2v", "behaviour": "create=503", "times": 2}
    assert (await upstream.client.post("/_sim/behaviour", json=plan)).status_code == 200
    assert (await upstream.native("apiyi")).status_code == 200
    assert (await upstream.native("dashscope", model="wan2.6-t2v")).status_code == 200
    assert [(await upstream.native("dashscope")).status_code for _ in range(3)] == [503, 503, 200]


@pytest.mark.parametrize(
    "plan",
    [
        {},
        {"behaviour": "bend"},
        {"behaviour": "fail", "times": 0},
        {"behaviour": "fail", "provider": "openai"},
        [],
        "fail",
    ],
)
async def test_a_plan_that_makes_no_sense_is_refused(upstream: Upstream, plan: Any) -> None:
    assert (await upstream.client.post("/_sim/behaviour", json=plan)).status_code == 400
    assert upstream.world.plans == []


async def test_a_reset_forgets_all_but_gives_no_id_twice(upstream: Upstream, clock: Clock) -> None:
    before = task_id_of(await upstream.flat(callback_url="http://inbox.test/token-1"))
    await upstream.client.post("/_sim/behaviour", json={"behaviour": "fail"})
    await upstream.client.post("/_sim/reset")
    assert (await upstream.look("acedata", before)).json() == {}
    clock.turn(60)
    assert await upstream.world.send_due_callbacks() == 0
    after = task_id_of(await upstream.flat())
    assert after != before
    assert [row["id"] for row in (await upstream.client.get("/_sim/stats")).json()["tasks"]] == [after]
