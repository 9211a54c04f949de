"""The programs that the providers' documents print, run as they stand: base URL and key are all that changes.

`seeds/` has them word for word, from LaoZhang's Wan page, APIYI's Wan2.7 text-to-video page and AceData's Wan page. The
key that they send is registered here with a default callback, so even programs that know no callback are called back.
"""

from __future__ import annotations

import builtins
import io
import json
import os
import shutil
import subprocess
import time
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from service.simulator.results import video_of
from tests.clients.stage import Stage

SEEDS = Path(__file__).with_name("seeds")
KEY = "sk-as-in-the-document"
TOLD = "/documents"
HOSTS = ("https://api.laozhang.ai", "https://api.apiyi.com", "https://api.acedata.cloud")
KEYS = ("YOUR_API_KEY", "sk-your-api-key", "<token>", "{token}")

needs_curl = pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="curl is not installed")


@pytest.fixture(scope="module", autouse=True)
def registered(stage: Stage) -> None:
    stage.register(KEY, TOLD)


def _program(stage: Stage, name: str) -> str:
    """A document's program with our base URL and key in it."""
    text = (SEEDS / name).read_text("utf-8")
    for host in HOSTS:
        text = text.replace(host, stage.base)
    for key in KEYS:
        text = text.replace(key, KEY)
    return text


def _shell(stage: Stage, name: str, folder: Path, **variables: str) -> str:
    # LaoZhang's editing example has an apostrophe inside its quotes: as printed, no shell can read it.
    text = _program(stage, name).replace("girl's", "girl'\\''s")
    told = {"BASE_URL": stage.base, "API_KEY": KEY} | variables
    ran = subprocess.run(
        ["bash", "-c", text], cwd=folder, env=os.environ | told, capture_output=True, text=True, timeout=60, check=True
    )
    return ran.stdout


def _run(text: str) -> tuple[str, dict[str, Any]]:
    """Runs a Python program; its `time.sleep` is short. Returns what it printed and its names."""
    names: dict[str, Any] = {"__builtins__": vars(builtins) | {"__import__": _import}}
    with redirect_stdout(io.StringIO()) as printed:
        exec(compile(text, "document", "exec"), names)
    return printed.getvalue(), names


def _import(name: str, *rest: Any) -> Any:
    impatient = SimpleNamespace(sleep=lambda seconds: time.sleep(seconds / 50))
    return impatient if name == "time" else builtins.__import__(name, *rest)


def _body_of(name: str) -> Any:
    """The JSON in a document's curl."""
    text = (SEEDS / name).read_text("utf-8")
    return json.loads(text[text.index("{") : text.rindex("}") + 1])


def _ended(stage: Stage, task_id: str) -> Any:
    """What the key's default callback was told of a task."""
    [told] = stage.inbox.wait(TOLD, task_id)
    return told.body


GATEWAY_CREATES = [
    "laozhang-text-to-video.sh",
    "laozhang-image-to-video.sh",
    "laozhang-reference-to-video.sh",
    "laozhang-video-editing.sh",
    "apiyi-playground.sh",
    "apiyi-code-example.sh",
]


@needs_curl
@pytest.mark.parametrize("name", GATEWAY_CREATES)
def test_the_gateways_curls_create_poll_and_download(stage: Stage, name: str, tmp_path: Path) -> None:
    created = json.loads(_shell(stage, name, tmp_path))
    assert created["output"]["task_status"] == "PENDING"
    assert created["request_id"]
    task_id = created["output"]["task_id"]
    create = stage.creates(_body_of(name)["input"]["prompt"])[-1]
    assert create.body == _body_of(name), "what a native client says passes a native provider word for word"
    assert create.headers["x-dashscope-async"] == "enable"

    told = _ended(stage, task_id)
    task = json.loads(_shell(stage, "laozhang-poll.sh", tmp_path, TASK_ID=task_id))
    assert task == told
    assert (task["id"], task["task_id"], task["status"], task["progress"]) == (task_id, task_id, "completed", "100%")
    assert task["result"]["data"]["model"] == create.body["model"]
    _shell(stage, "laozhang-download.sh", tmp_path, RESULT_URL=task["result_url"])
    assert (tmp_path / "wan-output.mp4").read_bytes() == video_of(create.task_id)


@needs_curl
def test_acedatas_curl_holds_the_line_until_the_video_is_there(stage: Stage, tmp_path: Path) -> None:
    answer = json.loads(_shell(stage, "acedata-text-to-video.sh", tmp_path))
    create = stage.creates("Astronauts shuttle from space to volcano")[-1]
    assert (answer["success"], answer["state"]) == (True, "completed")
    assert create.task_id in answer["video_url"]
    assert answer["task_id"] != create.task_id, "the id is ours, never the upstream's"
    assert _ended(stage, answer["task_id"]) == answer


def test_laozhangs_minimal_client_downloads_its_video(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _, names = _run(_program(stage, "laozhang-minimal-client.py.txt"))
    create = stage.creates("A lighthouse at sunset, cinematic light, slow push-in")[-1]
    assert (tmp_path / "wan-output.mp4").read_bytes() == video_of(create.task_id)
    assert names["task"] == _ended(stage, names["task_id"])


def test_laozhangs_minimal_client_says_why_its_task_failed(stage: Stage) -> None:
    stage.misbehave(behaviour="fail=InvalidParameter", times=1, provider="laozhang")
    with pytest.raises(RuntimeError, match=r"\[InvalidParameter\]"):
        _run(_program(stage, "laozhang-minimal-client.py.txt"))


def test_laozhangs_minimal_client_is_told_of_a_wrong_key(stage: Stage) -> None:
    text = _program(stage, "laozhang-minimal-client.py.txt").replace(KEY, "sk-nobody")
    with pytest.raises(RuntimeError, match="HTTP 401: "):
        _run(text)


def test_acedatas_requests_example_is_called_back(stage: Stage) -> None:
    mine = f"{stage.inbox.url}/webhook-site"
    text = _program(stage, "acedata-image-to-video.py.txt").replace("https://www.baidu.com/", mine)
    printed, _ = _run(text)
    answer = json.loads(printed)
    [told] = stage.inbox.wait("/webhook-site")
    assert told.body["task_id"] == answer["task_id"]
    assert (told.body["success"], told.body["state"]) == (True, "completed")
    assert told.body["video_url"].startswith(f"{stage.simulator}/results/")


def test_acedatas_requests_example_runs_as_printed(stage: Stage) -> None:
    """Its callback URL is a search engine, which nobody reaches from here; it never goes to the upstream."""
    printed, names = _run(_program(stage, "acedata-image-to-video.py.txt"))
    answer = json.loads(printed)
    assert answer["task_id"]
    assert not [name for name in answer if name.endswith("_url")]
    create = stage.creates("Astronauts shuttle from space to volcano")[-1]
    upstream, client = dict(create.body), dict(names["payload"])
    assert client.pop("callback_url") == "https://www.baidu.com/"
    assert upstream.pop("callback_url").startswith(f"{stage.base}/callbacks/acedata/")
    assert upstream == client | {"async": True}
