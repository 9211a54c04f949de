"""`ringback send-again`, against a server that runs as a program: it asks before it pays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.house import ADMIN, House, house

SECOND = "that is the second payment for this task"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("server"), "--render-seconds", "0.2", RINGBACK_ADMIN_TOKEN=ADMIN) as it:
        yield it


def doubted(running: House, name: str) -> str:
    prompt = f"{name} [sim:create=lost times=1]"
    shown = running.run("submit", "--model", "wan2.6-t2v", "--prompt", prompt, "--provider", "apiyi")
    assert shown.exit_code == 0, shown.output
    return shown.stdout.strip()


def sends(running: House, task_id: str) -> list[str]:
    return [one["provider"] for one in running.parsed("get", task_id)["placements"]]


def test_it_says_what_it_costs_and_asks(running: House) -> None:
    task_id = doubted(running, "a cat")
    shown = running.run("send-again", task_id, key=ADMIN, stdin="n\n")
    assert shown.exit_code == 1
    assert SECOND in shown.stderr
    assert sends(running, task_id) == ["apiyi"]
    shown = running.run("send-again", task_id, key=ADMIN, stdin="y\n")
    assert (shown.exit_code, shown.stdout) == (0, f"{task_id} is sent again, to apiyi.\n")
    assert running.run("wait", task_id).exit_code == 0
    assert sends(running, task_id) == ["apiyi", "apiyi"]


def test_without_anybody_to_ask_it_does_nothing(running: House) -> None:
    task_id = doubted(running, "a dog")
    assert running.run("send-again", task_id, key=ADMIN).exit_code == 1
    assert sends(running, task_id) == ["apiyi"]


def test_yes_asks_nothing_and_says_the_same(running: House) -> None:
    task_id = doubted(running, "a horse")
    shown = running.run("send-again", task_id, "--yes", "--provider", "dashscope", key=ADMIN)
    assert shown.exit_code == 0
    assert shown.stdout.startswith(f"{task_id} is sent again, to dashscope. ")
    assert SECOND in shown.stdout
    assert running.run("wait", task_id).exit_code == 0
    shown = running.run("send-again", task_id, "--yes", key=ADMIN)
    assert shown.exit_code == 4
    assert "Nothing was sent: the task is SUCCEEDED." in shown.stderr
    assert sends(running, task_id) == ["apiyi", "dashscope"]


def test_its_answer_is_json_too(running: House) -> None:
    task_id = doubted(running, "a bird")
    assert running.parsed("send-again", task_id, "--yes", key=ADMIN)["provider"] == "apiyi"


@pytest.mark.parametrize(
    ("words", "key", "said"),
    [
        (("nobody's", "--yes"), ADMIN, "There is no such task."),
        (("nobody's",), ADMIN, "There is no such task."),
        (("nobody's",), "client-key", "This needs the admin token"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(words: tuple[str, ...], key: str, said: str, running: House) -> None:
    shown = running.run("send-again", *words, key=key)
    assert shown.exit_code == 4
    assert said in shown.stderr
