"""Lists of tasks: what clients may ask for, what a page says, and what DashScope's SDK makes of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from dashscope.v2.resources._jobs import JobList, _list_params

from adapters import SHAPES, Flat, Native
from adapters.base import ListAdapter
from adapters.codes import failed
from adapters.messages import Listing, Page, Report, Request, Response, State, Unreadable, Unsupported, Usage
from tests.adapters.strategies import CATALOGUE

FLAT, NATIVE = Flat(CATALOGUE), Native(CATALOGUE)

VIDEO = "https://o.example/v.mp4?Expires=1"
NOON = 1_681_963_200_000  # 2023-04-20 12:00:00 in China
HOUR = 3_600_000

DONE = Report(
    "a",
    State.SUCCEEDED,
    video_url=VIDEO,
    usage=Usage(duration=5.0),
    created_at=NOON + 1,
    started_at=NOON + 2_000,
    finished_at=NOON + 90_500,
    model="wan2.7-t2v",
    prompt="a cat",
    service="wan",
    request_id="r-a",
    request={"model": "wan2.7-t2v"},
)
BROKEN = replace(DONE, task_id="b", state=State.FAILED, failure=failed("native", "DataInspectionFailed", "blocked"))
WAITING = Report("c", State.QUEUED, created_at=NOON, finished_at=NOON, model="wan3.0-video", service="wan")
PAGE = Page((DONE, BROKEN, WAITING), total=23, offset=20, limit=10, request_id="r")


def asked(path: str = "/api/v1/tasks", **query: str) -> Listing | None:
    return NATIVE.read_listing(Request("GET", path, query=query))


def asked_flat(**body: Any) -> Listing | None:
    return FLAT.read_listing(Request("POST", "/wan/tasks", {"action": "retrieve_batch", **body}))


def test_the_gateways_have_no_list() -> None:
    listing = {name for name, shape in SHAPES.items() if isinstance(shape(CATALOGUE), ListAdapter)}
    assert listing == {"flat", "native"}


@pytest.mark.parametrize("path", ["/api/v1/tasks", "/api/v1/tasks/", "/wan/api/v1/tasks", "/wan/api/v1/tasks/"])
def test_a_native_list_is_read_at_any_base_with_and_without_the_slash(path: str) -> None:
    assert asked(path) == Listing()


@pytest.mark.parametrize("path", ["/api/v1/tasks/t", "/api/v1/tasks/t/", "/api/v1/tasks/t/cancel"])
def test_a_question_for_one_task_is_no_native_list(path: str) -> None:
    assert asked(path) is None


@pytest.mark.parametrize(
    "body", [{"ids": ["a"]}, {"ids": []}, {"action": "retrieve", "id": "a"}, {"action": None, "id": "a"}, {"action": 5}]
)
def test_a_question_for_tasks_by_their_ids_is_no_flat_list(body: dict[str, Any]) -> None:
    assert asked_flat(**body) is None


def test_every_filter_of_dashscopes_sdk_is_understood_or_passed_over() -> None:
    query = _list_params("20230420120000", "20230420180000", "wan2.7-t2v", "15", "cn-beijing", "RUNNING", 3, 20)
    assert asked(**{name: str(value) for name, value in query.items()}) == Listing(
        offset=40, limit=20, state=State.RUNNING, model="wan2.7-t2v", since=NOON, until=NOON + 6 * HOUR
    )


def test_filters_without_content_count_as_not_set() -> None:
    assert (
        asked(status="", model_name="", task_id="", start_time="", end_time="", page_no="", page_size="") == Listing()
    )


@pytest.mark.parametrize(
    ("query", "since", "until"),
    [
        ({"start_time": "20230420120000"}, NOON, NOON + 24 * HOUR),
        ({"end_time": "20230420120000"}, NOON - 24 * HOUR, NOON),
        ({}, None, None),
    ],
)
def test_one_end_of_the_time_alone_means_a_day(query: dict[str, str], since: int | None, until: int | None) -> None:
    listing = asked(**query)
    assert listing is not None
    assert (listing.since, listing.until) == (since, until)


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ({"page_no": "0"}, "page_no"),
        ({"page_no": "-1"}, "page_no"),
        ({"page_no": "two"}, "page_no"),
        ({"page_no": "٣"}, "page_no"),
        ({"page_size": "0"}, "page_size"),
        ({"page_size": "101"}, "page_size"),
        ({"page_size": "1.5"}, "page_size"),
        ({"status": "DONE"}, "status"),
        ({"status": "running"}, "status"),
        ({"start_time": "2023-04-20"}, "start_time"),
        ({"start_time": "20231320120000"}, "start_time"),
        ({"end_time": "1681963200000"}, "end_time"),
        ({"start_time": "20230420120000", "end_time": "20230421120001"}, "end_time"),
    ],
)
def test_a_wrong_native_filter_is_named(query: dict[str, str], place: str) -> None:
    with pytest.raises(Unreadable) as error:
        asked(**query)
    assert error.value.path == place


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"offset": -1}, "offset"),
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"limit": "5"}, "limit"),
        ({"created_at_min": "yesterday"}, "created_at_min"),
        ({"created_at_max": True}, "created_at_max"),
        ({"type": "images"}, "type"),
    ],
)
def test_a_wrong_flat_filter_is_named(body: dict[str, Any], place: str) -> None:
    with pytest.raises(Unreadable) as error:
        asked_flat(**body)
    assert error.value.path == place


def test_nulls_in_a_flat_list_count_as_not_set() -> None:
    nothing = dict.fromkeys(("ids", "offset", "limit", "created_at_min", "created_at_max", "type", "user_id"))
    assert asked_flat(**nothing) == Listing(service="wan")


def test_a_native_page_has_the_documented_rows() -> None:
    body = NATIVE.write_page(PAGE).body
    pages = {name: body[name] for name in ("total", "total_page", "page_no", "page_size", "request_id")}
    assert pages == {"total": 23, "total_page": 3, "page_no": 3, "page_size": 10, "request_id": "r"}
    assert body["data"][0] == {
        "task_id": "a",
        "status": "SUCCEEDED",
        "model_name": "wan2.7-t2v",
        "region": "",
        "request_id": "r-a",
        "gmt_create": NOON + 1,
        "start_time": NOON + 2_000,
        "end_time": NOON + 90_500,
    }
    assert [row["status"] for row in body["data"]] == ["SUCCEEDED", "FAILED", "PENDING"]
    assert "end_time" not in body["data"][2]


def test_an_empty_native_page_has_no_pages() -> None:
    body = NATIVE.write_page(Page((), 0)).body
    assert (body["total"], body["total_page"], body["page_no"], body["data"], body["tasks"]) == (0, 0, 1, [], [])


def test_dashscopes_sdk_reads_the_page_as_jobs() -> None:
    jobs = JobList.from_payload(json.loads(json.dumps(NATIVE.write_page(PAGE).body)))
    assert (jobs.total, jobs.page_no, jobs.page_size, jobs.request_id, jobs.is_error) == (23, 3, 10, "r", False)
    assert [(job.task_id, job.status, job.finished) for job in jobs.tasks] == [
        ("a", "SUCCEEDED", True),
        ("b", "FAILED", True),
        ("c", "PENDING", False),
    ]
    done, broken, _ = jobs.tasks
    assert (done.video_url, done.request_id) == (VIDEO, "r-a")
    assert (done.submitted_at, done.finished_at) == ("2023-04-20 12:00:00.001", "2023-04-20 12:01:30.500")
    assert (broken.code, broken.message) == ("DataInspectionFailed", "blocked")


def test_a_native_page_tells_ids_states_models_and_times_only() -> None:
    read = NATIVE.read_page(NATIVE.write_page(PAGE))
    less = {"video_url": None, "usage": None, "prompt": None, "service": "", "request": None, "failure": None}
    assert read.reports[:2] == tuple(replace(report, **less, family="native") for report in (DONE, BROKEN))
    assert read.reports[2].finished_at is None


def test_a_flat_page_counts_all_tasks_and_leaves_out_unknown_ones() -> None:
    """AceData's web client takes `count` for the number of tasks there are and asks for more until it has them."""
    body = FLAT.write_page(Page((DONE, Report("x", State.UNKNOWN)), total=12, offset=10, limit=2)).body
    assert (body["count"], [item["id"] for item in body["items"]]) == (12, ["a"])
    assert FLAT.read_page(Response(200, body)).total == 12


def test_a_flat_page_without_a_count_is_all_there_is() -> None:
    records = FLAT.write_reports((DONE, BROKEN)).body["items"]
    assert FLAT.read_page(Response(200, {"items": records})).total == 2


@pytest.mark.parametrize("body", [None, {}, {"data": None}, {"data": {}, "tasks": "x"}, {"output": {}}, []])
def test_a_reply_without_an_array_is_no_page(body: Any) -> None:
    for shape in (FLAT, NATIVE):
        with pytest.raises(Unreadable):
            shape.read_page(Response(200, body))


def test_an_error_is_no_page() -> None:
    for status in (302, 429, 500):
        for shape, body in ((FLAT, {"items": []}), (NATIVE, {"data": []})):
            with pytest.raises(Unreadable, match=str(status)):
                shape.read_page(Response(status, body))


def test_rows_that_say_nothing_are_passed_over_and_new_words_mean_running() -> None:
    rows = [None, {}, {"task_id": "a"}, {"status": "RUNNING"}, {"task_id": "b", "status": "SUSPENDED"}]
    page = NATIVE.read_page(Response(200, {"data": rows, "page_no": 0, "page_size": 0, "total": -1}))
    assert page == Page((Report("b", State.RUNNING, family="native"),), total=1, offset=0, limit=10)


@pytest.mark.parametrize(
    ("shape", "listing", "field"),
    [
        (NATIVE, Listing(offset=5, limit=10), "offset"),
        (NATIVE, Listing(since=NOON, until=NOON + 24 * HOUR + 1), "until"),
        (FLAT, Listing(state=State.QUEUED), "state"),
        (FLAT, Listing(model="wan2.6-t2v"), "model"),
        (FLAT, Listing(task_id="t"), "task_id"),
    ],
)
def test_what_a_family_cannot_list_by_is_refused_by_name(shape: Flat | Native, listing: Listing, field: str) -> None:
    with pytest.raises(Unsupported) as error:
        shape.write_listing(listing)
    assert list(error.value.fields) == [field]


def test_a_native_list_is_asked_for_in_whole_seconds_that_leave_nothing_out() -> None:
    query = NATIVE.write_listing(Listing(since=NOON + 999, until=NOON + 1_001)).query
    assert query == {"page_no": "1", "page_size": "10", "start_time": "20230420120000", "end_time": "20230420120002"}
    assert NATIVE.write_listing(Listing(since=NOON)).query["start_time"] == "20230420120000"
