"""`ringback adopt`, against a server that runs as a program."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.cli.house import ADMIN, House, house

SLOW = "create=lost times=1 seconds=600"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("server"), "--render-seconds", "0.2", RINGBACK_ADMIN_TOKEN=ADMIN) as it:
        yield it


def lost(running: House, name: str, words: str) -> tuple[str, str]:
    """A task, and the id that the provider gave it."""
    prompt = f"{name} [sim:{words}]"
    shown = running.run("submit", "--model", "wan2.6-t2v", "--prompt", prompt, "--provider", "apiyi")
    assert shown.exit_code == 0, shown.output
    return shown.stdout.strip(), httpx.get(f"{running.simulator}/_sim/stats").json()["tasks"][-1]["id"]


def test_a_lost_submission_goes_on_under_its_id(running: House) -> None:
    task_id, upstream_id = lost(running, "a cat", "create=lost seconds=1")
    shown = running.run("adopt", task_id, upstream_id, key=ADMIN)
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith(f"{task_id} is ")
    assert shown.stdout.endswith("Nothing new was sent.\n")
    assert running.run("wait", task_id).exit_code == 0
    assert [one["upstream_id"] for one in running.parsed("get", task_id)["placements"]] == [upstream_id]


def test_its_answer_is_json_too(running: House) -> None:
    task_id, upstream_id = lost(running, "a dog", SLOW)
    placement = running.parsed("get", task_id)["placements"][0]["id"]
    which = ("--provider", "apiyi", "--placement", placement)
    assert running.parsed("adopt", task_id, upstream_id, *which, key=ADMIN)["placement"] == placement


@pytest.mark.parametrize(
    ("more", "key", "said"),
    [
        (("nothing",), ADMIN, "APIYI knows no such task"),
        (("nothing", "--provider", "dashscope"), ADMIN, "the sends in doubt are other ones"),
        (("nothing",), "client-key", "This needs the admin token"),
    ],
)
def test_what_cannot_be_adopted_is_a_sentence(more: tuple[str, ...], key: str, said: str, running: House) -> None:
    task_id, _ = lost(running, f"a bird {said}", SLOW)
    shown = running.run("adopt", task_id, *more, key=key)
    assert shown.exit_code == 4
    assert said in shown.stderr
    assert running.parsed("get", task_id)["state"] == "IN_DOUBT"
