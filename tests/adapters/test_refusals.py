"""May the create have been accepted? The rule of money: only the vendor's own no is a no."""

from __future__ import annotations

from typing import Any

import pytest

from adapters import SHAPES
from adapters.messages import Category, Response, Unreadable
from tests.adapters.strategies import CATALOGUE

VENDOR: dict[str, Any] = {
    "flat": {"error": {"code": "api_error", "message": "m"}},
    "native": {"code": "InternalError", "message": "m"},
    "gateway": {"error": {"message": "m", "type": "task_error"}},
}
UNSAID: list[Any] = [None, {}, [], "<html>", {"detail": "Internal Server Error"}]


def category(shape: str, status: int, body: Any) -> Category:
    return SHAPES[shape](CATALOGUE).read_refusal(Response(status, body)).failure.category


@pytest.mark.parametrize("shape", VENDOR)
@pytest.mark.parametrize("status", [408, 502, 504])
def test_a_lost_answer_is_ambiguous_whatever_it_says(shape: str, status: int) -> None:
    for body in (VENDOR[shape], *UNSAID):
        assert category(shape, status, body) is Category.AMBIGUOUS


@pytest.mark.parametrize("shape", VENDOR)
@pytest.mark.parametrize("status", [200, 202, 500, 503, 520])
def test_a_reply_in_nobodys_words_is_ambiguous(shape: str, status: int) -> None:
    for body in UNSAID:
        assert category(shape, status, body) is Category.AMBIGUOUS


@pytest.mark.parametrize("shape", VENDOR)
@pytest.mark.parametrize("status", [500, 503])
def test_a_5xx_in_the_vendors_words_is_a_no(shape: str, status: int) -> None:
    assert category(shape, status, VENDOR[shape]) is Category.REJECTED


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        ("flat", "timeout"),
        ("native", "RequestTimeOut"),
        ("gateway", "do_request_failed"),
        ("gateway", "invalid_response"),
        ("gateway", "unmarshal_response_body_failed"),
    ],
)
def test_some_codes_say_that_the_answer_was_lost_further_up(shape: str, code: str) -> None:
    body = {"error": {"code": code, "message": "m"}, "code": code, "message": "m"}
    assert category(shape, 500, body) is Category.AMBIGUOUS


@pytest.mark.parametrize("shape", VENDOR)
@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (307, Category.REJECTED),
        (400, Category.INVALID_REQUEST),
        (401, Category.AUTH),
        (402, Category.BILLING),
        (404, Category.NOT_FOUND),
        (405, Category.METHOD),
        (409, Category.CONFLICT),
        (413, Category.TOO_LARGE),
        (415, Category.MEDIA_TYPE),
        (422, Category.INVALID_REQUEST),
        (429, Category.THROTTLED),
    ],
)
def test_a_status_speaks_where_no_code_does(shape: str, status: int, meaning: Category) -> None:
    for body in UNSAID:
        assert category(shape, status, body) is meaning


def test_a_bare_403_is_moderation_at_acedata_and_a_missing_right_elsewhere() -> None:
    assert category("flat", 403, None) is Category.CONTENT
    assert category("native", 403, None) is category("gateway", 403, None) is Category.FORBIDDEN_MODEL


@pytest.mark.parametrize(
    ("shape", "status", "code", "meaning"),
    [
        ("flat", 404, "no_api", Category.FORBIDDEN_MODEL),
        ("flat", 413, "bad_request", Category.TOO_LARGE),
        ("flat", 200, "used_up", Category.BILLING),
        ("flat", 200, "strange", Category.AMBIGUOUS),
        ("flat", 200, "api_error", Category.AMBIGUOUS),
        ("native", 520, "InternalError", Category.AMBIGUOUS),
        ("gateway", 529, "strange", Category.AMBIGUOUS),
        ("native", 429, "CommodityNotPurchased", Category.BILLING),
        ("native", 429, "Throttling.BurstRate", Category.THROTTLED),
        ("native", 400, "Arrearage", Category.BILLING),
        ("native", 400, "InvalidURL.ConnectionRefused", Category.MEDIA_FETCH),
        ("native", 400, "InvalidParameter.Size.Of.It", Category.INVALID_REQUEST),
        ("native", 404, "NotFound", Category.NOT_FOUND),
        ("native", 401, "NOT AUTHORIZED", Category.AUTH),
        ("gateway", 400, "InvalidParameter", Category.INVALID_REQUEST),
        ("gateway", 500, "InvalidParameter", Category.INVALID_REQUEST),
        ("gateway", 500, "fail_to_fetch_task", Category.REJECTED),
    ],
)
def test_a_code_says_more_than_its_status(shape: str, status: int, code: str, meaning: Category) -> None:
    body = {"code": code, "message": "m"} if shape == "native" else {"error": {"code": code, "message": "m"}}
    assert category(shape, status, body) is meaning


def test_a_gateways_bracketed_code_is_dashscopes() -> None:
    body = {"error": {"message": "[InvalidImageUrl] m", "type": "task_error", "code": "x"}}
    failure = SHAPES["gateway"](CATALOGUE).read_refusal(Response(400, body)).failure
    assert (failure.category, failure.code, failure.message) == (Category.MEDIA_FETCH, "InvalidImageUrl", "m")


@pytest.mark.parametrize("shape", VENDOR)
def test_a_2xx_that_only_talks_may_have_been_accepted(shape: str) -> None:
    """Wire notes 6: "200 without task_id" is never sent again."""
    for body in ({"message": "success", "data": {}}, {"code": 200, "message": "ok"}, {"error": {"message": "m"}}):
        assert category(shape, 200, body) is Category.AMBIGUOUS


@pytest.mark.parametrize("shape", ["flat", "native"])
def test_a_5xx_of_the_framework_in_front_is_ambiguous(shape: str) -> None:
    body = {"status": 500, "error": "Internal Server Error", "message": "No message available", "path": "/"}
    assert category(shape, 500, body) is Category.AMBIGUOUS


def test_new_apis_envelope_of_a_success_is_no_error() -> None:
    assert category("gateway", 200, {"code": "success", "message": "", "data": {}}) is Category.AMBIGUOUS


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("1.5", 1.5), ("0", 0.0), ("-1", None), ("nan", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)],
)
def test_retry_after_counts_in_seconds_only(header: str, seconds: float | None) -> None:
    refusal = SHAPES["flat"](CATALOGUE).read_refusal(Response(429, None, {"retry-after": header}))
    assert refusal.retry_after == seconds


@pytest.mark.parametrize("shape", VENDOR)
@pytest.mark.parametrize(
    "body", [None, {}, {"output": {}}, {"task_id": ""}, {"task_id": 5}, {"output": {"task_id": 5}}]
)
def test_a_2xx_without_a_task_id_is_no_acceptance(shape: str, body: Any) -> None:
    with pytest.raises(Unreadable):
        SHAPES[shape](CATALOGUE).read_acceptance(Response(200, body))
