"""The law of every shape: what it writes it reads back as the same message."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import SHAPES
from adapters.base import BatchAdapter, CancelAdapter, ListAdapter
from adapters.codes import FLAT, GATEWAY, NATIVE
from adapters.messages import Acceptance, Listing, Page, Query, Report, Response, State, Submission
from tests.adapters import strategies as made

FLAT_SHAPE, NATIVE_SHAPE, GATEWAY_SHAPE = (SHAPES[name](made.CATALOGUE) for name in ("flat", "native", "gateway"))


def on_the_wire(value: Any) -> Any:
    """The value after a trip as JSON."""
    return json.loads(json.dumps(value, allow_nan=False))


def sent(message: Any) -> Any:
    return replace(message, body=on_the_wire(message.body))


@given(made.flat_submissions())
def test_a_flat_submission_survives_the_flat_wire(submission: Submission) -> None:
    assert FLAT_SHAPE.read_submission(sent(FLAT_SHAPE.write_submission(submission))) == submission


@given(made.native_submissions(), st.sampled_from((NATIVE_SHAPE, GATEWAY_SHAPE)))
def test_a_native_submission_survives_the_native_wires(submission: Submission, shape: Any) -> None:
    assert shape.read_submission(sent(shape.write_submission(submission))) == submission


@given(made.identifiers, made.tokens)
def test_an_acceptance_survives_every_wire(task_id: str, other: str) -> None:
    said = {
        FLAT_SHAPE: Acceptance(task_id, trace_id=other),
        NATIVE_SHAPE: Acceptance(task_id, request_id=other),
        GATEWAY_SHAPE: Acceptance(task_id, request_id=other),
    }
    for shape, acceptance in said.items():
        assert shape.read_acceptance(sent(shape.write_acceptance(acceptance))) == acceptance


@given(made.filled, st.sampled_from(("wan", "happyhorse")))
def test_a_query_survives_every_wire(task_id: str, service: str) -> None:
    one, several = Query((task_id,), service), Query((task_id, "b"), service, batch=True)
    for query in (one, several):
        assert FLAT_SHAPE.read_query(sent(FLAT_SHAPE.write_query(query))) == query
    for shape in (NATIVE_SHAPE, GATEWAY_SHAPE):
        assert shape.read_query(shape.write_query(Query((task_id,)))) == Query((task_id,))


@st.composite
def flat_reports(draw: Any) -> Report:
    report = draw(made.reports(("flat",)))
    succeeded, ended = report.state is State.SUCCEEDED, report.state in made.ENDED
    model = draw(st.sampled_from(sorted(made.CATALOGUE.models)))
    hook = draw(st.none() | st.just("https://c.example/h"))
    details = draw(made.unknown) | {f"data.{name}": value for name, value in draw(made.unknown).items()}
    service = made.CATALOGUE.models[model].service
    return replace(
        report,
        created_at=draw(st.none() | made.times),
        started_at=draw(st.none() | made.times),
        finished_at=draw(made.times) if ended else None,
        model=model,
        service=service,
        prompt=draw(st.none() | made.filled) if succeeded else None,
        trace_id=draw(made.tokens),
        request={"model": model, **({"callback_url": hook} if hook else {})},
        callback_url=hook,
        details=details if succeeded else {},
    )


@given(flat_reports())
def test_a_report_survives_the_flat_wire(report: Report) -> None:
    assert FLAT_SHAPE.read_report(sent(FLAT_SHAPE.write_report(report))) == report


@given(st.lists(flat_reports(), max_size=3).map(tuple))
def test_several_reports_survive_the_flat_wire(reports: tuple[Report, ...]) -> None:
    assert isinstance(FLAT_SHAPE, BatchAdapter)
    assert FLAT_SHAPE.read_reports(sent(FLAT_SHAPE.write_reports(reports))) == reports


@given(flat_reports().filter(lambda report: report.state in made.ENDED))
def test_a_callback_survives_the_flat_wire(report: Report) -> None:
    """A callback is the record's `response`: it knows neither times nor the request."""
    told = replace(
        report, created_at=None, started_at=None, finished_at=None, model="", request=None, callback_url=None
    )
    happyhorse = report.service == "happyhorse" and report.state is State.SUCCEEDED
    told = replace(told, service="happyhorse" if happyhorse else "")
    assert FLAT_SHAPE.read_callback(on_the_wire(FLAT_SHAPE.write_callback(report))) == told


@st.composite
def native_reports(draw: Any) -> Report:
    report = draw(made.reports(("native",)))
    details = draw(made.unknown) | {f"output.{name}": value for name, value in draw(made.unknown).items()}
    return replace(
        report,
        created_at=draw(st.none() | made.times),
        started_at=draw(st.none() | made.times),
        finished_at=draw(st.none() | made.times) if report.state in made.ENDED else None,
        prompt=draw(st.none() | made.filled) if report.state is State.SUCCEEDED else None,
        request_id=draw(made.tokens),
        details=details,
    )


@given(native_reports())
def test_a_report_and_a_callback_survive_the_native_wire(report: Report) -> None:
    assert NATIVE_SHAPE.read_report(sent(NATIVE_SHAPE.write_report(report))) == report
    assert NATIVE_SHAPE.read_callback(on_the_wire(NATIVE_SHAPE.write_callback(report))) == report


@st.composite
def gateway_reports(draw: Any) -> Report:
    report = draw(made.reports(("native", "gateway")))
    model = draw(st.sampled_from(("wan2.7-t2v", "wan2.7-i2v", "new")))
    chosen = draw(st.none() | made.unknown)
    return replace(
        report,
        progress=100 if report.state in made.ENDED else draw(st.integers(0, 100)),
        model=model,
        request={"model": model} if chosen is None else {"model": model, "parameters": chosen},
    )


@given(gateway_reports())
def test_a_report_and_a_callback_survive_the_gateway_wire(report: Report) -> None:
    assert GATEWAY_SHAPE.read_report(sent(GATEWAY_SHAPE.write_report(report))) == report
    assert GATEWAY_SHAPE.read_callback(on_the_wire(GATEWAY_SHAPE.write_callback(report))) == report


DAY = 24 * 3600 * 1000


@st.composite
def native_listings(draw: Any) -> Listing:
    """Whole pages and whole seconds, of a day at most."""
    limit = draw(st.integers(1, 100))
    since = draw(st.none() | made.times.map(lambda time: time // 1000 * 1000))
    return Listing(
        offset=draw(st.integers(0, 1000)) * limit,
        limit=limit,
        state=draw(st.none() | st.sampled_from(State)),
        model=draw(made.words),
        task_id=draw(made.tokens),
        since=since,
        until=None if since is None else since + draw(st.integers(0, DAY // 1000)) * 1000,
    )


@given(native_listings())
def test_a_listing_survives_the_native_wire(listing: Listing) -> None:
    assert isinstance(NATIVE_SHAPE, ListAdapter)
    assert NATIVE_SHAPE.read_listing(sent(NATIVE_SHAPE.write_listing(listing))) == listing


@given(
    st.builds(
        Listing,
        offset=st.integers(0, 10_000),
        limit=st.integers(1, 100),
        since=st.none() | made.times,
        until=st.none() | made.times,
        service=st.sampled_from(("wan", "happyhorse")),
    )
)
def test_a_listing_survives_the_flat_wire(listing: Listing) -> None:
    assert isinstance(FLAT_SHAPE, ListAdapter)
    assert FLAT_SHAPE.read_listing(sent(FLAT_SHAPE.write_listing(listing))) == listing


@st.composite
def listed_reports(draw: Any) -> Report:
    """What DashScope lists of a task."""
    state = draw(st.sampled_from(State))
    return Report(
        draw(made.identifiers),
        state,
        created_at=draw(st.none() | made.times),
        started_at=draw(st.none() | made.times),
        finished_at=draw(st.none() | made.times) if state in made.ENDED else None,
        model=draw(made.words),
        request_id=draw(made.tokens),
        family="native",
        details=draw(st.sampled_from(({}, {"region": "cn-beijing"}))),
    )


@given(st.lists(listed_reports(), max_size=3).map(tuple), st.integers(0, 50), st.integers(1, 100), made.tokens)
def test_a_page_survives_the_native_wire(reports: tuple[Report, ...], number: int, limit: int, other: str) -> None:
    assert isinstance(NATIVE_SHAPE, ListAdapter)
    page = Page(reports, number * limit + len(reports), number * limit, limit, other)
    assert NATIVE_SHAPE.read_page(sent(NATIVE_SHAPE.write_page(page))) == page


@given(st.lists(flat_reports(), max_size=3).map(tuple), st.integers(0, 10_000))
def test_a_page_survives_the_flat_wire(reports: tuple[Report, ...], total: int) -> None:
    assert isinstance(FLAT_SHAPE, ListAdapter)
    assert FLAT_SHAPE.read_page(sent(FLAT_SHAPE.write_page(Page(reports, total)))) == Page(reports, total)


@given(made.filled, st.booleans(), made.tokens)
def test_a_cancel_and_its_reply_survive_the_native_wire(task_id: str, canceled: bool, other: str) -> None:
    assert isinstance(NATIVE_SHAPE, CancelAdapter)
    assert NATIVE_SHAPE.read_cancel(NATIVE_SHAPE.write_cancel(task_id)) == task_id
    assert NATIVE_SHAPE.read_cancel_reply(sent(NATIVE_SHAPE.write_cancel_reply(canceled, other))) is canceled


def refusal_replies() -> list[tuple[str, Response]]:
    """Every code of every family under the statuses it comes with, as an upstream sends it."""
    replies = []
    for status in (200, 400, 401, 403, 404, 409, 413, 415, 429, 500, 503, 504):
        replies += [("flat", Response(status, {"error": {"code": code, "message": "m"}})) for code in FLAT]
        replies += [("native", Response(status, {"code": code, "message": "m"})) for code in NATIVE]
        replies += [
            ("gateway", Response(status, {"error": {"code": code, "message": "m"}})) for code in (*GATEWAY, *NATIVE)
        ]
    return replies


@pytest.mark.parametrize("wait", [None, 7.0])
def test_a_refusal_survives_the_wire_of_its_family(wait: float | None) -> None:
    for name, reply in refusal_replies():
        shape = SHAPES[name](made.CATALOGUE)
        refusal = replace(shape.read_refusal(reply), retry_after=wait, request_id="r" if name != "flat" else "t")
        assert shape.read_refusal(sent(shape.write_refusal(refusal))) == refusal
