"""What a shape cannot say, row by row: the tables at the top of flat_tasks, native_tasks and gateway."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters import SHAPES
from adapters.base import Adapter
from adapters.codes import failed
from adapters.messages import Acceptance, Category, Failure, Refusal, Report, State, Usage
from tests.adapters.strategies import CATALOGUE

FLAT, NATIVE, GATEWAY = (SHAPES[name](CATALOGUE) for name in ("flat", "native", "gateway"))

FULL = Report(
    "t",
    State.SUCCEEDED,
    video_url="https://o.example/v.mp4",
    usage=Usage(duration=5.0, resolution="720P"),
    progress=50,
    created_at=1_000,
    started_at=2_000,
    finished_at=3_000,
    model="wan2.7-t2v",
    prompt="a cat",
    service="wan",
    request_id="r",
    trace_id="x",
    callback_url="https://c.example/h",
    request={"model": "wan2.7-t2v", "input": {"prompt": "a cat"}, "parameters": {"duration": 5}},
)
GONE = {
    "flat": {"progress": None, "request_id": "", "callback_url": None},
    "native": {
        "progress": None,
        "service": "",
        "trace_id": "",
        "callback_url": None,
        "model": "",
        "request": None,
    },
    "gateway": {
        "progress": 100,
        "created_at": None,
        "started_at": None,
        "finished_at": None,
        "prompt": None,
        "service": "",
        "request_id": "",
        "trace_id": "",
        "callback_url": None,
        "request": {"model": "wan2.7-t2v", "parameters": {"duration": 5}},
    },
}


def back(shape: Adapter, report: Report) -> Report:
    return shape.read_report(shape.write_report(report))


@pytest.mark.parametrize("shape", [FLAT, NATIVE, GATEWAY], ids=lambda shape: shape.name)
def test_what_has_no_word_is_left_out_and_all_else_stays(shape: Adapter) -> None:
    assert back(shape, FULL) == replace(FULL, family=shape.family, **GONE[shape.name])


@pytest.mark.parametrize("shape", [FLAT, NATIVE, GATEWAY], ids=lambda shape: shape.name)
def test_a_result_is_told_with_success_only_and_an_end_at_the_end_only(shape: Adapter) -> None:
    running = back(shape, replace(FULL, state=State.RUNNING, failure=failed("native", "InvalidParameter", "m")))
    assert (running.video_url, running.usage, running.prompt) == (None, None, None)
    assert (running.finished_at, running.failure) == (None, None)


@pytest.mark.parametrize("shape", [FLAT, NATIVE, GATEWAY], ids=lambda shape: shape.name)
@pytest.mark.parametrize("family", ["flat", "native"])
def test_details_go_to_their_own_family_only(shape: Adapter, family: str) -> None:
    report = replace(FULL, family=family, details={"video_width": 1552, "output.actual_prompt": "b", "data.id": "h"})
    told = str(shape.write_report(report).body)
    own = shape.family == family and shape.name != "gateway"
    assert ("1552" in told) is own


def test_only_the_flat_shape_knows_a_model_from_the_echoed_request() -> None:
    assert back(FLAT, replace(FULL, request=None)).model == ""
    assert back(GATEWAY, replace(FULL, request=None)).model == "wan2.7-t2v"


def test_the_gateways_tell_a_canceled_task_as_a_failed_one() -> None:
    body = GATEWAY.write_report(replace(FULL, state=State.CANCELED)).body
    assert body["status"] == "failed"
    assert body["error"]["code"] == "task_canceled"
    assert "result_url" not in body


def test_the_flat_shape_tells_a_canceled_task_in_the_form_of_a_failed_one() -> None:
    response = FLAT.write_callback(replace(FULL, state=State.CANCELED))
    assert response["success"] is False
    assert response["state"] == "cancelled"
    assert response["error"]["code"] == "task_canceled"


def test_an_unknown_task_is_told_as_each_vendor_does() -> None:
    lost = Report("t", State.UNKNOWN, request_id="r")
    assert FLAT.write_report(lost).status == NATIVE.write_report(lost).status == 200
    assert FLAT.write_report(lost).body == {}
    assert NATIVE.write_report(lost).body == {"request_id": "r", "output": {"task_id": "t", "task_status": "UNKNOWN"}}
    missing = GATEWAY.write_report(lost)
    assert missing.status == 400
    assert missing.body == {"error": {"message": "任务不存在", "type": "task_error", "code": "task_not_exist"}}
    assert back(FLAT, lost).task_id == back(GATEWAY, lost).task_id == ""


@pytest.mark.parametrize(
    ("state", "progress", "said"),
    [
        (State.QUEUED, None, "0%"),
        (State.RUNNING, None, "30%"),
        (State.RUNNING, 70, "70%"),
        (State.SUCCEEDED, 70, "100%"),
        (State.FAILED, None, "100%"),
    ],
)
def test_the_gateways_say_a_progress_in_every_state(state: State, progress: int | None, said: str) -> None:
    assert GATEWAY.write_report(replace(FULL, state=state, progress=progress)).body["progress"] == said


def test_a_failure_without_a_reason_gets_the_general_code() -> None:
    report = Report("t", State.FAILED)
    assert FLAT.write_callback(report)["error"]["code"] == "api_error"
    assert NATIVE.write_callback(report)["output"]["code"] == "InternalError"
    assert GATEWAY.write_callback(report)["error"]["code"] == "InternalError"


def failure_code(shape: Adapter, failure: Failure) -> Any:
    body = shape.write_report(Report("t", State.FAILED, failure=failure)).body
    place = {"flat": body.get("response", {}).get("error"), "native": body.get("output"), "gateway": body.get("error")}
    return place[shape.name]["code"]


@pytest.mark.parametrize("code", ["outcome_unknown", "no_result", "task_expired"])
@pytest.mark.parametrize("shape", [FLAT, NATIVE, GATEWAY], ids=lambda shape: shape.name)
def test_ringbacks_own_codes_are_the_same_in_every_shape(shape: Adapter, code: str) -> None:
    own = Failure(Category.OURS, code, "m")
    assert failure_code(shape, own) == code
    assert back(shape, Report("t", State.FAILED, failure=own)).failure == own


def test_an_acceptance_keeps_the_id_that_its_shape_has_a_word_for() -> None:
    accepted = Acceptance("t", request_id="r", trace_id="x")
    assert FLAT.write_acceptance(accepted).body == {"success": True, "task_id": "t", "trace_id": "x"}
    for shape in (NATIVE, GATEWAY):
        body = shape.write_acceptance(accepted).body
        assert body == {"output": {"task_id": "t", "task_status": "PENDING"}, "request_id": "r"}


CATEGORIES = [
    (Category.INVALID_REQUEST, (400, "bad_request"), (400, "InvalidParameter")),
    (Category.AUTH, (401, "invalid_token"), (401, "InvalidApiKey")),
    (Category.BILLING, (403, "used_up"), (400, "Arrearage")),
    (Category.FORBIDDEN_MODEL, (400, "api_not_implemented"), (403, "Model.AccessDenied")),
    (Category.CONTENT, (403, "forbidden"), (400, "DataInspectionFailed")),
    (Category.MEDIA_FETCH, (400, "bad_request"), (400, "InvalidURL")),
    (Category.THROTTLED, (429, "too_many_requests"), (429, "Throttling")),
    (Category.REJECTED, (500, "api_error"), (500, "InternalError")),
    (Category.AMBIGUOUS, (504, "timeout"), (500, "RequestTimeOut")),
    (Category.TRANSIENT, (500, "api_error"), (500, "InternalError")),
    (Category.NOT_FOUND, (404, "no_api"), (404, "NotFound")),
    (Category.METHOD, (405, "bad_request"), (405, "BadRequest.IllegalInput")),
    (Category.TOO_LARGE, (413, "bad_request"), (413, "BadRequest.TooLarge")),
    (Category.MEDIA_TYPE, (415, "bad_request"), (415, "BadRequest.IllegalInput")),
    (Category.CONFLICT, (409, "bad_request"), (409, "Conflict")),
]


@pytest.mark.parametrize(("category", "flat", "native"), CATEGORIES)
def test_a_foreign_refusal_gets_the_status_and_code_of_its_category(
    category: Category, flat: tuple[int, str], native: tuple[int, str]
) -> None:
    told = FLAT.write_refusal(Refusal(418, Failure(category, "Strange", "m", "native")))
    assert (told.status, told.body["error"]["code"]) == flat
    for shape in (NATIVE, GATEWAY):
        told = shape.write_refusal(Refusal(418, Failure(category, "strange", "m", "flat")))
        assert (told.status, told.body["code"]) == native


@pytest.mark.parametrize(("category", "flat", "native"), CATEGORIES)
def test_a_failure_in_another_familys_code_is_told_by_its_category(
    category: Category, flat: tuple[int, str], native: tuple[int, str]
) -> None:
    assert failure_code(FLAT, Failure(category, "Strange.Code", "m", "native")) == flat[1]
    assert failure_code(FLAT, Failure(category, "strange_code", "m", "gateway")) == flat[1]
    for shape in (NATIVE, GATEWAY):
        assert failure_code(shape, Failure(category, "strange_code", "m", "flat")) == native[1]
    assert failure_code(NATIVE, Failure(category, "strange_code", "m", "gateway")) == native[1]
    assert failure_code(GATEWAY, Failure(category, "Strange.Code", "m", "native")) == "Strange.Code"


@pytest.mark.parametrize("shape", [FLAT, NATIVE, GATEWAY], ids=lambda shape: shape.name)
def test_a_refusal_of_ringbacks_own_keeps_its_status_and_finds_a_code(shape: Adapter) -> None:
    told = shape.write_refusal(Refusal(403, Failure(Category.INVALID_REQUEST, "", "not today"), retry_after=1.2))
    assert told.status == 403
    assert told.headers == {"retry-after": "2"}
    assert shape.read_refusal(told).failure.message == "not today"


def test_error_bodies_have_what_each_familys_clients_read() -> None:
    refusal = Refusal(400, Failure(Category.INVALID_REQUEST, "", "m"), request_id="r")
    flat = {"success": False, "error": {"code": "bad_request", "message": "m"}, "trace_id": "r"}
    native = {"code": "InvalidParameter", "message": "m", "request_id": "r"}
    assert FLAT.write_refusal(refusal).body == flat
    assert NATIVE.write_refusal(refusal).body == native
    error = {"message": "m", "type": "task_error", "code": "InvalidParameter"}
    assert GATEWAY.write_refusal(refusal).body == {"error": error, **native}
