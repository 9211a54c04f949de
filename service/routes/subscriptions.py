"""Subscriptions of a task that is already there: late ones and several. One to an ended task is told at once."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from adapters.messages import Category
from service.deliveries import Format, Subscription
from service.errors import refused
from service.routes.edge import caller, house_of, not_found, read_fields, scope
from service.tell import iso


async def subscribe(request: HttpRequest) -> HttpResponse:
    """`{"url", "format"?}`; the same URL and format again is the same subscription (200 instead of 201)."""
    client = await caller(request)
    house = house_of(request)
    fields = await read_fields(request, ("url", "format"))
    url, form = fields.get("url"), fields.get("format", Format.OWN)
    if not isinstance(url, str):
        raise refused(400, Category.INVALID_REQUEST, "url: a text is needed, the address to POST to.")
    if form not in list(Format):
        raise refused(400, Category.INVALID_REQUEST, f"format: it may be {' or '.join(Format)}.")
    await house.submitter.check_callback(url)
    wanted = Subscription(str(uuid4()), request.path_params["task_id"], url, Format(form), house.clock())
    kept = await house.store.tasks.subscribe(wanted, scope(client), house.teller.message)
    if kept is None:
        raise not_found("task")
    house.workers["deliver"].wake()
    return JSONResponse(shown(kept), 201 if kept.id == wanted.id else 200)


async def subscriptions(request: HttpRequest) -> HttpResponse:
    client = await caller(request)
    lookups = house_of(request).store.lookups
    task = await lookups.task(request.path_params["task_id"], scope(client))
    if task is None:
        raise not_found("task")
    return JSONResponse({"subscriptions": [shown(one) for one in await lookups.subscriptions(task.id)]})


def shown(subscription: Subscription) -> dict[str, Any]:
    return {
        "id": subscription.id,
        "url": subscription.url,
        "format": subscription.format,
        "created_at": iso(subscription.created_at),
    }


ROUTES = [
    Route("/v1/tasks/{task_id}/subscriptions", subscribe, methods=["POST"]),
    Route("/v1/tasks/{task_id}/subscriptions", subscriptions),
]
