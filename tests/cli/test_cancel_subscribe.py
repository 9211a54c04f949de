"""`ringback cancel` and `ringback subscribe`, against a server that runs as a program."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.house import House, house

NOBODY = "http://127.0.0.1:9/hook"
SLOW = "a cat [sim:seconds=600]"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("server"), "--render-seconds", "0.2") as it:
        yield it


def submitted(running: House, prompt: str, provider: str, *more: str) -> str:
    shown = running.run("submit", "--model", "wan2.6-t2v", "--prompt", prompt, "--provider", provider, *more)
    assert shown.exit_code == 0, shown.output
    return shown.stdout.split()[0]


def test_a_task_is_canceled_where_the_provider_agrees(running: House) -> None:
    task_id = submitted(running, SLOW, "dashscope")
    shown = running.run("cancel", task_id)
    assert (shown.exit_code, shown.stdout) == (0, f"{task_id} is canceled. Alibaba DashScope has canceled it.\n")
    assert running.parsed("get", task_id)["state"] == "CANCELED"
    again = running.parsed("cancel", task_id)
    assert (again["canceled"], again["message"]) == (True, "It was canceled before.")


def test_a_task_that_goes_on_is_exit_code_1(running: House) -> None:
    task_id = submitted(running, SLOW, "apiyi")
    for words in (("cancel", task_id), ("cancel", task_id, "--json")):
        shown = running.run(*words)
        assert shown.exit_code == 1
        assert shown.stderr.startswith("ringback: The task is not canceled, it is ")
        assert "APIYI has no way to cancel a task." in shown.stderr
    assert running.parsed("get", task_id)["state"] in ("QUEUED", "RUNNING")


def test_an_ended_task_tells_a_late_subscriber(running: House) -> None:
    task_id = submitted(running, "a cat", "apiyi", "--wait")
    assert running.parsed("deliveries", "--task", task_id)["deliveries"] == []
    shown = running.run("subscribe", task_id, NOBODY, "--format", "event")
    assert (shown.exit_code, shown.stdout) == (0, f"{NOBODY} is called back (event).\n")
    [delivery] = running.parsed("deliveries", "--task", task_id)["deliveries"]
    assert (delivery["url"], delivery["type"]) == (NOBODY, "task.succeeded")


def test_the_same_subscription_again_is_the_same(running: House) -> None:
    task_id = submitted(running, SLOW, "apiyi")
    first = running.parsed("subscribe", task_id, NOBODY)
    assert running.parsed("subscribe", task_id, NOBODY)["id"] == first["id"]
    assert first["format"] == "own"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("cancel", "nobody's"), 4, "There is no such task."),
        (("subscribe", "nobody's", NOBODY), 4, "There is no such task."),
        (("subscribe", "nobody's", "http://10.0.0.1/x"), 4, "callback_url: "),
        (("subscribe", "nobody's", NOBODY, "--format", "xml"), 2, "xml"),
        (("cancel",), 2, "ID"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(words: tuple[str, ...], code: int, said: str, running: House) -> None:
    shown = running.run(*words)
    assert shown.exit_code == code
    assert said in shown.stderr
