"""Log lines: one per event, readable by people or machines, and never a secret in them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from service import logs

TOKEN = "eyJqb2IuMSJ9.q8Zk3-secret_part"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the log goes during a test; the process's logging is put back afterwards."""
    names = ("", "httpx", "httpcore", "uvicorn.access")
    before = {name: logging.getLogger(name).level for name in names}
    yield io.StringIO()
    root = logging.getLogger()
    for handler in [held for held in root.handlers if isinstance(held, logs.EventHandler)]:
        root.removeHandler(handler)
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_json_line_with_its_fields(stream: io.StringIO) -> None:
    logs.configure("json", stream)
    logs.get_logger().event("delivery.attempted", delivery="d1", status=200, host="hook.example", final=True, wait=None)
    (line,) = lines(stream)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "event": "delivery.attempted",
        "delivery": "d1",
        "status": 200,
        "host": "hook.example",
        "final": True,
        "wait": None,
    }


def test_text_is_one_line_even_if_a_value_has_line_breaks_or_terminal_codes(stream: io.StringIO) -> None:
    logs.configure("text", stream)
    logs.get_logger().event("task.failed", task="t1", reason="line one\nINFO forged.event \x1b[31m 任务", parts=[1, 2])
    (line,) = stream.getvalue().splitlines()
    assert line.isascii()
    assert line.isprintable()
    assert " INFO    task.failed task=t1 reason=" in line
    assert line.endswith('parts="[1, 2]"')


def test_a_field_cannot_replace_the_head_of_the_line(stream: io.StringIO) -> None:
    logs.configure("json", stream)
    logs.get_logger().event("task.moved", time=3, event="forged")
    (line,) = lines(stream)
    assert (line["event"], line["event_"], line["time_"]) == ("task.moved", "forged", 3)


def test_configuring_twice_does_not_double_the_lines(stream: io.StringIO) -> None:
    logs.configure("text", stream)
    logs.configure("json", stream)
    logs.get_logger("worker").event("worker.started")
    assert [line["event"] for line in lines(stream)] == ["worker.started"]


def test_a_failure_names_the_exception_its_place_and_its_causes(stream: io.StringIO) -> None:
    def read() -> None:
        try:
            raise KeyError("task_id")
        except KeyError as error:
            raise ValueError(f"unreadable, Authorization: Bearer {TOKEN}") from error

    logs.configure("json", stream)
    try:
        read()
    except ValueError as error:
        logs.get_logger().failure("worker.item_failed", error, worker="poll")
    (line,) = lines(stream)
    assert line["level"] == "error"
    assert line["worker"] == "poll"
    assert line["error"] == "ValueError: unreadable, Authorization: Bearer [redacted]"
    assert line["at"][-1].startswith("test_logs.py:")
    assert line["at"][-1].endswith(" read")
    assert [cause["error"] for cause in line["because"]] == ["KeyError: 'task_id'"]


def test_a_failure_of_a_task_group_tells_each_failure_in_it(stream: io.StringIO) -> None:
    logs.configure("json", stream)
    logs.get_logger().failure("worker.failed", ExceptionGroup("two", [ValueError("a"), OSError("b")]))
    (line,) = lines(stream)
    assert [cause["error"] for cause in line["because"]] == ["ValueError: a", "OSError: b"]


def test_a_cause_that_was_hidden_on_purpose_stays_hidden(stream: io.StringIO) -> None:
    logs.configure("json", stream)
    try:
        try:
            raise ValueError("the prompt of a client")
        except ValueError:
            raise RuntimeError("not readable") from None
    except RuntimeError as error:
        logs.get_logger().failure("worker.failed", error)
    assert "prompt of a client" not in stream.getvalue()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET https://oss.example/v/a.mp4?Signature=abc%3D&Expires=1 done", "GET https://oss.example/... done"),
        ("https://hooks.example/services/T0/B0/xyz", "https://hooks.example/..."),
        ("postgresql://postgres:hunter2@db:5432/ringback", "postgresql://db:5432/..."),
        ("postgresql://postgres:hun/ter2@db/ringback", "postgresql://[redacted]/..."),
        ("https://me:hunter2@host.example", "https://host.example"),
        ("listening on http://127.0.0.1:8000, ready", "listening on http://127.0.0.1:8000, ready"),
        ("http://[::1]:8000/x", "http://[::1]:8000/..."),
        (f"POST /callbacks/acedata/{TOKEN} HTTP/1.1", "POST /callbacks/acedata/[redacted] HTTP/1.1"),
        (f"https://ringback.example/callbacks/acedata/{TOKEN}", "https://ringback.example/..."),
        ("GET /v1/tasks?key=abc&x=1", "GET /v1/tasks?[redacted]"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer [redacted]"),
        ("{'authorization': 'bearer abc'}", "{'authorization': 'bearer [redacted]'}"),
        ("secret is whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw==", "secret is whsec_[redacted]"),
        ("Incorrect API key provided: sk-abc_DEF-123.", "Incorrect API key provided: sk-[redacted]."),
        ('{"api_key": "0123456789abcdef"}', '{"api_key": "[redacted]"}'),
        ("DASHSCOPE_API_KEY=0123456789abcdef;", "DASHSCOPE_API_KEY=[redacted];"),
        ("first_frame data:image/png;base64,iVBORw0KGgo= kept", "first_frame data:[redacted] kept"),
        ("task-desk-risk is not a key, is it? Yes.", "task-desk-risk is not a key, is it? Yes."),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str, shown: str) -> None:
    assert logs.redact(text) == shown
    assert logs.redact(shown) == shown, "redacting twice changes nothing"


@pytest.mark.parametrize("style", ["json", "text"])
def test_fields_with_a_secret_name_and_secrets_deep_in_values_never_get_through(
    style: Any, stream: io.StringIO
) -> None:
    logs.configure(style, stream)
    logs.get_logger().event(
        "mistake.made",
        prompt="a cat on the moon",
        api_key="0123456789abcdef",
        headers={"Authorization": "Token-abc", "x": [f"Bearer {TOKEN}"]},
        url=httpx.URL(f"https://ringback.example/callbacks/acedata/{TOKEN}?a=b"),
    )
    written = stream.getvalue()
    assert "mistake.made" in written
    for secret in ("cat on the moon", "0123456789abcdef", "Token-abc", TOKEN, "a=b"):
        assert secret not in written


def test_a_long_value_is_cut(stream: io.StringIO) -> None:
    logs.configure("json", stream)
    logs.get_logger().event("reply.odd", text="x" * 100_000)
    assert len(stream.getvalue()) < 5_000


def test_lines_of_other_libraries_are_redacted_too(stream: io.StringIO) -> None:
    logs.configure("json", stream)
    logging.getLogger("otherlib").info("Uvicorn running on %s", "http://127.0.0.1:8000")
    logging.getLogger("asyncio").warning("slow: %s", f"/callbacks/acedata/{TOKEN}")
    assert [(line["event"], line["message"]) for line in lines(stream)] == [
        ("otherlib", "Uvicorn running on http://127.0.0.1:8000"),
        ("asyncio", "slow: /callbacks/acedata/[redacted]"),
    ]


def test_httpx_does_not_log_the_urls_it_asks(stream: io.StringIO) -> None:
    logs.configure("json", stream)
    transport = httpx.MockTransport(lambda request: httpx.Response(200))
    with httpx.Client(transport=transport) as client:
        client.get("https://oss.example/a.mp4?Signature=abc")
    logging.getLogger("uvicorn.access").info('127.0.0.1 - "GET /x?token=abc HTTP/1.1" 200')
    assert stream.getvalue() == ""
