"""`ringback expunge`, against a server that runs as a program."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.house import House, house

VIDEO = ("--model", "wan2.6-t2v", "--prompt")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("server"), "--render-seconds", "0.2") as it:
        yield it


def submitted(running: House, prompt: str, *more: str) -> str:
    shown = running.run("submit", *VIDEO, prompt, "--provider", "dashscope", *more, "--json")
    assert shown.exit_code == 0, shown.output
    task_id: str = running.parsed("list", "--limit", "1")["tasks"][0]["task_id"]
    return task_id


def test_a_task_is_gone_when_that_was_confirmed(running: House) -> None:
    task_id = submitted(running, "a cat", "--wait")
    asked = running.run("expunge", task_id, stdin="n\n")
    assert (asked.exit_code, "cannot be had back" in asked.stderr) == (1, True)
    assert running.run("get", task_id).exit_code == 0
    shown = running.run("expunge", task_id, "--yes")
    assert (shown.exit_code, shown.stdout.startswith(f"{task_id} is expunged. ")) == (0, True)
    assert running.run("get", task_id).exit_code == 4
    assert running.run("expunge", task_id, "--yes").exit_code == 4


def test_json_is_what_the_server_says(running: House) -> None:
    task_id = submitted(running, "a dog", "--wait")
    told = running.parsed("expunge", task_id, "--yes")
    assert told["task_id"] == task_id
    assert told["expunged_at"].endswith("Z")


def test_a_task_that_goes_on_is_refused_with_what_to_do(running: House) -> None:
    shown = running.run("expunge", submitted(running, "a cat [sim:seconds=600]"), "--yes")
    assert shown.exit_code == 4
    assert "Cancel it first, or wait for its end." in shown.stderr
