"""`POST /v1/test-events`: an event that did not happen, to try a receiver with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from adapters.messages import Category
from service.domain.deliveries import Format
from service.domain.tell import EVENT_TYPES
from service.errors import refused
from service.receivers.trials import Wish
from service.routes.edge import caller, house_of, read_fields

FIELDS = ("type", "url", "endpoint", "format", "shape")


async def send(request: HttpRequest) -> HttpResponse:
    """`{"type", "url"?, "endpoint"?, "format"?, "shape"?}`: POSTed once, signed, to a URL or an endpoint of the client;
    without both, handed to its open event streams. No task is touched, nothing is kept."""
    client = await caller(request)
    house = house_of(request)
    wish = _wish(await read_fields(request, FIELDS), tuple(house.shapes))
    tried = await house.trials.send(client, wish)
    message = tried.message
    return JSONResponse(
        {
            "webhook_id": message.id,
            "type": message.type,
            "url": message.url or None,
            "listeners": tried.listeners,
            "delivered": tried.delivered,
            "status": tried.status,
            "reason": tried.reason or None,
            "elapsed_ms": tried.elapsed_ms,
            "body": json.loads(message.body),
        }
    )


def _wish(fields: Mapping[str, Any], shapes: tuple[str, ...]) -> Wish:
    """Raises `Refused` (400), naming the field."""
    for name, allowed in (("type", EVENT_TYPES), ("format", tuple(Format)), ("shape", shapes)):
        if (name == "type" or fields.get(name) is not None) and fields.get(name) not in list(allowed):
            raise refused(400, Category.INVALID_REQUEST, f"{name}: it may be {', '.join(allowed)}.")
    for name in ("url", "endpoint"):
        if not isinstance(fields.get(name, ""), str | None):
            raise refused(400, Category.INVALID_REQUEST, f"{name}: a text is needed.")
    if fields.get("url") is not None and fields.get("endpoint") is not None:
        raise refused(400, Category.INVALID_REQUEST, "endpoint: name either a url or an endpoint.")
    form = fields.get("format")
    if form not in (None, Format.EVENT) and fields.get("url") is None and fields.get("endpoint") is None:
        raise refused(
            400, Category.INVALID_REQUEST, "format: streams tell the format event; name a url or an endpoint."
        )
    given = {name: fields.get(name) for name in ("url", "endpoint")}
    return Wish(fields["type"], **given, format=Format(form) if form else None, shape=fields.get("shape") or "flat")


ROUTES = [Route("/v1/test-events", send, methods=["POST"])]
