"""Where upstreams call back. A callback is a hint: it is kept and makes one authenticated read due."""

from __future__ import annotations

import hashlib

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from adapters.base import Adapter
from adapters.messages import Unreadable
from service.jsondoor import Malformed, read_json
from service.routes.edge import house_of, read_body


async def callback(request: HttpRequest) -> HttpResponse:
    """A token that is bad, altered, unknown or another provider's gets one constant 404, without a look at the body."""
    house = house_of(request)
    placement_id = house.tokens.read(request.path_params["token"])
    placement = await house.store.lookups.placement(placement_id) if placement_id else None
    if placement is None or placement.provider != request.path_params["provider"]:
        return JSONResponse({"error": {"code": "not_found", "message": "There is nothing at this path."}}, 404)
    body = await read_body(request, house.limits.callback_bytes)
    shape = house.shapes[house.upstream_shapes[placement.provider]]
    digest = hashlib.sha256(body).hexdigest()
    kept = await house.store.placements.keep_callback(placement.id, digest, body, _named_id(shape, body), house.clock())
    if kept is not None:
        house.workers[f"look.{placement.provider}"].wake()
    return JSONResponse({"ok": True})


def _named_id(shape: Adapter, body: bytes) -> str | None:
    """The upstream's task id that the body names; None where it cannot be read. It is believed only with proof."""
    try:
        return shape.read_callback(read_json(body)).task_id or None
    except (Malformed, Unreadable):
        return None


ROUTES = [Route("/callbacks/{provider}/{token}", callback, methods=["POST"])]
