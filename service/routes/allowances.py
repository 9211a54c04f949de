"""What a client key may do and spend, under /v1/keys/{client}/allowance, for the operator only."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from adapters.messages import Category
from service.domain.allowances import CURRENCY, Allowance, Budget, Period, written
from service.errors import Refused, refused
from service.routes.edge import admin, house_of, not_found, read_fields

FIELDS = ("providers", "models", "watch", "budgets")
BUDGET = ("amount_micros", "currency", "period")
MOST = 10**18
"""Of an amount; sums of many still fit into 64 bits."""

LONGEST = 200
"""A list, or a name."""


async def show(request: HttpRequest) -> HttpResponse:
    return JSONResponse(written(await house_of(request).clients.allowance(await _client(request))))


async def replace(request: HttpRequest) -> HttpResponse:
    """`{"providers"?, "models"?, "watch"?, "budgets"?}`: what is left out is as it is without an allowance. It holds at
    once."""
    client = await _client(request)
    house = house_of(request)
    fields = await read_fields(request, FIELDS)
    watch = fields.get("watch", False)
    if not isinstance(watch, bool):
        raise _wrong("watch", "true or false is needed")
    allowance = Allowance(
        client,
        providers=_names(fields, "providers", house.catalogue.providers),
        models=_names(fields, "models"),
        watch=watch,
        budgets=_budgets(fields.get("budgets", [])),
    )
    await house.clients.allow(allowance)
    return JSONResponse(written(allowance))


async def remove(request: HttpRequest) -> HttpResponse:
    """Without an allowance a key may spend what it likes, with any model and provider, but not watch."""
    await house_of(request).clients.allow(Allowance(await _client(request)))
    return HttpResponse(status_code=204)


async def _client(request: HttpRequest) -> str:
    """Raises `Refused` (401, 403, 404)."""
    await admin(request)
    meant = await house_of(request).clients.meant_by(request.path_params["client"])
    if len(meant) != 1:
        raise not_found("key")
    return meant[0]


def _names(fields: Mapping[str, Any], field: str, known: Collection[str] | None = None) -> tuple[str, ...] | None:
    value = fields.get(field)
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > LONGEST or not all(isinstance(each, str) for each in value):
        raise _wrong(field, "a list of names is needed, or null for any")
    for name in value:
        if not 0 < len(name) <= LONGEST or (known is not None and name not in known):
            raise _wrong(field, f"{name[:80]!r} given, allowed: {', '.join(known) if known else 'names of models'}")
    return tuple(dict.fromkeys(value))


def _budgets(value: object) -> tuple[Budget, ...]:
    if not isinstance(value, list) or len(value) > LONGEST:
        raise _wrong("budgets", "a list is needed")
    budgets = tuple(_budget(each, f"budgets[{index}]") for index, each in enumerate(value))
    if len({(budget.currency, budget.period) for budget in budgets}) < len(budgets):
        raise _wrong("budgets", "one for each currency and period is needed")
    return budgets


def _budget(value: object, place: str) -> Budget:
    if not isinstance(value, dict) or set(value) != set(BUDGET):
        raise _wrong(place, f"an object with {', '.join(BUDGET)} is needed")
    amount, currency, period = (value[name] for name in BUDGET)
    if type(amount) is not int or not 0 <= amount <= MOST:
        raise _wrong(f"{place}.amount_micros", "a whole number of millionths is needed, 0 or more")
    if not isinstance(currency, str) or not CURRENCY.fullmatch(currency):
        raise _wrong(f"{place}.currency", "capital letters are needed, such as USD")
    if not isinstance(period, str) or period not in set(Period):
        raise _wrong(f"{place}.period", f"it may be {', '.join(Period)}")
    return Budget(amount, currency, Period(period))


def _wrong(place: str, text: str) -> Refused:
    return refused(400, Category.INVALID_REQUEST, f"{place}: {text}.")


PATH = "/v1/keys/{client}/allowance"
ROUTES = [
    Route(PATH, show),
    Route(PATH, replace, methods=["PUT"]),
    Route(PATH, remove, methods=["DELETE"]),
]
