"""Whatever comes over the wire: an `Unreadable` or a message, never another exception."""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import SHAPES
from adapters.base import Adapter, BatchAdapter, CancelAdapter, ListAdapter
from adapters.messages import Refusal, Request, Response, Unreadable, Unsupported
from tests.adapters import samples
from tests.adapters.strategies import CATALOGUE

ALL = [shape(CATALOGUE) for shape in SHAPES.values()]
BODIES = [
    (name, sample.get("request", sample.get("response"))["body"])
    for name in samples.names()
    if "body" in (sample := samples.load(name)).get("request", sample.get("response"))
]
PATHS = ("/wan/videos", "/happyhorse/tasks", "/api/v1/tasks/x", "/api/v1/tasks", "/tasks/x/cancel", "/", "/tasks//")

MONSTERS = (10**400, -(10**400), 1e308, "9" * 5000, "9999-12-31 23:59:59.999-23:59", "0001-01-01 00:00:00")
"""Values that break int(), float(), round() and calendars."""

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(MONSTERS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def broken(draw: Any) -> Any:
    """A recorded body with one value exchanged for anything."""
    body = copy.deepcopy(draw(st.sampled_from(BODIES))[1])
    place = body
    while isinstance(place, (dict, list)) and place:
        key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], (dict, list)) or draw(st.booleans()):
            place[key] = draw(anything)
            break
        place = place[key]
    return body


def read_everything(shape: Adapter, path: str, status: int, body: Any) -> None:
    request, response = Request("POST", path, body), Response(status, body, {"retry-after": "soon"})
    readings = [
        lambda: shape.read_submission(request),
        lambda: shape.read_query(request),
        lambda: shape.read_acceptance(response),
        lambda: shape.read_report(response),
        lambda: shape.read_callback(body),
        lambda: shape.read_reports(response) if isinstance(shape, BatchAdapter) else None,
        lambda: shape.read_listing(request) if isinstance(shape, ListAdapter) else None,
        lambda: shape.write_page(shape.read_page(response)) if isinstance(shape, ListAdapter) else None,
        lambda: shape.read_cancel(request) if isinstance(shape, CancelAdapter) else None,
        lambda: shape.read_cancel_reply(response) if isinstance(shape, CancelAdapter) else None,
    ]
    for read in readings:
        with suppress(Unreadable):
            read()
    assert isinstance(shape.read_refusal(response), Refusal)


@given(st.sampled_from(ALL), st.sampled_from(PATHS), st.sampled_from((200, 302, 400, 404, 500)), anything | broken())
def test_nothing_on_the_wire_raises_anything_but_unreadable(shape: Adapter, path: str, status: int, body: Any) -> None:
    read_everything(shape, path, status, body)


QUERIES = st.dictionaries(
    st.sampled_from(("page_no", "page_size", "status", "model_name", "task_id", "start_time", "end_time", "region")),
    st.text(max_size=15) | st.from_regex(r"\d{1,15}", fullmatch=True) | st.sampled_from(MONSTERS).map(str),
)


@given(QUERIES)
def test_any_filters_make_a_listing_or_are_refused(query: dict[str, str]) -> None:
    native = SHAPES["native"](CATALOGUE)
    assert isinstance(native, ListAdapter)
    with suppress(Unreadable):
        listing = native.read_listing(Request("GET", "/api/v1/tasks", query=query))
        assert listing is not None
        assert native.read_listing(native.write_listing(listing)) == listing


@given(broken(), st.sampled_from(ALL), st.sampled_from(ALL))
def test_what_can_be_read_can_be_written_or_is_refused_by_name(body: Any, client: Adapter, provider: Adapter) -> None:
    for path in PATHS[:2]:
        with suppress(Unreadable, Unsupported):
            request = provider.write_submission(client.read_submission(Request("POST", path, body)))
            assert request.body["model"]


@given(anything | broken(), st.sampled_from(ALL), st.sampled_from(ALL))
def test_a_report_that_can_be_read_can_be_told_in_every_shape(body: Any, provider: Adapter, client: Adapter) -> None:
    try:
        report = provider.read_report(Response(200, body))
    except Unreadable:
        return
    told = client.read_report(client.write_report(report))
    assert (told.state, told.video_url) == (report.state, report.video_url)


@given(anything | broken(), st.integers(100, 599), st.sampled_from(ALL), st.sampled_from(ALL))
def test_every_refusal_can_be_told_in_every_shape(body: Any, status: int, provider: Adapter, client: Adapter) -> None:
    told = client.write_refusal(provider.read_refusal(Response(status, body)))
    assert client.read_refusal(told).failure.message


@pytest.mark.parametrize("body", [None, [], "text", 5, True])
def test_a_submission_that_is_no_object_is_unreadable(body: Any) -> None:
    for shape in ALL:
        with pytest.raises(Unreadable, match="must be an object"):
            shape.read_submission(Request("POST", "/wan/videos", body))


@pytest.mark.parametrize("monster", MONSTERS)
def test_monstrous_numbers_and_times_count_as_absent(monster: Any) -> None:
    names = ("submit_time", "scheduled_time", "end_time")
    output = {"task_id": "t", "task_status": "SUCCEEDED", **dict.fromkeys(names, monster)}
    usage = dict.fromkeys(("SR", "video_count"), monster)
    record = {"id": "t", "created_at": monster, "started_at": monster, "response": {"state": "completed"}}
    task = {"id": "t", "status": "in_progress", "progress": monster}
    for body in ({"output": output, "usage": usage}, record, task):
        for shape in ALL:
            with suppress(Unreadable):
                report = shape.read_report(Response(200, body))
                assert (report.created_at, report.started_at, report.progress) == (None, None, None)
                for client in ALL:
                    client.write_report(report)


def test_names_that_look_like_places_do_no_harm() -> None:
    strange = {"media[" + "9" * 5000 + "]": 1, "media[٣]": 2, "header:authorization": "Bearer x", "input": 3}
    flat = SHAPES["flat"](CATALOGUE)
    request = flat.write_submission(flat.read_submission(Request("POST", "/wan/videos", {"prompt": "p", **strange})))
    assert request.body.items() >= strange.items()
    native = SHAPES["native"](CATALOGUE)
    told = {"model": "m", "input": {}, "header:authorization": "Bearer x"}
    sent = native.write_submission(native.read_submission(Request("POST", "/", told)))
    assert sent.body["header:authorization"] == "Bearer x"
    assert sent.headers == {"x-dashscope-async": "enable"}
    with pytest.raises(Unreadable, match=r"input\.prompt"):
        native.read_submission(Request("POST", "/", {**told, "input.prompt": "p"}))
