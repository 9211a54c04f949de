"""`ringback endpoints`, against a server that runs as a program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from service.cli.endpoint_words import health_of
from service.cli.output import when
from tests.cli.house import House, house

NOBODY = "http://127.0.0.1:9/hook"
AT = "2026-11-20T18:30:00.000Z"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("server"), "--render-seconds", "0.2") as it:
        yield it


def made(running: House, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = running.parsed("endpoints", "create", NOBODY, *words)
    return found


def test_an_endpoint_is_made_as_its_options_say(running: House) -> None:
    words = ("--event", "task.succeeded", "--event", "task.running", "--format", "cloudevents", "--schedule", "5,60")
    more = ("--timeout", "3", "--header", "X-Token: t0k3n", "--signature", "both", "--rate", "5", "--concurrency", "2")
    one = made(running, *words, *more, "--description", "shop")
    assert {name: one[name] for name in ("events", "format", "schedule", "timeout_seconds", "header_names")} == {
        "events": ["task.succeeded", "task.running"],
        "format": "cloudevents",
        "schedule": [5.0, 60.0],
        "timeout_seconds": 3,
        "header_names": ["X-Token"],
    }
    assert (one["signature"], one["rate_per_second"], one["concurrency"]) == ("both", 5, 2)
    shown = running.run("endpoints", "show", one["id"])
    assert (shown.exit_code, one["secret"] in shown.output, one["public_key"] in shown.output) == (0, False, True)
    listed = running.run("endpoints", "list")
    assert one["id"] in listed.output


def test_people_read_words(running: House) -> None:
    words = ("--default", "--schedule", "5,60", "--header", "X-Token: t0k3n")
    shown = running.run("endpoints", "create", NOBODY, *words).stdout
    told = dict(line.strip().split("  ", 1) for line in shown.splitlines())
    told = {name: text.strip() for name, text in told.items()}
    assert (told["default"], told["events"], told["schedule"]) == ("yes", "every end", "5 s, 60 s")
    assert (told["timeout"], told["headers"]) == ("the usual", "X-Token")
    fresh = running.run("endpoints", "show", told["id"]).stdout
    assert "has not answered yet" in fresh
    running.run("endpoints", "disable", told["id"])
    assert ", by its client" in running.run("endpoints", "show", told["id"]).stdout
    assert not any(python in shown + fresh for python in ("True", "None", "[", "{"))


@pytest.mark.parametrize(
    ("health", "said"),
    [
        ({"standing": "well", "failures": 0, "pause": None, "succeeded_at": AT}, f"answers, last at {when(AT)}"),
        ({"standing": "ill", "failures": 1, "pause": None, "failing_since": AT}, f"1 failure since {when(AT)}"),
        (
            {"standing": "ill", "failures": 5, "pause": "open", "failing_since": AT, "paused_until": AT},
            f"5 failures in a row since {when(AT)}; it is not tried again before {when(AT)}",
        ),
    ],
)
def test_its_health_is_a_sentence(health: dict[str, Any], said: str) -> None:
    assert health_of({"disabled_at": None, "health": {"succeeded_at": None} | health}) == said


def test_people_are_told_to_keep_the_secret(running: House) -> None:
    shown = running.run("endpoints", "create", NOBODY)
    assert "whsec_" in shown.stdout
    assert "not shown again" in shown.stderr


def test_a_secret_that_a_receiver_has_is_taken_from_standard_input(running: House) -> None:
    secret = "whsec_" + "QUJD" * 11
    given = running.parsed("endpoints", "create", NOBODY, "--secret", "-", stdin=f"{secret}\n")
    assert given["secret"] == secret
    refused = running.run("endpoints", "create", NOBODY, "--secret", "whsec_short")
    assert (refused.exit_code, "secret: whsec_ and the padded base64" in refused.stderr) == (4, True)


def test_what_is_named_is_changed_and_can_be_taken_back(running: House) -> None:
    one = made(running, "--schedule", "5", "--description", "shop")
    changed = running.parsed("endpoints", "update", one["id"], "--usual", "schedule", "--default")
    assert (changed["schedule"], changed["default"], changed["description"]) == (None, True, "shop")
    assert running.parsed("endpoints", "update", one["id"], "--no-default")["default"] is False
    assert running.run("endpoints", "update", one["id"]).exit_code == 2
    assert running.run("endpoints", "update", one["id"], "--schedule", "soon").exit_code == 2
    assert running.run("endpoints", "update", one["id"], "--header", "no colon").exit_code == 2


def test_it_is_disabled_enabled_and_deleted(running: House) -> None:
    one = made(running)
    assert running.parsed("endpoints", "disable", one["id"])["disabled_by"] == "client"
    assert running.parsed("endpoints", "enable", one["id"])["disabled_by"] is None
    assert running.run("endpoints", "delete", one["id"]).stdout == f"{one['id']} is deleted.\n"
    gone = running.run("endpoints", "show", one["id"])
    assert (gone.exit_code, gone.stderr) == (4, "ringback: There is no such endpoint.\n")


def test_its_secret_is_replaced(running: House) -> None:
    one = made(running)
    rotated = running.parsed("endpoints", "rotate-secret", one["id"], "--overlap", "2h")
    assert rotated["secret"] != one["secret"]
    assert rotated["old_secret_until"] is not None
    assert running.run("endpoints", "rotate-secret", one["id"], "--overlap", "soon").exit_code == 2


def test_an_ended_task_tells_a_late_endpoint(running: House) -> None:
    one = made(running, "--format", "event")
    words = ("submit", "--model", "wan2.6-t2v", "--prompt", "a cat", "--provider", "apiyi", "--wait")
    task = running.run(*words).stdout.split()[0]
    told = running.parsed("subscribe", task, one["id"], "--event", "task.succeeded")
    assert (told["endpoint"], told["events"], told["format"]) == (one["id"], ["task.succeeded"], None)
    [delivery] = running.parsed("deliveries", "--task", task)["deliveries"]
    assert delivery["endpoint"] == one["id"]


def test_a_task_names_its_endpoint_and_what_it_is_told(running: House) -> None:
    one = made(running, "--format", "event")
    words = ("submit", "--model", "wan2.6-t2v", "--prompt", "a cat", "--provider", "apiyi")
    task = running.run(*words, "--endpoint", one["id"], "--event", "task.failed").stdout.strip()
    record = running.parsed("get", task)
    assert [(each["endpoint"], each["events"]) for each in record["subscriptions"]] == [(one["id"], ["task.failed"])]
    placed = record["placements"][0]["upstream_id"]
    running.run("attach", "apiyi", placed, "--endpoint", one["id"], "--event", "task.succeeded")
    assert len(running.parsed("get", task)["subscriptions"]) == 2


def test_a_receiver_that_is_not_there_is_explained_and_is_exit_code_1(running: House) -> None:
    one = made(running)
    for receiver in (NOBODY, one["id"]):
        shown = running.run("endpoint", "check", receiver)
        assert (shown.exit_code, shown.stderr) == (1, "ringback: Deliveries there would fail.\n")
        assert "the connection was refused" in shown.stdout
        assert "Start the receiver" in shown.stdout
    private = running.run("endpoint", "check", "https://10.0.0.1/", "--json")
    assert private.exit_code == 1
    assert '"address"' in private.stdout
