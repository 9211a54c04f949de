"""What a send costs in the end, by what is known of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.catalogue import builtin
from adapters.messages import Category, Failure, Report, State, Usage
from service.domain.ledger import MICROS, UNPRICED, Charge, decimal_of, micros, quote_of, settled
from service.domain.price import Cost
from service.domain.tasks import NO_RESULT, NOT_ACCEPTED, OUTCOME_UNKNOWN, TASK_EXPIRED, Verdict

CHARGE = Charge(
    "placement", "task", "env:first", "apiyi", "wan2.7-t2v", 1, "USD", "1080P", per_second=140_000, estimate=700_000
)
VIDEO = Report("up-1", State.SUCCEEDED, video_url="https://cdn.example.com/v.mp4")
CATALOGUE = builtin()


def billed(usage: Usage | None, charge: Charge = CHARGE) -> int | None:
    return settled(charge, Verdict.ENDED, replace(VIDEO, usage=usage), CATALOGUE)


def test_a_success_is_billed_by_the_seconds_that_the_upstream_says() -> None:
    assert billed(Usage(duration=4, resolution="1080P")) == 560_000
    assert billed(Usage(duration=13.24)) == 1_853_600
    assert billed(Usage(input_video_duration=3, output_video_duration=5.5)) == 1_190_000
    assert billed(Usage(output_video_duration=5)) == 700_000


def test_it_is_billed_at_the_price_of_the_resolution_that_was_made() -> None:
    assert billed(Usage(duration=5, resolution="720P")) == 420_000
    assert billed(Usage(duration=5, resolution="720p")) == 420_000
    assert billed(Usage(duration=5, resolution="4K")) == 700_000, "no price is known: the one that was quoted"
    assert billed(Usage(duration=5, resolution="720P"), replace(CHARGE, currency="EUR")) == 700_000, "another currency"
    assert billed(Usage(duration=5, resolution="720P"), replace(CHARGE, model="gone")) == 700_000


@pytest.mark.parametrize(
    "usage", [None, Usage(), Usage(resolution="720P"), Usage(duration=-1), Usage(duration=1e300), Usage(duration=1e6)]
)
def test_without_sensible_seconds_it_is_billed_as_estimated(usage: Usage | None) -> None:
    assert billed(usage) == CHARGE.estimate


def test_without_a_price_nothing_is_known_of_a_success() -> None:
    unpriced = replace(CHARGE, currency="", per_second=None, estimate=None)
    assert billed(Usage(duration=5), unpriced) is None
    assert settled(unpriced, Verdict.ENDED, Report("up-1", State.FAILED)) == 0


def test_a_price_without_a_limit_is_settled_by_the_usage() -> None:
    assert billed(Usage(duration=5), replace(CHARGE, estimate=None)) == 700_000
    assert billed(None, replace(CHARGE, estimate=None)) is None


@pytest.mark.parametrize("verdict", [Verdict.NOT_ACCEPTED, Verdict.REFUSED])
def test_what_was_not_accepted_costs_nothing(verdict: Verdict) -> None:
    assert settled(CHARGE, verdict, None) == 0
    assert settled(CHARGE, verdict, Report("ours", State.FAILED, failure=NOT_ACCEPTED)) == 0


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELED])
def test_what_ended_without_a_video_costs_nothing(state: State) -> None:
    code = "task_expired"  # the word of another family, not ours
    failure = Failure(Category.TRANSIENT, code, "?", "flat")
    assert settled(CHARGE, Verdict.ENDED, Report("up-1", state, failure=failure, usage=Usage(duration=5))) == 0


@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [
        (Verdict.UNPROVEN, Report("ours", State.FAILED, failure=OUTCOME_UNKNOWN)),
        (Verdict.ENDED, Report("ours", State.FAILED, failure=OUTCOME_UNKNOWN)),
        (Verdict.ENDED, Report("ours", State.FAILED, failure=TASK_EXPIRED)),
        (Verdict.IN_DOUBT, None),
        (Verdict.ENDED, None),
    ],
)
def test_what_may_have_been_billed_stays_open(verdict: Verdict, outcome: Report | None) -> None:
    assert settled(CHARGE, verdict, outcome) is None


def test_a_success_without_a_video_is_billed_like_one() -> None:
    report = Report("up-1", State.FAILED, failure=NO_RESULT, usage=Usage(duration=3))
    assert settled(CHARGE, Verdict.ENDED, report) == 420_000
    assert settled(CHARGE, Verdict.ENDED, Report("up-1", State.SUCCEEDED)) == CHARGE.estimate


def test_a_quote_is_at_most_what_the_catalogue_allows() -> None:
    cost = Cost(0.0588, "USD", "720P", None, None, 30, 1.764, "?")
    quote = quote_of(cost)
    assert (quote.currency, quote.resolution, quote.per_second, quote.estimate) == ("USD", "720P", 58_800, 1_764_000)
    assert quote_of(replace(cost, most_seconds=None, most=None)).estimate is None
    assert quote_of(None) == UNPRICED


@given(st.integers(-(10**15), 10**15))
def test_decimals_are_exact(amount: int) -> None:
    text = decimal_of(amount)
    assert "e" not in text
    whole, _, part = text.lstrip("-").partition(".")
    assert (-1 if text.startswith("-") else 1) * (int(whole) * MICROS + int(part.ljust(6, "0") or 0)) == amount


def test_a_catalogues_number_is_taken_as_it_is_written() -> None:
    assert [micros(each) for each in (0.0588, 0.1, 1e-06, 2, 0.0000004)] == [58_800, 100_000, 1, 2_000_000, 0]
