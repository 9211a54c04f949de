"""A task's life at each vendor, in the vendor's words: asked for with a prompt that takes ten seconds, two of them in
the queue."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.simulator.upstream import BASE, Clock, Upstream, task_id_of

pytestmark = pytest.mark.anyio

TEN = "a cat [sim:seconds=10 queue=2]"
FAIL = "a cat [sim:seconds=10 queue=2 fail=DataInspectionFailed]"


async def stages(upstream: Upstream, clock: Clock, provider: str, prompt: str, **more: Any) -> list[dict[str, Any]]:
    """What the vendor says of a task that waits, runs, and has ended."""
    task_id = task_id_of(await upstream.create(provider, prompt, **more))
    said = []
    for seconds in (1, 4, 6):
        clock.turn(seconds)
        reply = await upstream.look(provider, task_id, more.get("service", "wan"))
        assert reply.status_code == 200
        said.append(reply.json())
    return said


async def test_dashscope_goes_from_pending_to_running_to_succeeded(upstream: Upstream, clock: Clock) -> None:
    waits, runs, ended = await stages(
        upstream, clock, "dashscope", TEN, parameters={"duration": 10, "resolution": "720P"}
    )
    assert waits["output"]["task_status"] == "PENDING"
    assert runs["output"]["task_status"] == "RUNNING"
    assert runs["output"]["submit_time"] == "2026-01-24 21:52:01.000"  # 13:52:01 UTC, told in UTC+8
    assert runs["output"]["scheduled_time"] == "2026-01-24 21:52:03.000"
    output = ended["output"]
    assert (output["task_status"], output["orig_prompt"]) == ("SUCCEEDED", TEN)
    assert output["end_time"] == "2026-01-24 21:52:11.000"
    assert output["video_url"].startswith(f"{BASE}/results/{output['task_id']}.mp4?Expires=")
    assert ended["usage"] == {
        "duration": 10,
        "input_video_duration": 0,
        "output_video_duration": 10,
        "video_count": 1,
        "SR": 720,
        "ratio": "16:9",
    }


@pytest.mark.parametrize("provider", ["laozhang", "apiyi"])
async def test_gateways_go_from_submitted_over_the_plateau_to_completed(
    upstream: Upstream, clock: Clock, provider: str
) -> None:
    waits, runs, ended = await stages(upstream, clock, provider, TEN, parameters={"duration": 5})
    assert (waits["status"], runs["status"], runs["progress"]) == ("submitted", "in_progress", "30%")
    assert (ended["status"], ended["progress"], ended["object"]) == ("completed", "100%", "task")
    assert ended["action"] == ended["task_type"] == "text_to_video"
    assert ended["result"]["data"] == {"model": "wan2.7-t2v", "parameters": {"duration": 5}}
    assert ended["result_url"].startswith(f"{BASE}/results/{ended['task_id']}.mp4?")
    assert ended["id"] == ended["task_id"]
    assert "error" not in ended


async def test_acedata_records_have_no_status_and_end_with_a_response(upstream: Upstream, clock: Clock) -> None:
    waits, runs, ended = await stages(upstream, clock, "acedata", TEN)
    for record in (waits, runs):
        assert "response" not in record
        assert "finished_at" not in record
    assert ended["request"] == {"prompt": TEN, "async": True}
    assert (ended["created_at"], ended["finished_at"], ended["elapsed"]) == (1769262721.0, 1769262731.0, 10.0)
    response = ended["response"]
    assert (response["success"], response["state"], response["task_id"]) == (True, "completed", ended["id"])
    assert response["video_url"].startswith(f"{BASE}/results/{ended['id']}.mp4?")


async def test_acedata_happyhorse_results_are_an_array(upstream: Upstream, clock: Clock) -> None:
    *_, ended = await stages(upstream, clock, "acedata", TEN, service="happyhorse", duration=5, resolution="720P")
    (video,) = ended["response"]["data"]
    assert (video["state"], video["duration"], video["resolution"], video["ratio"]) == ("succeeded", 5, "720P", None)
    assert video["video_url"].startswith(f"{BASE}/results/{ended['id']}.mp4?")
    assert "video_url" not in ended["response"]


async def test_acedata_wan3_results_lie_in_data(upstream: Upstream, clock: Clock) -> None:
    *_, ended = await stages(upstream, clock, "acedata", TEN, model="wan3.0-video", duration=-1)
    response = ended["response"]
    assert response["data"]["video_url"].startswith(f"{BASE}/results/{ended['id']}.mp4?")
    assert (response["usage"]["output_video_seconds"], response["cost"]) == (5, 0.5)


async def test_a_happyhorse_task_is_unknown_to_the_wan_service(upstream: Upstream) -> None:
    task_id = task_id_of(await upstream.flat(service="happyhorse"))
    assert (await upstream.look("acedata", task_id, "wan")).json() == {}
    assert (await upstream.look("acedata", task_id, "happyhorse")).json()["id"] == task_id


async def test_failures_are_told_in_each_vendors_words(upstream: Upstream, clock: Clock) -> None:
    text = "Input data may contain inappropriate content."
    *_, native = await stages(upstream, clock, "dashscope", FAIL)
    assert native["output"]["task_status"] == "FAILED"
    assert (native["output"]["code"], native["output"]["message"]) == ("DataInspectionFailed", text)
    *_, gateway = await stages(upstream, clock, "apiyi", FAIL)
    assert gateway["status"] == "failed"
    assert gateway["fail_reason"] == f"[DataInspectionFailed] {text}"
    assert gateway["error"] == {"code": "DataInspectionFailed", "message": f"[DataInspectionFailed] {text}"}
    *_, flat = await stages(upstream, clock, "acedata", FAIL)
    assert flat["response"]["success"] is False
    assert flat["response"]["error"] == {"code": "forbidden", "message": f"DataInspectionFailed: {text}"}


@pytest.mark.parametrize(
    ("provider", "path", "code"),
    [
        ("dashscope", "output.code", "InternalError"),
        ("laozhang", "error.code", "InternalError"),
        ("acedata", "response.error.code", "api_error"),
    ],
)
async def test_a_failure_without_a_code_is_the_vendors_usual_one(
    upstream: Upstream, clock: Clock, provider: str, path: str, code: str
) -> None:
    *_, said = await stages(upstream, clock, provider, "a cat [sim:fail seconds=10]")
    for name in path.split("."):
        said = said[name]
    assert said == code


async def test_variants_of_a_failed_task(upstream: Upstream, clock: Clock) -> None:
    *_, text = await stages(upstream, clock, "laozhang", "[sim:fail=InvalidImageUrl error=text seconds=1]")
    assert text["error"].startswith("[InvalidImageUrl] ")
    assert "fail_reason" not in text
    *_, reason = await stages(upstream, clock, "laozhang", "[sim:fail=InvalidImageUrl error=reason seconds=1]")
    assert reason["fail_reason"].startswith("[InvalidImageUrl] ")
    assert "error" not in reason
    *_, top = await stages(upstream, clock, "dashscope", "[sim:fail=InternalError.Algo error=top seconds=1]")
    assert top["code"] == "InternalError.Algo"
    assert "code" not in top["output"]


@pytest.mark.parametrize("provider", ["acedata", "laozhang", "dashscope"])
async def test_a_success_may_lack_its_link(upstream: Upstream, clock: Clock, provider: str) -> None:
    *_, ended = await stages(upstream, clock, provider, "[sim:nourl seconds=10]")
    assert "results/" not in str(ended)
    assert {"completed", "SUCCEEDED"} & {
        ended.get("status"),
        ended.get("output", {}).get("task_status"),
        ended.get("response", {}).get("state"),
    }


async def test_a_result_of_dashscope_may_not_say_what_was_asked_for(upstream: Upstream, clock: Clock) -> None:
    *_, said = await stages(upstream, clock, "dashscope", "[sim:seconds=10]")
    *_, unsaid = await stages(upstream, clock, "dashscope", "[sim:noprompt seconds=10]")
    assert set(said["output"]) - set(unsaid["output"]) == {"orig_prompt"}


async def test_old_gateways_keep_the_link_of_a_success_in_fail_reason(upstream: Upstream, clock: Clock) -> None:
    *_, ended = await stages(upstream, clock, "apiyi", "[sim:reasonurl seconds=10]")
    assert ended["status"] == "completed"
    assert ended["fail_reason"] == ended["result_url"]


async def test_acedata_records_may_hold_a_snapshot_and_lack_their_time(upstream: Upstream, clock: Clock) -> None:
    waits, _, ended = await stages(upstream, clock, "acedata", "[sim:snapshot notime seconds=10]")
    assert waits["response"]["success"] is True
    assert waits["response"]["state"] == "processing"
    assert "created_at" not in waits
    assert "created_at" not in ended
    assert ended["response"]["state"] == "completed"


UNKNOWN: list[tuple[str, int, dict[str, Any]]] = [
    ("acedata", 200, {}),
    ("laozhang", 400, {"error": {"message": "任务不存在", "type": "task_error", "code": "task_not_exist"}}),
    ("apiyi", 400, {"error": {"message": "任务不存在", "type": "task_error", "code": "task_not_exist"}}),
    ("dashscope", 200, {"output": {"task_id": "none", "task_status": "UNKNOWN"}}),
]


@pytest.mark.parametrize(("provider", "status", "body"), UNKNOWN)
async def test_unknown_ids(upstream: Upstream, provider: str, status: int, body: dict[str, Any]) -> None:
    reply = await upstream.look(provider, "none")
    said = reply.json()
    said.pop("request_id", None)
    assert (reply.status_code, said) == (status, body)


@pytest.mark.parametrize("provider", ["acedata", "laozhang", "apiyi", "dashscope"])
async def test_nobody_sees_the_task_of_another_account_or_vendor(upstream: Upstream, provider: str) -> None:
    task_id = task_id_of(await upstream.create(provider))
    nothing = (await upstream.look(provider, "none")).text.replace("none", task_id)
    upstream.headers = {"Authorization": "Bearer sk-somebody-else"}
    seen = await upstream.look(provider, task_id)
    assert re.sub('"request_id":"[^"]*"', "", seen.text) == re.sub('"request_id":"[^"]*"', "", nothing)


@pytest.mark.parametrize("provider", ["laozhang", "dashscope"])
async def test_a_task_is_known_for_a_day(upstream: Upstream, clock: Clock, provider: str) -> None:
    task_id = task_id_of(await upstream.create(provider))
    clock.turn(24 * 3600)
    assert "results/" in (await upstream.look(provider, task_id)).text
    clock.turn(1)
    said = (await upstream.look(provider, task_id)).text
    assert "任务不存在" in said or "UNKNOWN" in said


@pytest.mark.parametrize("provider", ["acedata", "apiyi", "dashscope"])
async def test_a_new_task_may_take_a_while_to_be_seen(upstream: Upstream, clock: Clock, provider: str) -> None:
    task_id = task_id_of(await upstream.create(provider, "[sim:lag=5]"))
    hidden = (await upstream.look(provider, task_id)).json()
    assert hidden == {} or "task_not_exist" in str(hidden) or hidden["output"]["task_status"] == "UNKNOWN"
    clock.turn(5)
    assert task_id in (await upstream.look(provider, task_id)).text
    assert "UNKNOWN" not in (await upstream.look(provider, task_id)).text


async def test_dashscope_gives_a_task_up_after_three_hours(upstream: Upstream, clock: Clock) -> None:
    task_id = task_id_of(await upstream.native("dashscope", "[sim:seconds=20000]"))
    clock.turn(3 * 3600 - 1)
    assert (await upstream.look("dashscope", task_id)).json()["output"]["task_status"] == "RUNNING"
    clock.turn(1)
    output = (await upstream.look("dashscope", task_id)).json()["output"]
    assert (output["task_status"], output["code"]) == ("FAILED", "InternalError.Timeout")


async def test_render_times_lie_around_the_median_and_speed_divides_them(simulate: Callable[..., Upstream]) -> None:
    async def lengths(**settings: Any) -> list[float]:
        upstream = simulate(**settings)
        for _ in range(101):
            await upstream.flat()
        scripts = [create.task.script for create in upstream.world.creates]
        return sorted(script.ends_at - script.created_at for script in scripts)

    usual = await lengths(render_seconds=8)
    assert 7 < usual[50] < 9
    assert 3 < usual[0] < 6 < 10 < usual[-1] < 20
    assert await lengths(render_seconds=8, speed=4) == pytest.approx([seconds / 4 for seconds in usual], abs=1e-5)


async def test_the_same_seed_at_the_same_time_gives_the_same_world(
    simulate: Callable[..., Upstream], clock: Clock
) -> None:
    async def tasks(seed: int) -> tuple[set[str], list[float]]:
        upstream = simulate(seed=seed)
        for provider in ("acedata", "apiyi", "dashscope"):
            await upstream.create(provider)
        creates = upstream.world.creates
        seconds = [create.task.script.ends_at - create.at for create in creates]
        return {create.task_id for create in creates}, [round(each, 3) for each in seconds]

    ids, seconds = await tasks(7)
    assert await tasks(7) == (ids, seconds)
    other_ids, other_seconds = await tasks(8)
    assert not ids & other_ids
    assert seconds != other_seconds
    clock.turn(1)  # a simulator that is started again later
    later_ids, later_seconds = await tasks(7)
    assert not ids & later_ids
    assert seconds == later_seconds
