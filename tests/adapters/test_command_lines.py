"""What AceData's command lines and MCP server make of our replies.

They are not installed here; how they read is written down as data, from wan-cli 2026.10.12, happyhorse-cli 2026.10.19
and mcp-wan 2026.10.18 on PyPI, which were run against these very replies once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from adapters import SHAPES
from adapters.codes import failed
from adapters.messages import Acceptance, Report, Request, State, Usage
from tests.adapters.strategies import CATALOGUE

FLAT = SHAPES["flat"](CATALOGUE)
VIDEO = "https://o.example/v.mp4"
ENDED = (State.SUCCEEDED, State.FAILED, State.CANCELED)


@dataclass(frozen=True)
class CommandLine:
    """`wait` looks at `data` if the reply has one, else at the reply itself, for a `state` word that ends the task."""

    name: str
    models: tuple[tuple[str, str], ...]
    done: frozenset[str]
    failed: frozenset[str]
    url_is_done: bool = False
    prints: tuple[str, ...] = ()


WAN = CommandLine(
    "wan-cli",
    (("wan", "wan2.6-t2v"), ("wan", "wan2.7-t2v"), ("wan", "wan3.0-video")),
    done=frozenset({"succeeded", "completed", "complete"}),
    failed=frozenset({"failed", "error"}),
    prints=("id", "state", "video_url"),
)
HAPPYHORSE = CommandLine(
    "happyhorse-cli",
    (("happyhorse", "happyhorse-1.1-t2v"), ("happyhorse", "happyhorse-1.0-video-edit")),
    done=frozenset({"succeeded", "completed", "complete"}),
    failed=frozenset({"failed", "error"}),
    url_is_done=True,
    prints=("task_id", "state", "video_url"),
)
CASES = [(program, service, model) for program in (WAN, HAPPYHORSE) for service, model in program.models]
NAMES = [f"{program.name} {model}" for program, _, model in CASES]


def report(state: State, service: str, model: str) -> Report:
    succeeded = state is State.SUCCEEDED
    return Report(
        "t",
        state,
        video_url=VIDEO if succeeded else None,
        failure=failed("native", "DataInspectionFailed", "blocked") if state is State.FAILED else None,
        usage=Usage(duration=5.0, resolution="720P") if succeeded else None,
        created_at=1_000,
        finished_at=9_000 if state in ENDED else None,
        model=model,
        service=service,
        request={"model": model, "image_url": "https://media.example/a.png"},
        trace_id="x",
    )


def record(state: State, service: str, model: str) -> dict[str, Any]:
    reply: dict[str, Any] = json.loads(json.dumps(FLAT.write_report(report(state, service, model)).body))
    return reply


@pytest.mark.parametrize(("program", "service", "model"), CASES, ids=NAMES)
@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING])
def test_a_command_line_waits_while_a_task_runs(program: CommandLine, service: str, model: str, state: State) -> None:
    told = record(state, service, model)
    assert "data" not in told
    assert told["state"] not in program.done | program.failed
    assert not told.get("error")
    assert not told.get("video_url")


@pytest.mark.parametrize(("program", "service", "model"), CASES, ids=NAMES)
def test_a_command_line_sees_the_end_and_prints_the_video(program: CommandLine, service: str, model: str) -> None:
    told = record(State.SUCCEEDED, service, model)
    assert "data" not in told
    assert told["state"] in program.done
    assert not told.get("error")
    assert [told[name] for name in program.prints] == ["t", "completed", VIDEO]


@pytest.mark.parametrize(("program", "service", "model"), CASES, ids=NAMES)
@pytest.mark.parametrize("state", [State.FAILED, State.CANCELED])
def test_a_command_line_stops_waiting_for_a_failed_or_canceled_task(
    program: CommandLine, service: str, model: str, state: State
) -> None:
    """The word "cancelled" would not be an end to them: they would wait until their own time is over."""
    told = record(state, service, model)
    assert told["state"] in program.failed
    assert not (program.url_is_done and told.get("video_url"))
    assert "data" not in told


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, *ENDED])
def test_a_batch_is_found_in_items_by_the_wan_command_line(state: State) -> None:
    answer = FLAT.write_reports((report(state, "wan", "wan2.6-t2v"),)).body
    assert "data" not in answer
    assert [item["id"] for item in answer["items"]] == ["t"]


@pytest.mark.parametrize(("service", "model"), [*WAN.models, *HAPPYHORSE.models])
@pytest.mark.parametrize(
    ("state", "success", "words"),
    [
        (State.QUEUED, None, {"pending"}),
        (State.RUNNING, None, {"processing"}),
        (State.SUCCEEDED, True, {"complete", "completed", "succeeded", "success"}),
        (State.FAILED, False, {"failed", "error", "cancelled", "canceled"}),
        (State.CANCELED, False, {"failed", "error", "cancelled", "canceled"}),
    ],
)
def test_the_mcp_server_polls_until_the_end(
    service: str, model: str, state: State, success: bool | None, words: set[str]
) -> None:
    """It asks `response.success`, whatever the state, and the `state` of the record."""
    told = record(state, service, model)
    assert told["response"].get("success") is success
    assert told["state"] in words
    assert "success" not in told


@pytest.mark.parametrize(("service", "model"), [("wan", "wan2.6-t2v"), ("wan", "wan2.7-t2v"), *HAPPYHORSE.models])
def test_a_held_create_shows_the_video(service: str, model: str) -> None:
    """The rows of `data` if there are some, else the answer itself. (wan-cli shows none of Wan 3, whose `data` is an
    object as AceData has it; its `--json` and `wait` do.)"""
    answer = FLAT.write_callback(report(State.SUCCEEDED, service, model))
    rows = answer.get("data", [answer])
    assert [row["video_url"] for row in rows] == [VIDEO]
    assert (answer["task_id"], answer["trace_id"]) == ("t", "x")


def test_a_fresh_task_has_an_id_to_wait_for_and_no_data() -> None:
    answer = FLAT.write_acceptance(Acceptance("t", "r", "x")).body
    assert (answer["task_id"], answer["trace_id"]) == ("t", "x")
    assert not {"data", "state", "video_url", "error"} & set(answer)


@pytest.mark.parametrize("service", ["wan", "happyhorse"])
def test_a_credential_test_with_an_id_that_nobody_has_is_answered_with_success(service: str) -> None:
    """AceData's Dify plugin asks for the nil UUID; any 2xx means that the key is good."""
    nil = "00000000-0000-0000-0000-000000000000"
    asked = FLAT.read_query(Request("POST", f"/{service}/tasks", {"action": "retrieve", "id": nil}))
    answer = FLAT.write_report(Report(asked.task_ids[0], State.UNKNOWN, service=asked.service))
    assert (asked.task_ids, asked.service) == ((nil,), service)
    assert (answer.status, answer.body) == (200, {})
