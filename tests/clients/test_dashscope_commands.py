"""`dashscope video-synthesis`, the command line of Alibaba's SDK, unmodified: its user sets a key and a base URL."""

from __future__ import annotations

import json
import sys
from typing import Any

from dashscope import VideoSynthesis

from tests.clients.shell import Program
from tests.clients.stage import KEY, Stage


def _program(base: str, key: str = KEY) -> Program:
    settings = {"DASHSCOPE_HTTP_BASE_URL": f"{base}/api/v1", "DASHSCOPE_API_KEY": key}
    return Program((sys.executable, "-m", "dashscope.cli", "video-synthesis"), settings)


def _first(printed: str) -> Any:
    """The output of the task; its usage follows."""
    return json.JSONDecoder().raw_decode(printed)[0]


def _create(model: str, prompt: str) -> tuple[str, ...]:
    return ("create", "-m", model, "-p", prompt)


def test_neither_a_lost_answer_nor_the_upstreams_503_shows_and_one_video_is_paid(stage: Stage) -> None:
    before = stage.line.creates
    prompt = "An owl, cut off in a shell [sim:create=delay:0.7 poll=503:2]"
    ended = _first(_program(stage.line.url).output(*_create("wan2.7-t2v", prompt)))
    assert ended["task_status"] == "SUCCEEDED"
    assert ended["video_url"].startswith(f"{stage.simulator}/results/")
    assert stage.line.creates == before + 2, "it is known to ask again"
    [create] = stage.creates("An owl, cut off in a shell")
    assert create.task.polls > 2, "the first two looks were refused"


def test_a_failed_task_is_shown_with_its_code_and_fetched_as_an_error(stage: Stage) -> None:
    program, prompt = _program(stage.base), "An owl, refused in a shell [sim:fail=DataInspectionFailed]"
    ended = _first(program.output(*_create("wan2.6-t2v", prompt)))
    assert (ended["task_status"], ended["code"]) == ("FAILED", "DataInspectionFailed")
    fetched = program.run("fetch", ended["task_id"])
    assert (fetched.returncode, "DataInspectionFailed" in fetched.stderr) == (1, True)
    assert len(stage.creates("An owl, refused in a shell")) == 1


def test_what_a_program_has_asked_for_is_listed_and_canceled_from_a_shell(stage: Stage) -> None:
    prompt = "An owl in the queue [sim:queue=60 seconds=90]"
    base = f"{stage.base}/api/v1"
    asked = VideoSynthesis.async_call(model="wan2.7-t2v", prompt=prompt, api_key=KEY, base_address=base)
    task_id, program = asked.output.task_id, _program(stage.base)
    listed = _first(program.output("list", "--model-name", "wan2.7-t2v", "--size", "3"))
    assert listed["data"][0]["task_id"] == task_id
    assert f"{task_id} success" in program.output("cancel", task_id)
    assert _first(program.output("wait", task_id))["task_status"] == "CANCELED"
    [create] = stage.creates("An owl in the queue")
    assert not create.billed
