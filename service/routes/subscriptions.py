"""Subscriptions of a task that is already there: late ones and several. One to an ended task is told at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from service.domain.deliveries import Subscription
from service.domain.tell import iso
from service.receivers.audience import Wanted
from service.receivers.endpoint_fields import read_events, read_format, wrong
from service.routes.edge import caller, house_of, read_fields, scope, unknown_task


async def subscribe(request: HttpRequest) -> HttpResponse:
    """`{"url" or "endpoint", "format"?, "events"?}`; the same again is the same subscription (200 instead of 201)."""
    client = await caller(request)
    house = house_of(request)
    wished = _wanted(await read_fields(request, ("url", "endpoint", "format", "events")))
    [wanted] = await house.audience.of(client, wished, default=False)
    wanted = replace(wanted, task=request.path_params["task_id"])
    kept = await house.store.tasks.subscribe(wanted, scope(client), house.teller.message)
    if kept is None:
        raise unknown_task(request)
    house.workers["deliver"].wake()
    return JSONResponse(shown(kept), 201 if kept.id == wanted.id else 200)


def _wanted(fields: Mapping[str, Any]) -> Wanted:
    url, endpoint = fields.get("url"), fields.get("endpoint")
    if endpoint is None and not isinstance(url, str):
        raise wrong("url", "a text is needed, the address to POST to; or the id of an endpoint in `endpoint`")
    if endpoint is not None and (url is not None or not isinstance(endpoint, str)):
        raise wrong("endpoint", "a text is needed, the id of an endpoint, in the place of a url")
    form = read_format("format", fields["format"]) if "format" in fields else None
    return Wanted(url, endpoint, form, read_events("events", fields.get("events")))


async def subscriptions(request: HttpRequest) -> HttpResponse:
    client = await caller(request)
    lookups = house_of(request).store.lookups
    task = await lookups.task(request.path_params["task_id"], scope(client))
    if task is None:
        raise unknown_task(request)
    return JSONResponse({"subscriptions": [shown(one) for one in await lookups.subscriptions(task.id)]})


def shown(subscription: Subscription) -> dict[str, Any]:
    return {
        "id": subscription.id,
        "url": subscription.url,
        "endpoint": subscription.endpoint,
        "format": subscription.format,
        "events": subscription.events,
        "created_at": iso(subscription.created_at),
    }


ROUTES = [
    Route("/v1/tasks/{task_id}/subscriptions", subscribe, methods=["POST"]),
    Route("/v1/tasks/{task_id}/subscriptions", subscriptions),
]
