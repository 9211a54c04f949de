"""What a task's signs mean: AceData's records have no status, the gateways' failures have no published form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters import SHAPES, flat_tasks, native_tasks
from adapters import gateway as gateways
from adapters.base import BatchAdapter
from adapters.messages import Category, Failure, Report, Response, State, Unreadable
from tests.adapters.strategies import CATALOGUE

FLAT, NATIVE, GATEWAY = (SHAPES[name](CATALOGUE) for name in ("flat", "native", "gateway"))

VIDEO = "https://o.example/v.mp4"


def flat(response: Any, **record: Any) -> Report:
    return FLAT.read_report(Response(200, {"id": "t", "request": {}, **record, "response": response}))


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("pending", State.QUEUED),
        ("queued", State.QUEUED),
        ("processing", State.RUNNING),
        ("running", State.RUNNING),
        ("a word of the future", State.RUNNING),
        ("succeed", State.SUCCEEDED),
        ("Completed", State.SUCCEEDED),
        ("finished", State.SUCCEEDED),
        ("failed", State.FAILED),
        ("rejected", State.FAILED),
        ("error", State.FAILED),
        ("cancelled", State.CANCELED),
        ("canceled", State.CANCELED),
    ],
)
def test_a_word_says_the_state_at_any_place(word: str, state: State) -> None:
    for response in ({"state": word}, {"status": word}, {"data": [{"state": word}]}, {"data": {"status": word}}):
        assert flat(response).state is state
    assert flat({}, state=word).state is state


@pytest.mark.parametrize(
    ("response", "record", "state"),
    [
        (None, {}, State.QUEUED),
        (None, {"started_at": 1.0}, State.RUNNING),
        ({"success": True, "task_id": "t"}, {}, State.RUNNING),
        ({"success": True}, {"finished_at": 9.0}, State.SUCCEEDED),
        ({"success": False}, {"finished_at": 9.0}, State.FAILED),
        ({"success": False, "finished_at": 9.0}, {}, State.FAILED),
        ({"success": False, "error": "temporary"}, {}, State.RUNNING),
        ({"success": False, "error": {"message": "no code"}}, {}, State.RUNNING),
        ({"success": False, "error": {"code": "api_error"}}, {}, State.FAILED),
        ({"success": False, "video_url": VIDEO}, {}, State.FAILED),
        ({"video_url": VIDEO}, {}, State.SUCCEEDED),
        ({"video_url": VIDEO}, {"finished_at": 9.0}, State.SUCCEEDED),
        ({"thumbnail_url": VIDEO}, {}, State.RUNNING),
        ({"state": "processing", "success": False, "error": {"code": "api_error"}}, {}, State.RUNNING),
        ({"state": "processing", "data": [{"state": "succeeded"}]}, {}, State.RUNNING),
        ({"state": "processing", "data": [{"state": "succeeded", "video_url": VIDEO}]}, {}, State.SUCCEEDED),
        ({"state": "failed", "data": [{"state": "succeeded", "video_url": VIDEO}]}, {}, State.FAILED),
    ],
)
def test_without_a_clear_word_the_signs_count_in_acedatas_order(
    response: Any, record: dict[str, Any], state: State
) -> None:
    told = flat(response, **record)
    assert told.state is state
    assert (told.video_url is None) or state is State.SUCCEEDED
    assert (told.failure is None) or state is State.FAILED


@pytest.mark.parametrize(
    "response",
    [{"video_url": VIDEO}, {"data": {"video_url": VIDEO}}, {"data": [{"video_url": VIDEO}]}],
)
def test_the_video_is_found_wherever_acedata_puts_it(response: dict[str, Any]) -> None:
    assert flat({"success": True, **response}).video_url == VIDEO


def test_a_word_for_done_without_a_video_is_a_success_without_one() -> None:
    told = flat({"success": True, "state": "completed", "video_url": None})
    assert (told.state, told.video_url) == (State.SUCCEEDED, None)


@pytest.mark.parametrize(
    ("response", "code", "message"),
    [
        ({"error": {"code": "used_up", "message": "m"}}, "used_up", "m"),
        ({"error": "m"}, "api_error", "m"),
        ({"data": [{"state": "error", "error": {"message": "m"}}]}, "api_error", "m"),
        ({"message": "m"}, "api_error", "m"),
        ({"failure_reason": "m"}, "api_error", "m"),
        ({}, "api_error", "The upstream gave no reason."),
    ],
)
def test_the_reason_is_found_wherever_acedata_puts_it(response: dict[str, Any], code: str, message: str) -> None:
    failure = flat({"state": "failed", **response}).failure
    assert failure is not None
    assert (failure.code, failure.message, failure.family) == (code, message, "flat")


@pytest.mark.parametrize("body", [{"success": False, "error": {"code": "api_error"}}, [], "x", 5, {"detail": "x"}])
def test_what_is_no_record_is_unreadable(body: Any) -> None:
    with pytest.raises(Unreadable):
        FLAT.read_report(Response(200, body))


def test_a_batch_without_items_is_unreadable_and_unknown_ones_are_left_out() -> None:
    assert isinstance(FLAT, BatchAdapter)
    told = FLAT.read_reports(Response(200, {"items": [None, {}, {"id": "t"}], "count": 3}))
    assert [report.task_id for report in told] == ["t"]
    with pytest.raises(Unreadable, match="items"):
        FLAT.read_reports(Response(200, {"count": 0}))


def test_one_odd_record_hides_no_other_one_of_its_batch() -> None:
    assert isinstance(FLAT, BatchAdapter)
    told = FLAT.read_reports(Response(200, {"items": ["odd", {"new": "form"}, {"id": "t"}], "count": 3}))
    assert [report.task_id for report in told] == ["t"]
    with pytest.raises(Unreadable):
        FLAT.read_reports(Response(200, {"items": [{"new": "form"}, {"new": "form"}], "count": 2}))


def native(word: str) -> Report:
    return NATIVE.read_report(Response(200, {"output": {"task_id": "t", "task_status": word}}))


@pytest.mark.parametrize("word", ["paused", "a word of the future", "正在审核"])
def test_a_state_word_that_nobody_knows_is_kept_as_it_is(word: str) -> None:
    for report in (flat({"state": word}), flat({}, status=word), gateway(status=word), native(word)):
        assert (report.state, report.word) == (State.RUNNING, word)
        assert report == replace(report, word="")


def test_a_word_that_we_know_is_no_news() -> None:
    for word in flat_tasks.KNOWN:
        assert flat({"state": word}).word == ""
    assert {gateway(status=word).word for word in gateways.STATES} == {""}
    assert {native(word).word for word in native_tasks.STATES} == {""}
    assert flat({"state": "completed", "video_url": VIDEO, "data": {"status": "archived"}}).word == ""


def test_a_foreign_word_is_short_and_harmless_where_it_is_kept() -> None:
    forged = "https://o.example/v.mp4?Signature=abc\n\x1b[31m task.moved\u202e" + "x" * 500
    for report in (flat({"state": forged}), gateway(status=forged), native(forged)):
        assert report.word.lower().startswith("https???o.example?v.mp4?signature?abc???31m task.moved?xxx")
        assert len(report.word) == 64


def test_private_fields_of_a_record_do_not_ride_along() -> None:
    told = flat({"state": "completed", "video_url": VIDEO, "cost": 1}, credential_id="secret", user_id="secret")
    assert told.details == {"cost": 1}
    assert "secret" not in str(FLAT.write_report(told).body)


def gateway(**body: Any) -> Report:
    return GATEWAY.read_report(Response(200, {"id": "t", "status": "failed", **body}))


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (
            {"error": {"code": "task_failed", "message": "[InvalidURL.Timeout] m"}},
            Failure(Category.MEDIA_FETCH, "InvalidURL.Timeout", "m", "native"),
        ),
        (
            {"error": {"code": "Arrearage", "message": ""}, "fail_reason": "m"},
            Failure(Category.BILLING, "Arrearage", "m", "native"),
        ),
        (
            {"error": {"code": "strange", "message": "m"}},
            Failure(Category.TRANSIENT, "strange", "m", "gateway"),
        ),
        ({"error": {}, "fail_reason": "m"}, Failure(Category.TRANSIENT, "InternalError", "m", "native")),
        ({"error": "m"}, Failure(Category.TRANSIENT, "InternalError", "m", "native")),
        (
            {"error": {"code": "NOT AUTHORIZED", "message": "[NOT AUTHORIZED] m"}},
            Failure(Category.AUTH, "NOT AUTHORIZED", "m", "native"),
        ),
    ],
)
def test_a_gateways_reason_is_found_in_every_known_form(body: dict[str, Any], failure: Failure) -> None:
    assert gateway(**body).failure == failure


@pytest.mark.parametrize("progress", [None, "", "half", 30, "-5%", "30.5%"])
def test_a_progress_that_is_no_percentage_is_unknown(progress: Any) -> None:
    assert gateway(status="in_progress", progress=progress).progress is None


def test_a_gateways_words_count_in_any_case_and_new_ones_mean_running() -> None:
    assert gateway(status="COMPLETED", result_url=VIDEO).state is State.SUCCEEDED
    assert gateway(status="post_processing").state is State.RUNNING


@pytest.mark.parametrize("status", [401, 429, 500, 502])
@pytest.mark.parametrize("shape", [FLAT, NATIVE, GATEWAY], ids=lambda shape: shape.name)
def test_trouble_with_looking_says_nothing_about_the_task(shape: Any, status: int) -> None:
    for body in (None, {"error": {"message": "任务不存在"}}, {"id": "t", "status": "failed"}):
        with pytest.raises(Unreadable):
            shape.read_report(Response(status, body))


def test_dashscopes_times_are_those_of_china() -> None:
    def created(time: Any) -> int | None:
        output = {"task_id": "t", "task_status": "RUNNING", "submit_time": time}
        return NATIVE.read_report(Response(200, {"output": output})).created_at

    assert created("1970-01-01 08:00:01.500") == 1_500
    assert created("2023-10-25 09:45:09") == 1_698_198_309_000
    assert created("1970-01-01T00:00:01+00:00") == 1_000
    assert created("yesterday") is created(5) is created(None) is None
