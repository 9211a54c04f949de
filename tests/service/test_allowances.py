"""What an allowance says of a task, as values: periods, budgets, rights."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.allowances import Allowance, Budget, Limit, Period, Standing, read_budget
from service.domain.ledger import MICROS, Quote

USD = Budget(20 * MICROS, "USD", Period.MONTH)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("period", "began"),
    [
        (Period.DAY, "2026-11-30T00:00:00"),
        (Period.MONTH, "2026-11-01T00:00:00"),
        (Period.TOTAL, "1970-01-01T00:00:00"),
    ],
)
def test_periods_begin_at_midnight_in_utc(period: Period, began: str) -> None:
    assert period.began(at("2026-11-30T23:59:59.999")) == at(began)
    assert period.began(at("2026-11-30T00:00:00")) == at(began)


def test_a_new_month_is_a_new_period() -> None:
    assert Period.MONTH.began(at("2026-12-01T00:00:00")) == at("2026-12-01T00:00:00")
    assert Period.MONTH.began(at("2024-02-29T12:00:00")) == at("2024-02-01T00:00:00")


@pytest.mark.parametrize(
    ("period", "now", "following"),
    [
        (Period.DAY, "2026-12-31T12:00:00", "2027-01-01T00:00:00"),
        (Period.MONTH, "2024-02-01T00:00:00", "2024-03-01T00:00:00"),
        (Period.MONTH, "2026-12-31T23:59:59.999", "2027-01-01T00:00:00"),
    ],
)
def test_a_period_ends_where_the_next_one_begins(period: Period, now: str, following: str) -> None:
    assert period.span(at(now))[1] == at(following)
    assert period.began(at(following)) == at(following)


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("20 USD/month", USD),
        ("20USD a month", USD),
        (" 20 usd month ", USD),
        ("0.5 CNY/day", Budget(500_000, "CNY", Period.DAY)),
        ("100 EUR", Budget(100 * MICROS, "EUR", Period.TOTAL)),
        ("0 USD/total", Budget(0, "USD", Period.TOTAL)),
    ],
)
def test_a_budget_is_read_as_people_write_it(text: str, budget: Budget) -> None:
    assert read_budget(text) == budget


@pytest.mark.parametrize(
    "text", ["", "20", "USD", "-1 USD", "1e3 USD", "20 USD/year", "1.2345678 USD", "٢٠ USD", "20 U$D"]
)
def test_what_is_no_budget_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="20 USD/month"):
        read_budget(text)


@given(st.integers(0, 10**15), st.sampled_from(Period))
def test_a_budget_is_read_as_it_is_shown(amount: int, period: Period) -> None:
    budget = Budget(amount, "USD", period)
    assert read_budget(str(budget).replace(" in total", "/total")) == budget


def standing(*budgets: Budget, spent: tuple[int, ...] = ()) -> Standing:
    return Standing(Allowance("env:first", budgets=budgets), spent or (0,) * len(budgets))


def test_a_price_fits_until_the_budget_is_full_to_the_last_millionth() -> None:
    price = Quote("USD", "720P", 100_000, 500_000)
    assert standing(USD, spent=(19_500_000,)).short_of(price) is None
    short = standing(USD, spent=(19_500_001,)).short_of(price)
    assert short is not None
    assert (short.limit, short.budget) == (Limit.BUDGET, USD)
    assert short.reason == (
        "it costs up to 0.5 USD, and of this key's 20 USD a month 19.500001 USD are spent or reserved"
    )


def test_every_budget_must_have_room() -> None:
    day = Budget(1 * MICROS, "USD", Period.DAY)
    price = Quote("USD", "720P", 100_000, 600_000)
    for spent, full in (((0, 0), None), ((500_000, 500_000), day), ((19_900_000, 0), USD)):
        short = standing(USD, day, spent=spent).short_of(price)
        assert (short.budget if short else None) == full


@pytest.mark.parametrize(
    ("price", "says"),
    [
        (Quote(), "add the price to the catalogue"),
        (Quote("USD", "720P", 100_000, None), "say a duration"),
        (Quote("CNY", "720P", 100_000, 500_000), "has a budget in USD only"),
    ],
)
def test_with_a_budget_a_price_must_be_known_in_its_currency(price: Quote, says: str) -> None:
    short = standing(USD).short_of(price)
    assert short is not None
    assert short.limit is Limit.PRICE
    assert says in short.reason
    assert standing().short_of(price) is None, "without one it need not be"


def test_a_model_is_allowed_by_any_of_its_names_and_a_provider_by_its_own() -> None:
    allowed = Standing(Allowance("env:first", providers=("acedata",), models=("wan2.7-t2v", "quick")))
    assert allowed.forbids("acedata", {"wan2.7-t2v-2026-04-25", "wan2.7-t2v"}) is None
    assert allowed.forbids("acedata", {"quick", "wan2.6-t2v"}) is None
    assert allowed.forbids("acedata", {"wan2.6-t2v"}) is not None
    assert allowed.forbids("dashscope", {"wan2.7-t2v"}) is not None
    nothing = Standing(Allowance("env:first", models=()))
    short = nothing.forbids("acedata", {"wan2.7-t2v"})
    assert short is not None
    assert short.reason.endswith("it may use none")
