"""Money as our API says it: in micros, millionths of a unit of its currency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from adapters.messages import Category
from service.domain.ledger import Charge
from service.errors import refused
from service.routes.edge import caller, house_of, scope
from service.routes.pages import since, until
from service.store.costs import By, Spent


def charged(charge: Charge) -> dict[str, Any]:
    """`estimate` is what it costs at most, `amount` what it did cost, null while that is open; where the catalogue
    knows no price all is null."""
    return {
        "currency": charge.currency or None,
        "resolution": charge.resolution or None,
        "per_second_micros": charge.per_second,
        "estimate_micros": charge.estimate,
        "amount_micros": charge.amount,
    }


async def cost(request: HttpRequest) -> HttpResponse:
    """What was spent `by` key, model, provider, day (several with commas), of what was submitted from `since` on and
    before `until`; the operator may ask for one `client`."""
    asking = await caller(request)
    house = house_of(request)
    by = _groups(request.query_params.get("by", ""))
    wanted = request.query_params.get("client") or scope(asking)
    if not asking.admin and wanted != asking.id:
        raise refused(403, Category.AUTH, "client: what others spend is shown with the admin token only.")
    now = house.clock()
    earliest, latest = since(request, now), until(request, now)
    found, totals = await house.store.costs.spent(by, wanted, earliest, latest)
    names = {key.id: key.name for key in await house.clients.list()} if By.KEY in by else {}
    return JSONResponse(
        {
            "by": list(by),
            "rows": [_group(one, names) | _spent(one) for one in found],
            "totals": [_spent(one) for one in totals],
        }
    )


def _groups(text: str) -> tuple[By, ...]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in set(By) or words.count(word) > 1:
            raise refused(400, Category.INVALID_REQUEST, f"by: it may be {', '.join(By)}, each once, with commas.")
    return tuple(map(By, words))


def _group(one: Spent, names: Mapping[str, str]) -> dict[str, str]:
    key = one.of.get(By.KEY)
    return {**one.of} | ({} if key is None else {"name": names.get(key, key.removeprefix("env:"))})


def _spent(one: Spent) -> dict[str, Any]:
    return {
        "currency": one.currency or None,
        "tasks": one.tasks,
        "settled_micros": one.settled,
        "running_micros": one.running,
        "in_doubt_micros": one.in_doubt,
        "unpriced": one.unpriced,
    }


ROUTES = [Route("/v1/cost", cost)]
