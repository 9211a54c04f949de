"""What needs the operator, under /v1/operator/events; for the operator only."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from service.domain.tell import iso
from service.doubts.advice import EVENTS
from service.routes.edge import admin, house_of
from service.routes.pages import cursor, page, since
from service.store.events import OperatorEvent


async def list_events(request: HttpRequest) -> HttpResponse:
    """A page of those of a `kind` that happened (again) since a time."""
    await admin(request)
    house = house_of(request)
    before, limit = page(request)
    kind, earliest = request.query_params.get("kind", ""), since(request, house.clock())
    found = await house.store.events.recent(kind, earliest, before, limit)
    return JSONResponse(
        {"events": [_event(one) for one in found], "cursor": cursor([(one.last_at, one.id) for one in found], limit)}
    )


def _event(event: OperatorEvent) -> dict[str, Any]:
    return {
        "id": event.id,
        "kind": event.kind,
        "subject": event.subject,
        "at": iso(event.at),
        "last_at": iso(event.last_at),
        "times": event.times,
        "fields": dict(event.fields),
        "meaning": EVENTS.get(event.kind),
    }


ROUTES = [Route("/v1/operator/events", list_events)]
