"""Where upstreams call back. A callback is a hint: it is kept and makes one authenticated read due."""

from __future__ import annotations

import hashlib

from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from adapters.base import Adapter
from adapters.eventbridge import read_event
from adapters.messages import Unreadable
from adapters.providers import Provider
from service.jsondoor import Malformed, read_json
from service.logs import get_logger
from service.looking.push import Forged, installation
from service.routes.edge import house_of, read_body

log = get_logger("callbacks")
LONGEST_ID = 200


async def callback(request: HttpRequest) -> HttpResponse:
    """A token that is bad, altered, unknown or another provider's gets the 404 of any path where there is nothing,
    without a look at the body. What a provider says that was taken out of the settings is kept until it is back."""
    house = house_of(request)
    placement_id = house.tokens.read(request.path_params["token"])
    pushing = house.upstreams.pool(request.path_params["provider"])
    if pushing and pushing[0].provider.pushes and placement_id == installation(pushing[0].provider):
        return await _push(request, pushing[0].provider)
    placement = await house.store.lookups.placement(placement_id) if placement_id else None
    if placement is None or placement.provider != request.path_params["provider"]:
        raise HTTPException(404)
    row = house.catalogue.providers.get(placement.provider)
    body = await read_body(request, house.limits.callback_bytes)
    digest = hashlib.sha256(body).hexdigest()
    named = _named_id(house.shapes[row.shape], body) if row else None
    kept = await house.store.placements.keep_callback(placement.id, digest, body, named, house.clock())
    if kept is not None and (upstream := house.upstreams.serving(placement)):
        house.workers[f"look.{upstream.label}"].wake()
    return JSONResponse({"ok": True})


async def _push(request: HttpRequest, provider: Provider) -> HttpResponse:
    """Some task of the account has ended. What is not believed gets one constant reply; what is believed and not ours
    is acknowledged and dropped, because the account may have other programs."""
    house = house_of(request)
    body = await read_body(request, house.limits.callback_bytes)
    try:
        await house.pushes.check(provider, request.path_params["token"], request.headers, body)
    except Forged as error:
        log.event("push.refused", provider=provider.name, reason=str(error))
        raise HTTPException(403) from error
    try:
        ended = read_event(read_json(body))
    except (Malformed, Unreadable) as error:
        log.event("push.unreadable", provider=provider.name, reason=type(error).__name__)
        ended = None
    placement = await house.store.lookups.placement_of(provider.name, ended.task_id) if ended else None
    if ended is not None and placement is not None:
        digest = hashlib.sha256(ended.event.encode()).hexdigest()  # a retry of the event is the same callback
        kept = await house.store.placements.keep_callback(placement.id, digest, body, None, house.clock(), "push")
        if kept is not None and (upstream := house.upstreams.serving(placement)):
            house.workers[f"look.{upstream.label}"].wake()
    return JSONResponse({"ok": True})


def _named_id(shape: Adapter, body: bytes) -> str | None:
    """The upstream's task id that the body names; None where it cannot be read. It is believed only with proof."""
    try:
        named = shape.read_callback(read_json(body)).task_id
    except (Malformed, Unreadable):
        return None
    return named if 0 < len(named) <= LONGEST_ID else None


ROUTES = [Route("/callbacks/{provider}/{token}", callback, methods=["POST"])]
