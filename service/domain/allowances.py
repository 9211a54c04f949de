"""What a client key may do, and what it may spend. Pure; money is micros, days and months are those of UTC."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from adapters.messages import Category, Failure, Refusal
from service.domain.ledger import MICROS, Quote, decimal_of
from service.errors import Refused

WRITTEN = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,6}))? ?([A-Za-z]{1,12})(?:/| a | )?(day|month|total)?", re.ASCII)
CURRENCY = re.compile(r"[A-Z]{1,12}")


class Period(StrEnum):
    DAY = "day"
    MONTH = "month"
    TOTAL = "total"

    def began(self, now: int) -> int:
        """When the period that `now` is in began."""
        return self.span(now)[0]

    def span(self, now: int) -> tuple[int, int]:
        """The period that `now` is in: from its first millisecond to that of the next one."""
        if self is Period.TOTAL:
            return 0, 2**62
        first = datetime.fromtimestamp(now / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        following = first + timedelta(days=1)
        if self is Period.MONTH:
            first = first.replace(day=1)
            following = (first + timedelta(days=31)).replace(day=1)
        return int(first.timestamp()) * 1000, int(following.timestamp()) * 1000


@dataclass(frozen=True, slots=True)
class Budget:
    """At most this much in each period."""

    amount: int
    currency: str
    period: Period

    def __str__(self) -> str:
        every = " in total" if self.period is Period.TOTAL else f" a {self.period}"
        return f"{decimal_of(self.amount)} {self.currency}{every}"


@dataclass(frozen=True, slots=True)
class Allowance:
    """`providers` and `models` are all that it may use; None: any. `watch`: it may watch tasks on the operator's own
    upstream accounts. Without `budgets` it may spend what it likes."""

    client: str
    providers: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    watch: bool = False
    budgets: tuple[Budget, ...] = ()


class Limit(StrEnum):
    """Why an allowance is in the way."""

    RIGHT = "right"
    PRICE = "price"  # with a budget, what a task costs must be known
    BUDGET = "budget"


@dataclass(frozen=True, slots=True)
class Shortage:
    """What an allowance has against a task, and why; of a budget, which."""

    limit: Limit
    reason: str
    budget: Budget | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """An allowance at one moment: `spent` has, for each of its budgets, what is settled, what running and doubtful
    sends may cost, and what is reserved for tasks that wait to be sent."""

    allowance: Allowance
    spent: tuple[int, ...] = ()

    def forbids(self, provider: str, names: Collection[str]) -> Shortage | None:
        """`names` are all that the model is called: one that is allowed is enough."""
        allowed = self.allowance
        if allowed.models is not None and not set(names) & set(allowed.models):
            return Shortage(Limit.RIGHT, f"this key may not use the model; it may use {_listed(allowed.models)}")
        if allowed.providers is not None and provider not in allowed.providers:
            return Shortage(Limit.RIGHT, "this key may not use it")
        return None

    def short_of(self, price: Quote) -> Shortage | None:
        """Why a send at this price does not fit into the budgets."""
        budgets = self.allowance.budgets
        if not budgets:
            return None
        if price.estimate is None:
            return Shortage(Limit.PRICE, _unknown(price))
        if price.currency not in {budget.currency for budget in budgets}:
            known = _listed(dict.fromkeys(budget.currency for budget in budgets))
            why = f"it costs {price.currency}, and this key has a budget in {known} only; its operator can add one"
            return Shortage(Limit.PRICE, why)
        for budget, spent in zip(budgets, self.spent, strict=True):
            if budget.currency == price.currency and spent + price.estimate > budget.amount:
                return Shortage(Limit.BUDGET, _over(budget, spent, price.estimate), budget)
        return None


UNLIMITED = Standing(Allowance(""))

SAID = {
    Limit.RIGHT: (Category.FORBIDDEN_MODEL, ""),
    Limit.PRICE: (Category.BILLING, "price_unknown"),
    Limit.BUDGET: (Category.BILLING, "budget_exceeded"),
}


class Limited(Refused):
    """A create that the client's allowance does not cover. Nothing was sent. The status is one on which no SDK creates
    again (not 402: AceData's would try to pay)."""

    def __init__(self, limit: Limit, message: str, budget: Budget | None = None) -> None:
        category, code = SAID[limit]
        super().__init__(Refusal(403, Failure(category, code, message)))
        self.budget = budget


def read_budget(text: str) -> Budget:
    """`20 USD/month`, `5 CNY a day`, `100 USD` (in total). Raises `ValueError`."""
    found = WRITTEN.fullmatch(text.strip())
    if found is None:
        raise ValueError("a budget is an amount, a currency and day, month or total, such as 20 USD/month")
    whole, part, currency, period = found.groups()
    amount = int(whole) * MICROS + int((part or "").ljust(6, "0"))
    return Budget(amount, currency.upper(), Period(period or Period.TOTAL))


def written(allowance: Allowance) -> dict[str, Any]:
    """As JSON."""
    budgets = [
        {"amount_micros": each.amount, "currency": each.currency, "period": each.period} for each in allowance.budgets
    ]
    lists = {name: None if names is None else list(names) for name, names in _lists(allowance).items()}
    return {"client": allowance.client, **lists, "watch": allowance.watch, "budgets": budgets}


def _lists(allowance: Allowance) -> Mapping[str, Collection[str] | None]:
    return {"providers": allowance.providers, "models": allowance.models}


def _unknown(price: Quote) -> str:
    if price.per_second is None:
        return "what it costs is not known, and this key has a budget; its operator can add the price to the catalogue"
    return "what it costs at most is not known before, and this key has a budget; say a duration, or take shorter input"


def _over(budget: Budget, spent: int, price: int) -> str:
    currency = budget.currency
    return (
        f"it costs up to {decimal_of(price)} {currency}, and of this key's {budget} {decimal_of(spent)} {currency} are"
        " spent or reserved"
    )


def _listed(names: Collection[str]) -> str:
    return ", ".join(names) or "none"
