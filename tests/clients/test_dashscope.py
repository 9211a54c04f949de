"""Alibaba's own SDK, unmodified: only its base URL and its key are set, and a header where it wants to be called."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dashscope
import pytest
from dashscope import VideoSynthesis
from dashscope.aigc.video_synthesis import AioVideoSynthesis
from dashscope.api_entities.aio_session import close_shared_aio_session

from tests.clients.stage import KEY, Stage

PROMPT = "A lighthouse at sunset"


@pytest.fixture(autouse=True)
def sdk(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashscope, "base_http_api_url", f"{stage.base}/api/v1")
    monkeypatch.setattr(dashscope, "api_key", KEY)


def test_call_blocks_until_the_video_is_there(stage: Stage) -> None:
    asked = {"model": "wan2.7-t2v", "prompt": f"{PROMPT}, in one call", "duration": 5}
    ended = VideoSynthesis.call(**asked, headers={"X-Ringback-Provider": "dashscope"})
    assert ended.status_code == 200
    assert ended.output.task_status == "SUCCEEDED"
    assert ended.output.video_url.startswith(f"{stage.simulator}/results/")
    assert (ended.usage.video_count, ended.usage.duration) == (1, 5)
    assert len(stage.creates("in one call")) == 1


def test_a_header_is_all_it_takes_to_be_called_back(stage: Stage) -> None:
    hook = {"X-Callback-Url": f"{stage.inbox.url}/dashscope"}
    stage.inbox.looks["/dashscope"] = f"{stage.base}/api/v1/tasks/{{}}"
    asked = VideoSynthesis.async_call(model="wan2.7-t2v", prompt=f"{PROMPT}, called back", headers=hook)
    assert (asked.status_code, asked.output.task_status) == (200, "PENDING")
    [told] = stage.inbox.wait("/dashscope")
    assert told.body["output"]["task_id"] == asked.output.task_id
    assert told.body["output"]["task_status"] == "SUCCEEDED"
    assert told.body == told.answer, "a client that looks while it is being called must see the same end"
    fetched = VideoSynthesis.fetch(asked)
    assert fetched.output.video_url == told.body["output"]["video_url"]
    assert VideoSynthesis.wait(asked).output.task_status == "SUCCEEDED"
    [create] = stage.creates(f"{PROMPT}, called back")
    assert "x-callback-url" not in create.headers
    assert stage.inbox.url not in str(create.body)


def test_a_keyword_is_enough_too_and_stays_with_us(stage: Stage) -> None:
    url = f"{stage.inbox.url}/dashscope-keyword"
    asked = VideoSynthesis.async_call(model="wan2.7-t2v", prompt=f"{PROMPT}, by keyword", callback_url=url)
    [told] = stage.inbox.wait("/dashscope-keyword")
    assert told.body["output"]["task_id"] == asked.output.task_id
    [create] = stage.creates("by keyword")
    assert stage.inbox.url not in str(create.body)


def test_a_failed_task_is_an_answer_and_a_callback_not_an_error(stage: Stage) -> None:
    hook = {"X-Callback-Url": f"{stage.inbox.url}/dashscope-failed"}
    prompt = f"{PROMPT}, refused by inspection [sim:fail=DataInspectionFailed]"
    ended = VideoSynthesis.call(model="wan2.7-t2v", prompt=prompt, headers=hook)
    assert (ended.status_code, ended.output.task_status) == (200, "FAILED")
    assert ended.output.code == "DataInspectionFailed"
    assert ended.output.message
    [told] = stage.inbox.wait("/dashscope-failed")
    assert told.body["output"]["code"] == "DataInspectionFailed"
    assert len(stage.creates("refused by inspection")) == 1


@pytest.mark.parametrize("provider", ["acedata", "laozhang", "apiyi", "dashscope"])
def test_what_the_sdk_always_adds_harms_no_provider(stage: Stage, provider: str) -> None:
    """`input.function`, `input.extend_prompt` and an empty `parameters` are in every request of it."""
    asked = VideoSynthesis.async_call(
        model="wan2.6-t2v", prompt=f"{PROMPT} by {provider}", headers={"X-Ringback-Provider": provider}
    )
    assert asked.status_code == 200, asked.message
    [create] = stage.creates(f"{PROMPT} by {provider}")
    assert create.provider == provider
    if provider == "acedata":
        assert not {"function", "extend_prompt", "parameters", "input"} & create.body.keys()
    else:
        assert create.headers["x-dashscope-async"] == "enable"
        assert create.body["input"]["function"] == "video-synthesis"


def test_a_wrong_key_and_a_wrong_model_are_told_in_the_sdks_words() -> None:
    refused = VideoSynthesis.async_call(model="wan2.7-t2v", prompt=PROMPT, api_key="sk-nobody")
    assert (refused.status_code, refused.code) == (401, "InvalidApiKey")
    refused = VideoSynthesis.async_call(model="wan2.7-t2w", prompt=PROMPT)
    assert (refused.status_code, refused.code) == (400, "InvalidParameter")
    assert "wan2.7-t2v" in refused.message


def test_an_unknown_task_and_somebody_elses_end_the_wait_alike(stage: Stage) -> None:
    asked = VideoSynthesis.async_call(model="wan2.7-t2v", prompt=f"{PROMPT}, private")
    foreign = VideoSynthesis.wait(asked, api_key="sk-somebody-elses-key")
    unknown = VideoSynthesis.wait("1f5ef4a1-8e84-4c1e-9d0f-6f9a0e9a5ad1")
    for ended in (foreign, unknown):
        assert (ended.status_code, ended.output.task_status) == (200, "UNKNOWN")
        assert not ended.output.video_url


def test_many_programs_at_once_each_get_their_own_video(stage: Stage) -> None:
    with ThreadPoolExecutor(8) as programs:
        ended = list(programs.map(_call, range(8)))
    assert {one.output.task_status for one in ended} == {"SUCCEEDED"}
    assert len({one.output.video_url for one in ended}) == 8
    assert len(stage.creates("of eight")) == 8


def _call(number: int) -> Any:
    return VideoSynthesis.call(model="happyhorse-1.0-t2v", prompt=f"{number} of eight")


def test_the_asyncio_client_with_its_trailing_slashes(stage: Stage) -> None:
    async def program() -> Any:
        try:
            return await AioVideoSynthesis.call(model="wan2.7-t2v", prompt=f"{PROMPT} in asyncio")
        finally:
            await close_shared_aio_session()

    ended = asyncio.run(program())
    assert (ended.status_code, ended.output.task_status) == (200, "SUCCEEDED")
    assert len(stage.creates(f"{PROMPT} in asyncio")) == 1


def test_the_second_version_of_the_client(stage: Stage) -> None:
    with dashscope.Client(api_key=KEY, base_url=f"{stage.base}/api/v1") as client:
        job = client.videos.generate(model="wan2.7-i2v", prompt=f"{PROMPT} anew", image_url="https://a.example/b.png")
    assert job.video_url.startswith(stage.simulator)
    [create] = stage.creates("anew")
    assert create.body["input"]["media"] == [{"type": "first_frame", "url": "https://a.example/b.png"}]


def test_the_command_line_program(stage: Stage) -> None:
    command = [sys.executable, "-m", "dashscope.cli", "video-synthesis", "create"]
    settings = {"DASHSCOPE_HTTP_BASE_URL": f"{stage.base}/api/v1", "DASHSCOPE_API_KEY": KEY}
    ended = _run([*command, "-m", "wan2.7-t2v", "-p", f"{PROMPT} from a shell"], settings)
    assert ended.returncode == 0, ended.stderr
    output, _ = json.JSONDecoder().raw_decode(ended.stdout)
    assert (output["task_status"], len(stage.creates("from a shell"))) == ("SUCCEEDED", 1)
    refused = _run([*command, "-m", "wan2.7-t2v", "-p", PROMPT], settings | {"DASHSCOPE_API_KEY": "sk-nobody"})
    assert refused.returncode != 0


def _run(command: list[str], settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, timeout=60, check=False)
