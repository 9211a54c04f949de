"""`ringback settle`, against a server that runs as a program."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.house import ADMIN, House, house


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    more = {"RINGBACK_ADMIN_TOKEN": ADMIN, "RINGBACK_IN_DOUBT_SECONDS": "0.1"}
    with house(tmp_path_factory.mktemp("server"), "--render-seconds", "0.2", **more) as it:
        yield it


def given_up(running: House, model: str, provider: str) -> str:
    prompt = "a cat [sim:create=lost times=1]"
    task_id = running.run("submit", "--model", model, "--prompt", prompt, "--provider", provider).stdout.strip()
    running.run("wait", task_id)
    assert running.parsed("get", task_id)["error"]["code"] == "outcome_unknown"
    return task_id


def test_a_charge_is_written_off(running: House) -> None:
    task_id = given_up(running, "wan2.6-t2v", "apiyi")
    shown = running.run("settle", task_id, "--free", key=ADMIN)
    assert (shown.exit_code, shown.stdout) == (0, f"{task_id} at apiyi: It is written off: nothing was billed.\n")
    shown = running.run("settle", task_id, "--free", key=ADMIN)
    assert shown.exit_code == 4
    assert "none of its charges is open" in shown.stderr


@pytest.mark.parametrize(
    "given", [[], ["--free", "--billed"], ["--amount", "0.4", "--free"], ["--amount", "-1"], ["--amount", "1e3"]]
)
def test_what_is_misused_is_said(running: House, given: list[str]) -> None:
    shown = running.run("settle", "some-task", *given, key=ADMIN)
    assert shown.exit_code == 2
    assert "--amount" in shown.stderr
