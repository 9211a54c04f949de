"""Vercel's AI SDK 6 and 7 with its provider for Alibaba, unmodified: a Node program sets base URL, key and a header.

Its requests are DashScope's, and it cannot cancel. After a lost answer it creates again: version 6 with nothing that
says so, version 7 with the same idempotency key, for which it may even be an answer that we have handed over.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.node_packages import install
from tests.clients.shell import Program
from tests.clients.stage import KEY, Stage
from tests.clients.swallowing import swallowing

NODE = Path(__file__).parent / "node"
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(64)).decode()

Generate = Callable[..., Any]
both = pytest.mark.parametrize("version", ["6", "7"])


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    folder = tmp_path_factory.mktemp("node")
    (folder / "node_modules").symlink_to(install(NODE))
    shutil.copy(NODE / "generate.mjs", folder)
    return Program(("node", str(folder / "generate.mjs")), {})


@pytest.fixture
def generate(stage: Stage, program: Program) -> Generate:
    """Runs the program of an SDK's version to its end."""

    def run(version: str, prompt: str, **more: Any) -> Any:
        order = {"base": stage.base, "key": KEY, "model": "wan2.7-t2v", "prompt": prompt, "callback": stage.inbox.url}
        return json.loads(program.output(version, json.dumps(order | more)).splitlines()[-1])

    return run


@pytest.mark.parametrize(("version", "model"), [("6", "wan2.6-i2v"), ("7", "wan3.0-video")])
def test_a_picture_becomes_a_video_that_is_downloaded_and_called_back(
    stage: Stage, generate: Generate, version: str, model: str
) -> None:
    """Its bytes go as bare base64 in `img_url`, or in a data URI among the media."""
    prompt, path = f"A heron of a picture, version {version}", f"/ai-sdk-{version}"
    headers = {"X-Ringback-Provider": "dashscope"}
    made = generate(version, prompt, model=model, image=PNG, callback=stage.inbox.url + path, headers=headers)
    assert "error" not in made, made
    [told] = stage.inbox.wait(path)
    assert (told.body["output"]["task_id"], told.body["output"]["video_url"]) == (made["taskId"], made["videoUrl"])
    assert made["videoUrl"].startswith(f"{stage.simulator}/results/")
    assert (made["bytes"] > 1000, made["usage"]["duration"]) == (True, 5)
    [create] = stage.creates(prompt)
    assert PNG in json.dumps(create.body["input"])
    assert not {"x-callback-url", "idempotency-key"} & create.headers.keys()


@both
def test_a_failure_is_raised_with_its_reason_and_called_back(stage: Stage, generate: Generate, version: str) -> None:
    prompt, path = f"A doomed heron of version {version}", f"/ai-sdk-{version}-failed"
    made = generate(version, f"{prompt} [sim:fail=DataInspectionFailed]", callback=stage.inbox.url + path)
    [told] = stage.inbox.wait(path)
    assert told.body["output"]["code"] == "DataInspectionFailed"
    assert told.body["output"]["message"] in made["error"]
    assert len(stage.creates(prompt)) == 1


@pytest.mark.parametrize(("version", "provider"), [("6", "dashscope"), ("7", "laozhang")])
def test_the_upstreams_503_is_never_seen(stage: Stage, generate: Generate, version: str, provider: str) -> None:
    """Version 6 would start anew with another create."""
    prompt = f"A heron of version {version} in a storm at {provider}"
    made = generate(version, f"{prompt} [sim:poll=503:2]", headers={"X-Ringback-Provider": provider})
    assert set(made["statuses"]) == {200}
    [create] = stage.creates(prompt)
    assert create.provider == provider
    assert create.task_id in made["videoUrl"]
    assert create.task.polls > 2, "the first two looks were refused"


@both
def test_a_create_whose_answer_is_lost_is_asked_for_again_and_paid_once(
    stage: Stage, generate: Generate, version: str
) -> None:
    before, prompt = stage.line.creates, f"A heron of version {version}, cut off"
    made = generate(version, f"{prompt} [sim:create=delay:0.7]", base=stage.line.url)
    assert stage.line.creates == before + 2, "the SDK is known to ask again"
    [create] = stage.creates(prompt)
    assert create.task_id in made["videoUrl"]


def test_the_key_of_version_7_saves_even_an_answer_that_was_handed_over(stage: Stage, generate: Generate) -> None:
    with swallowing(stage.base) as way:
        made = generate("7", "A heron whose answer is swallowed", base=way.url)
    assert (way.swallowed, way.posts) == (1, 2)
    [create] = stage.creates("A heron whose answer is swallowed")
    assert create.task_id in made["videoUrl"]


@both
def test_a_refusal_is_raised_once_and_nothing_is_created(stage: Stage, generate: Generate, version: str) -> None:
    made = generate(version, "A heron, never sent", model="wan2.7-t2w")
    assert "wan2.7-t2v" in made["error"]
    assert made["statuses"] == [400]
    assert stage.creates("A heron, never sent") == []
