"""`ringback attach`, against a server and simulated providers that run as programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.cli.house import House, house

NOBODY = "http://127.0.0.1:9/hook"
PATH = "/api/v1/services/aigc/video-generation/video-synthesis"


@dataclass(frozen=True)
class Stage:
    """A server with a client key that has no right to watch with the server's account."""

    house: House
    dashscope: str

    def created(self, prompt: str, key: str = "sk-mine") -> str:
        """A task that is created at DashScope itself."""
        headers = {"authorization": f"Bearer {key}", "x-dashscope-async": "enable"}
        body = {"model": "wan2.7-t2v", "input": {"prompt": prompt}}
        reply = httpx.post(self.dashscope + PATH, json=body, headers=headers, trust_env=False)
        task_id: str = reply.json()["output"]["task_id"]
        return task_id


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with house(tmp_path_factory.mktemp("server"), "--render-seconds", "0.2") as it:
        yield Stage(it, f"{it.simulator}/dashscope")


@pytest.fixture(autouse=True)
def _own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-mine")
    monkeypatch.delenv("NO_KEY", raising=False)


OWN = ("--upstream-key-env", "MY_KEY")


def test_a_task_is_watched_to_its_end_and_called_back(stage: Stage) -> None:
    upstream_id = stage.created("a cat")
    shown = stage.house.run("attach", "dashscope", upstream_id, *OWN, "--callback", NOBODY, "--wait")
    assert shown.exit_code == 0, shown.output
    task_id, video_url = shown.stdout.split()
    assert "/results/" in video_url
    [delivery] = stage.house.parsed("deliveries", "--task", task_id)["deliveries"]
    assert (delivery["url"], delivery["type"]) == (NOBODY, "task.succeeded")
    assert stage.house.parsed("get", task_id)["watched"] is True
    assert f"watched at dashscope as {upstream_id}: " in stage.house.run("get", task_id).stdout


def test_the_same_task_again_has_the_same_id(stage: Stage) -> None:
    upstream_id = stage.created("a cat [sim:seconds=600]")
    first = stage.house.parsed("attach", "dashscope", upstream_id, *OWN, "--format", "event", "--model", "wan2.7-t2v")
    assert (first["provider"], first["model"]) == ("dashscope", "wan2.7-t2v")
    assert stage.house.run("attach", "dashscope", upstream_id).stdout == f"{first['task_id']}\n"


def test_a_task_that_failed_is_exit_code_1(stage: Stage) -> None:
    shown = stage.house.run("attach", "dashscope", stage.created("a cat [sim:fail]"), *OWN, "--wait")
    assert shown.exit_code == 1
    assert "ringback: The task ended as FAILED (" in shown.stderr


def test_waiting_may_be_given_up(stage: Stage) -> None:
    upstream_id = stage.created("a cat [sim:seconds=600]")
    assert stage.house.run("attach", "dashscope", upstream_id, *OWN, "--wait", "--timeout", "0").exit_code == 5


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("dashscope", "nobodys", *OWN), 4, "The provider does not know such a task."),
        (("dashscope", "nobodys"), 4, "upstream_key: send your own key"),
        (("nowhere", "x", *OWN), 4, "provider: it may be acedata, laozhang, apiyi, dashscope."),
        (("dashscope", "x", *OWN, "--callback", "http://10.0.0.1/x"), 4, "callback_url: "),
        (("dashscope", "x", "--upstream-key-env", "NO_KEY"), 2, "NO_KEY is not set"),
        (("dashscope", "x", "--format", "xml"), 2, "xml"),
        (("dashscope",), 2, "TASK_ID"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(words: tuple[str, ...], code: int, said: str, stage: Stage) -> None:
    shown = stage.house.run("attach", *words)
    assert shown.exit_code == code
    assert said in shown.stderr
    assert "sk-mine" not in shown.output
