"""`ringback events`, against a server that runs as a program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.doubts.advice import EVENTS
from tests.cli.house import ADMIN, House, house
from tests.cli.program import started

LOST = "a cat [sim:create=lost]"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("server"), "--render-seconds", "0.2", RINGBACK_ADMIN_TOKEN=ADMIN) as it:
        yield it


def doubted(running: House) -> str:
    shown = running.run("submit", "--model", "wan2.6-t2v", "--prompt", LOST, "--provider", "apiyi")
    assert shown.exit_code == 0, shown.output
    return shown.stdout.strip()


def test_an_event_is_shown_with_what_to_do(running: House) -> None:
    task_id = doubted(running)
    shown = running.run("events", "--since", "1h", key=ADMIN)
    assert shown.exit_code == 0
    [line] = [line for line in shown.stdout.splitlines() if task_id in line]
    assert "submission.in_doubt" in line
    assert f"submission.in_doubt: {EVENTS['submission.in_doubt']}" in shown.stdout
    event = running.parsed("events", "--kind", "submission.in_doubt", "--limit", "1", key=ADMIN)["events"][0]
    assert (event["subject"], event["times"]) == (task_id, 1)


def test_no_events_are_a_sentence(running: House) -> None:
    assert running.run("events", "--kind", "provider.missing", key=ADMIN).stdout == "There are no events.\n"


def test_they_are_followed_as_they_happen(tmp_path: Path, running: House) -> None:
    client = {"RINGBACK_URL": running.url, "RINGBACK_KEY": ADMIN}
    with (
        started(tmp_path, "events", "--follow", "--since", "1h", **client) as lines,
        started(tmp_path, "events", "--follow", "--limit", "1", "--json", **client) as parsed,
    ):
        task_id = doubted(running)
        assert "submission.in_doubt" in lines.until(task_id)
        assert json.loads(parsed.until(task_id))["subject"] == task_id
        again = doubted(running)
        lines.until(again)
        assert lines.seen.count(EVENTS["submission.in_doubt"]) == 1
        assert lines.seen.count(task_id) == 1


@pytest.mark.parametrize(
    ("words", "key", "code", "said"),
    [
        (("events",), "client-key", 4, "This needs the admin token"),
        (("events", "--since", "yesterday"), ADMIN, 4, "since: "),
        (("events", "--limit", "0"), ADMIN, 2, "limit"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    words: tuple[str, ...], key: str, code: int, said: str, running: House
) -> None:
    shown = running.run(*words, key=key)
    assert shown.exit_code == code
    assert said in shown.stderr
