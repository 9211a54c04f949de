"""Polls to the letter: what each shape says of a task on its way, at its end, and of tasks that are not there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from acedatacloud._runtime.tasks import artifact_urls, task_status

from tests.world import OTHER_KEY, SIMULATOR, World, world

pytestmark = pytest.mark.anyio
NATIVE = "/api/v1/services/aigc/video-generation/video-synthesis"
NOBODY = "00000000-0000-0000-0000-000000000000"
PACE = "[sim:seconds=30 queue=10]"
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}")
NO_SUCH_TASK = {"error": {"message": "任务不存在", "type": "task_error", "code": "task_not_exist"}}


async def _native(it: World, prompt: str, provider: str = "dashscope", prefix: str = "") -> str:
    body = {"model": "wan2.7-t2v", "input": {"prompt": prompt}, "parameters": {"duration": 5}}
    reply = await it.client.post(prefix + NATIVE, json=body, headers={"x-ringback-provider": provider})
    task_id: str = reply.json()["output"]["task_id"]
    return task_id


async def _flat(it: World, prompt: str) -> str:
    body = {"model": "wan2.6-t2v", "action": "text2video", "prompt": prompt, "async": True}
    task_id: str = (await it.client.post("/wan/videos", json=body)).json()["task_id"]
    return task_id


async def _record(it: World, task_id: str) -> Any:
    reply = await it.client.post("/wan/tasks", json={"action": "retrieve", "id": task_id})
    assert reply.status_code == 200
    return reply.json()


async def _get(it: World, path: str) -> Any:
    reply = await it.client.get(path)
    assert (reply.status_code, reply.history) == (200, [])
    return reply.json()


async def test_a_flat_record_satisfies_every_client_of_acedata_at_every_stage(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        good, bad = await _flat(it, PACE), await _flat(it, f"{PACE} [sim:fail=forbidden]")
        for _ in range(2):
            for task_id in (good, bad):
                record = await _record(it, task_id)
                _check_pending(record, task_id)
                assert task_status(record) == ""
            await it.settle(12)
        await it.settle(30)
        done, failed = await _record(it, good), await _record(it, bad)
        _check_ended(done, good, "completed")
        _check_ended(failed, bad, "failed")
        assert (task_status(done), task_status(failed)) == ("succeeded", "failed")
        assert artifact_urls(done) == [done["video_url"]] == [done["response"]["video_url"]]
        assert done["response"]["success"] is True
        assert (failed["response"]["success"], failed["response"]["error"]["code"]) == (False, "forbidden")


def _check_pending(record: Any, task_id: str) -> None:
    assert (record["id"], record["task_id"]) == (task_id, task_id)
    assert isinstance(record["created_at"], float)
    assert record["finished_at"] is None, "null, and there: the Dify plugin waits for it to change"
    assert record["state"] in ("pending", "processing")
    assert record["response"] == {"task_id": task_id, "state": record["state"]}
    assert "success" not in record
    assert record["request"]["action"] == "text2video"
    assert "callback_url" not in record["request"], "the client's own body, never ours to the upstream"


def _check_ended(record: Any, task_id: str, state: str) -> None:
    assert (record["id"], record["state"], record["response"]["state"]) == (task_id, state, state)
    assert isinstance(record["finished_at"], float)
    assert record["finished_at"] > record["created_at"]
    assert record["response"]["task_id"] == task_id
    assert record["trace_id"] == record["response"]["trace_id"]


async def test_a_native_task_has_the_types_of_dashscope(tmp_path: Path) -> None:
    """Go's new-api takes the usage as int: 5.0 would fail there."""
    async with world(tmp_path) as it:
        task_id = await _native(it, f"a lighthouse {PACE}")
        words = []
        for _ in range(8):
            words.append((await _get(it, f"/api/v1/tasks/{task_id}"))["output"]["task_status"])
            await it.settle(6)
        assert list(dict.fromkeys(words)) == ["PENDING", "RUNNING", "SUCCEEDED"]
        ended = await _get(it, f"/api/v1/tasks/{task_id}")
        output, usage = ended["output"], ended["usage"]
        assert output["task_id"] == task_id
        assert all(TIME.fullmatch(output[name]) for name in ("submit_time", "scheduled_time", "end_time"))
        assert output["submit_time"] <= output["scheduled_time"] <= output["end_time"]
        for name in ("duration", "input_video_duration", "output_video_duration", "video_count", "SR"):
            assert type(usage[name]) is int, name
        assert not ended.get("code")
        assert ended["request_id"]


async def test_a_gateways_task_is_the_documents_object(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        good = await _native(it, f"a lighthouse {PACE}", "laozhang", "/wan")
        bad = await _native(it, f"{PACE} [sim:fail=InvalidImageUrl]", "laozhang", "/wan")
        path = f"/v1/tasks/{good}"
        seen = [(task := await _get(it, path))["status"], task["progress"], "result_url" in task]
        assert seen == ["submitted", "0%", False]
        await it.settle(20)
        seen = [(task := await _get(it, path))["status"], task["progress"], "result_url" in task]
        assert seen == ["in_progress", "30%", False]
        await it.settle(30)
        done, failed = await _get(it, path), await _get(it, f"/v1/tasks/{bad}")
        link = done.pop("result_url")
        assert link.startswith(f"{SIMULATOR}/results/")
        assert done == {
            "id": good,
            "task_id": good,
            "object": "task",
            "platform": "wan",
            "action": "text_to_video",
            "task_type": "text_to_video",
            "status": "completed",
            "progress": "100%",
            "result": {"data": {"model": "wan2.7-t2v", "parameters": {"duration": 5}}},
        }
        assert (failed["status"], failed["progress"]) == ("failed", "100%")
        assert failed["error"]["message"].startswith("[InvalidImageUrl] ")
        assert failed["fail_reason"] == failed["error"]["message"]


@pytest.mark.parametrize("slash", ["", "/"])
async def test_every_query_path_reads_any_task_of_the_key(slash: str, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        flat, native, gateway = await _flat(it, "f"), await _native(it, "n"), await _native(it, "g", "apiyi", "/wan")
        for task_id in (flat, native, gateway):
            for prefix in ("/api/v1", "/wan/api/v1"):
                told = await _get(it, f"{prefix}/tasks/{task_id}{slash}")
                assert told["output"]["task_id"] == task_id
            assert (await _get(it, f"/v1/tasks/{task_id}{slash}"))["id"] == task_id
            for service in ("wan", "happyhorse"):
                reply = await it.client.post(f"/{service}/tasks{slash}", json={"action": "retrieve", "id": task_id})
                assert reply.json()["id"] == task_id
        batch = {"action": "retrieve_batch", "ids": [flat, NOBODY, native]}
        answer = (await it.client.post(f"/wan/tasks{slash}", json=batch)).json()
        assert ({one["id"] for one in answer["items"]}, answer["count"]) == ({flat, native}, 2)


async def test_unknown_and_foreign_tasks_answer_alike_in_each_shape(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        mine = await _native(it, "private")
        stranger = {"authorization": f"Bearer {OTHER_KEY}"}
        for task_id in (mine, NOBODY):
            native = await it.client.get(f"/api/v1/tasks/{task_id}", headers=stranger)
            assert (native.status_code, native.json()["output"]) == (
                200,
                {"task_id": task_id, "task_status": "UNKNOWN"},
            )
            gateway = await it.client.get(f"/v1/tasks/{task_id}", headers=stranger)
            assert (gateway.status_code, gateway.json()) == (400, NO_SUCH_TASK)
            query = {"action": "retrieve", "id": task_id}
            flat = await it.client.post("/wan/tasks", json=query, headers=stranger)
            assert (flat.status_code, flat.json()) == (200, {}), "null would crash AceData's SDK"
            batch = {"action": "retrieve_batch", "ids": [task_id]}
            answer = await it.client.post("/wan/tasks", json=batch, headers=stranger)
            assert answer.json() == {"items": [], "count": 0}


@pytest.mark.parametrize("trouble", ["poll=503:2", "poll=429:2", "poll=502html:2", "poll=lost:2", "lag=15"])
@pytest.mark.parametrize("provider", ["laozhang", "dashscope"])
async def test_upstream_trouble_is_never_seen_in_a_poll(provider: str, trouble: str, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await _native(it, f"a lighthouse [sim:seconds=20 {trouble}]", provider)
        words = []
        for _ in range(30):
            words.append((await _get(it, f"/api/v1/tasks/{task_id}"))["output"]["task_status"])
            await it.settle(6)
        order = ["PENDING", "RUNNING", "SUCCEEDED"]
        assert words == sorted(words, key=order.index), "states only move forward"
        assert words[-1] == "SUCCEEDED"


async def test_a_link_is_passed_on_byte_for_byte_and_an_end_stays(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await _native(it, "a lighthouse")
        await it.settle(40)
        first = await _get(it, f"/api/v1/tasks/{task_id}")
        [create] = it.upstreams.creates
        async with httpx.AsyncClient(transport=httpx.ASGITransport(it.simulator), base_url=SIMULATOR) as upstream:
            key = {"authorization": "Bearer sk-dashscope-key"}
            said = (await upstream.get(f"/dashscope/api/v1/tasks/{create.task_id}", headers=key)).json()
        assert first["output"]["video_url"] == said["output"]["video_url"]
        await it.settle(7200, step=600)
        assert await _get(it, f"/api/v1/tasks/{task_id}") == first
