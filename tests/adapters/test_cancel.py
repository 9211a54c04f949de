"""A task that is no longer wanted: what is asked and what an answer means."""

from __future__ import annotations

from typing import Any

import pytest
from dashscope.v2.errors import error_from_status

from adapters import SHAPES, Native
from adapters.base import CancelAdapter
from adapters.messages import Category, Request, Response, Unreadable
from tests.adapters.strategies import CATALOGUE

NATIVE = Native(CATALOGUE)
DUMMY = {"model": "", "parameters": {}, "input": ""}


def test_only_dashscopes_own_api_cancels() -> None:
    assert {name for name, shape in SHAPES.items() if isinstance(shape(CATALOGUE), CancelAdapter)} == {"native"}


@pytest.mark.parametrize("base", ["/api/v1", "/wan/api/v1"])
@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("body", [None, {}, DUMMY, [], "text"])
def test_a_cancel_is_its_path_whatever_the_body(base: str, slash: str, body: Any) -> None:
    assert NATIVE.read_cancel(Request("POST", f"{base}/tasks/t-1/cancel{slash}", body)) == "t-1"


@pytest.mark.parametrize(
    "path", ["/api/v1/tasks/t", "/api/v1/tasks//cancel", "/api/v1/tasks/cancel", "/tasks/t/cancel/x"]
)
def test_another_path_is_no_cancel(path: str) -> None:
    with pytest.raises(Unreadable):
        NATIVE.read_cancel(Request("POST", path))


@pytest.mark.parametrize("path", ["/api/v1/tasks/t/cancel", "/api/v1/tasks/t/cancel/"])
def test_a_cancel_is_no_query(path: str) -> None:
    with pytest.raises(Unreadable):
        NATIVE.read_query(Request("POST", path))


def test_a_cancel_is_asked_for_without_a_body_and_with_the_id_in_one_piece() -> None:
    assert NATIVE.write_cancel("a/b") == Request("POST", "/api/v1/tasks/a%2Fb/cancel")


def test_the_reply_is_the_documented_one() -> None:
    assert NATIVE.write_cancel_reply(True, "r") == Response(200, {"request_id": "r"})
    late = NATIVE.write_cancel_reply(False, "r")
    message = "Failed to cancel the task, please confirm if the task is in PENDING status."
    assert (late.status, late.body) == (400, {"code": "UnsupportedOperation", "message": message, "request_id": "r"})


def test_too_late_is_a_conflict_to_whoever_reads_it_as_a_refusal() -> None:
    refusal = NATIVE.read_refusal(NATIVE.write_cancel_reply(False, "r"))
    assert (refusal.failure.category, refusal.request_id) == (Category.CONFLICT, "r")


def test_dashscopes_sdk_says_why_it_could_not_cancel() -> None:
    late = NATIVE.write_cancel_reply(False, "r")
    error = error_from_status(late.status, message="", body=late.body, headers={})
    assert "PENDING status" in str(error)


@pytest.mark.parametrize(
    "response",
    [
        Response(200, None),
        Response(200, []),
        Response(200, {"code": "Throttling", "message": "m"}),
        Response(302, {"request_id": "r"}),
        Response(400, {"code": "InvalidParameter", "message": "m"}),
        Response(404, None),
        Response(429, {"code": "Throttling.RateQuota", "message": "m"}),
        Response(500, {"code": "InternalError", "message": "m"}),
    ],
)
def test_any_other_reply_leaves_open_whether_the_task_is_canceled(response: Response) -> None:
    with pytest.raises(Unreadable, match=str(response.status)):
        NATIVE.read_cancel_reply(response)
