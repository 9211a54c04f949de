"""`ringback replay` and `ringback replays`, against a server that runs as a program."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from service.cli import output
from service.cli.deliveries import FIELDS, TIMES, _show
from service.cli.output import when
from tests.cli.house import House, house

NOBODY = "http://127.0.0.1:9/hook"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("server"), "--render-seconds", "0.2") as it:
        yield it


@pytest.fixture
def task(running: House) -> str:
    """A task whose callback nobody takes."""
    words = ("submit", "--model", "wan2.6-t2v", "--prompt", "a cat", "--provider", "dashscope", "--callback", NOBODY)
    shown = running.run(*words, "--wait", "--json")
    assert shown.exit_code == 0, shown.output
    task_id: str = running.parsed("list", "--limit", "1")["tasks"][0]["task_id"]
    while not running.parsed("deliveries", "--task", task_id)["deliveries"][0]["attempts"]:
        pass  # its first attempt is to come
    return task_id


def test_one_callback_is_sent_again(running: House, task: str) -> None:
    [delivery] = running.parsed("deliveries", "--task", task)["deliveries"]
    shown = running.run("replay", delivery["id"])
    assert (shown.exit_code, shown.stdout) == (0, f"{delivery['id']} is sent again to {NOBODY}\n")
    copy = running.parsed("replay", delivery["id"], "--new-id")
    assert (copy["replay_of"], copy["id"] != delivery["id"]) == (delivery["id"], True)


def test_a_replay_is_begun_followed_listed_and_canceled(running: House, task: str) -> None:
    shown = running.run("replay", "--task", task)
    assert shown.exit_code == 0, shown.output
    replay = shown.stdout.split()[0]
    assert f"ringback replays show {replay} --follow" in shown.stdout
    followed = running.run("replays", "show", replay, "--follow")
    assert followed.exit_code == 0, followed.output
    lines = {line.split("  ")[0]: line.split()[-1] for line in followed.stdout.splitlines()}
    assert (lines["state"], lines["left"]) == ("DONE", "0")
    assert f"--task {task}" in followed.stdout
    assert replay in running.run("replays").stdout
    assert replay in [one["id"] for one in running.parsed("replays")["replays"]]
    canceled = running.parsed("replays", "cancel", replay)
    assert canceled["state"] == "DONE"  # it had ended before


def test_a_dry_run_shows_a_sample_and_how_many(running: House, task: str) -> None:
    [delivery] = running.parsed("deliveries", "--task", task)["deliveries"]
    shown = running.run("replay", "--task", task, "--since", "1h", "--dry-run")
    assert shown.exit_code == 0, shown.output
    assert "would be sent again, made from " in shown.stdout or "There is nothing" in shown.stdout
    told = running.parsed("replay", "--task", task, "--dry-run")
    assert told["matched"] == len(told["sample"]) <= 1
    assert {one["id"] for one in told["sample"]} <= {delivery["id"]}
    nothing = running.run("replay", "--failed", "--until", "30d", "--dry-run")
    assert (nothing.exit_code, nothing.stdout) == (0, "There is nothing to send again.\n")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("replay",), 2, "Say what to send again: the ID of a callback, --task ID, or a filter"),
        (("replay", "msg_1", "--failed"), 2, "The ID of a callback says it all"),
        (("replay", "msg_nobody"), 4, "There is no such delivery."),
        (("replay", "--task", "nobody's"), 4, "There is no such task."),
        (("replay", "--endpoint", "ep_nope"), 4, "There is no such endpoint."),
        (("replay", "--endpoint", "ep_nope", "--failed", "--dry-run"), 4, "There is no such endpoint."),
        (("replay", "--task", "nobody's", "--since", "1h"), 4, "There is no such task."),
        (("replay", "--failed", "--since", "yesterday"), 4, "since: how long ago (90s, 15m, 2h, 7d)"),
        (("replay", "--type", "task.done"), 2, "'task.failed'"),
        (("replay", "--failed", "--rate", "0"), 2, "--rate"),
        (("replays", "show", "rpl_nobody"), 4, "There is no such replay."),
        (("replays", "cancel", "rpl_nobody"), 4, "There is no such replay."),
    ],
)
def test_what_cannot_be_done_is_a_sentence(words: tuple[str, ...], code: int, said: str, running: House) -> None:
    shown = running.run(*words)
    assert shown.exit_code == code
    assert said in shown.stderr


def test_attempts_are_readable_at_80_columns_in_the_time_of_the_place(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "PIPED_WIDTH", 80)
    at = "2026-11-20T18:30:00.000Z"
    reason = "answered 500 Internal Server Error; its program failed: see its logs"
    attempt = {"number": 1, "started_at": at, "address": "203.0.113.7", "elapsed_ms": 12, "reason": reason}
    steps = {"dns_ms": 0, "connect_ms": 4, "tls_ms": 5, "first_byte_ms": None, "why_next": None}
    delivery = dict.fromkeys((*FIELDS, *TIMES)) | {"attempts": 1, "log": [attempt | steps], "body_kept": True}
    _show(delivery | {"created_at": at}, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split("  ")[1].strip() == when(at)
    assert lines[2].split("  ")[:3] == ["1", when(at), "12"]
    said = " ".join(line[28:].strip() for line in lines[2:])
    assert said == f"{reason} (at 203.0.113.7, dns 0, connect 4, tls 5)"


def test_what_is_deleted_for_its_age_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    delivery = dict.fromkeys((*FIELDS, *TIMES)) | {"attempts": 3, "log": [], "body_kept": False}
    _show(delivery, as_json=False)
    said = capsys.readouterr().out
    assert "It was tried 3 times; attempts are deleted for their age." in said
    assert "Its body was deleted for its age, so it cannot be sent again." in said
    _show(delivery | {"attempts": 0, "body_kept": True}, as_json=False)
    assert capsys.readouterr().out.endswith("It was not tried yet.\n")
