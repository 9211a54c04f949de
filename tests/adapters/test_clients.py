"""What the vendors' own clients make of our replies: their installed code reads what the shapes write."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from acedatacloud._runtime.tasks import TaskHandle, artifact_urls, failure_reason, task_status
from acedatacloud._runtime.transport import _map_error
from dashscope.v2.resources._jobs import Job

from adapters import SHAPES
from adapters.codes import failed
from adapters.messages import Acceptance, Category, Failure, Refusal, Report, State, Usage
from tests.adapters.strategies import CATALOGUE

FLAT, NATIVE, GATEWAY = (SHAPES[name](CATALOGUE) for name in ("flat", "native", "gateway"))

VIDEO = "https://o.example/v.mp4?Expires=1&Signature=a%2B/="
REQUEST = {"model": "m", "image_url": "https://media.example/a.png", "callback_url": "https://c.example/h"}
FAILURE = failed("native", "DataInspectionFailed", "blocked")
MODELS = [("wan", "wan2.6-t2v"), ("wan", "wan2.7-t2v"), ("wan", "wan3.0-video"), ("happyhorse", "happyhorse-1.1-t2v")]


def report(state: State, service: str, model: str, **more: Any) -> Report:
    echoed = {**REQUEST, "model": model}
    return Report("t", state, created_at=1_000, model=model, service=service, request=echoed, trace_id="x", **more)


def record(told: Report) -> dict[str, Any]:
    """The reply of our flat poll after a trip as JSON."""
    reply: dict[str, Any] = json.loads(json.dumps(FLAT.write_report(told).body))
    return reply


@pytest.mark.parametrize(("service", "model"), MODELS)
@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING])
def test_acedatas_sdk_waits_while_a_task_runs(state: State, service: str, model: str) -> None:
    body = record(report(state, service, model))
    assert task_status(body) == ""
    assert artifact_urls(body) == []
    assert isinstance(body["response"], dict)  # null crashes mcp-wan
    assert "success" not in body["response"]  # mcp-wan takes it for the end
    assert body["finished_at"] is None  # the Dify plugin takes its absence for the end


@pytest.mark.parametrize(("service", "model"), MODELS)
def test_acedatas_sdk_finds_the_video_and_nothing_else(service: str, model: str) -> None:
    done = report(State.SUCCEEDED, service, model, video_url=VIDEO, finished_at=9_000, usage=Usage(duration=5.0))
    body = record(done)
    assert task_status(body) == "succeeded"
    assert artifact_urls(body) == [VIDEO]
    assert (body["finished_at"], body["state"], body["video_url"]) == (9.0, "completed", VIDEO)  # CLIs read the top
    callback = FLAT.write_callback(done)
    assert callback == body["response"]
    assert artifact_urls({"response": callback}) == [VIDEO]


@pytest.mark.parametrize(("service", "model"), MODELS)
@pytest.mark.parametrize("state", [State.FAILED, State.CANCELED])
def test_acedatas_sdk_sees_a_failure_and_its_reason(state: State, service: str, model: str) -> None:
    body = record(report(state, service, model, failure=FAILURE, finished_at=9_000))
    assert task_status(body) == "failed"
    assert failure_reason(body) == ("blocked" if state is State.FAILED else "The task was canceled.")


def test_acedatas_sdk_does_not_take_a_fresh_task_for_a_finished_one() -> None:
    handle = TaskHandle("t", "/wan/tasks", None, FLAT.write_acceptance(Acceptance("t", "r", "x")).body)
    assert not handle.done


@pytest.mark.parametrize(
    ("category", "status", "error"),
    [
        (Category.AUTH, 401, "AuthenticationError"),
        (Category.INVALID_REQUEST, 400, "ValidationError"),
        (Category.BILLING, 403, "InsufficientBalanceError"),
        (Category.THROTTLED, 429, "RateLimitError"),
        (Category.CONTENT, 403, "ModerationError"),
        (Category.TOO_LARGE, 413, "ValidationError"),
    ],
)
def test_acedatas_sdk_maps_our_refusals(category: Category, status: int, error: str) -> None:
    told = FLAT.write_refusal(Refusal(status, Failure(category, "", "why", "native"), request_id="x"))
    mapped = _map_error(told.status, told.body)
    assert (type(mapped).__name__, mapped.message, mapped.trace_id) == (error, "why", "x")


def job(told: Report) -> Job:
    return Job.from_payload(json.loads(json.dumps(NATIVE.write_report(told).body)))


@pytest.mark.parametrize(
    ("state", "word", "finished"),
    [
        (State.QUEUED, "PENDING", False),
        (State.RUNNING, "RUNNING", False),
        (State.SUCCEEDED, "SUCCEEDED", True),
        (State.FAILED, "FAILED", True),
        (State.CANCELED, "CANCELED", True),
        (State.UNKNOWN, "UNKNOWN", True),
    ],
)
def test_dashscopes_sdk_reads_every_state(state: State, word: str, finished: bool) -> None:
    read = job(report(state, "wan", "wan2.7-t2v", failure=FAILURE, request_id="r"))
    assert (read.task_id, read.status, read.finished, read.request_id) == ("t", word, finished, "r")


def test_dashscopes_sdk_finds_the_video_and_numbers_in_the_usage() -> None:
    usage = Usage(duration=5.0, output_video_duration=5.5, video_count=1, resolution="720P", ratio="16:9")
    done = report(State.SUCCEEDED, "wan", "wan2.7-t2v", video_url=VIDEO, finished_at=9_000, usage=usage)
    read = job(done)
    assert read.video_url == VIDEO
    assert (read.submitted_at, read.finished_at) == ("1970-01-01 08:00:01.000", "1970-01-01 08:00:09.000")
    body = json.dumps(NATIVE.write_report(done).body["usage"])
    assert body == '{"duration": 5, "output_video_duration": 5.5, "video_count": 1, "SR": 720, "ratio": "16:9"}'


@pytest.mark.parametrize("shape", [NATIVE, GATEWAY], ids=lambda shape: shape.name)
def test_a_good_native_reply_has_no_code_at_the_top(shape: Any) -> None:
    """DashScope's v2 client raises on any truthy one in a 200."""
    for state in State:
        if (told := shape.write_report(report(state, "wan", "wan2.7-t2v", failure=FAILURE))).status == 200:
            assert not told.body.get("code")


def test_laozhangs_client_finds_the_url_or_the_reason() -> None:
    done = report(State.SUCCEEDED, "wan", "wan2.7-t2v", video_url=VIDEO)
    task = GATEWAY.write_report(done).body
    assert (task["status"], task["result_url"], task["progress"]) == ("completed", VIDEO, "100%")
    assert (task["object"], task["platform"], task["action"]) == ("task", "wan", "text_to_video")
    broken = GATEWAY.write_report(replace(done, state=State.FAILED, failure=FAILURE)).body
    assert broken["status"] == "failed"
    assert broken["error"]["message"] == broken["fail_reason"] == "[DataInspectionFailed] blocked"


def test_a_video_url_is_passed_byte_for_byte() -> None:
    for shape in (FLAT, NATIVE, GATEWAY):
        told = shape.write_report(report(State.SUCCEEDED, "wan", "wan2.7-t2v", video_url=VIDEO))
        assert shape.read_report(told).video_url == VIDEO
