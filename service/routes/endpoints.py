"""Endpoints under /v1/endpoints: each client its own, the operator all of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from adapters.messages import Category
from service.domain.deliveries import DisabledBy, Endpoint
from service.domain.findings import Level
from service.domain.lanes import Lane, Pause
from service.domain.tell import iso
from service.errors import refused
from service.keys.asymmetric import jwk_of
from service.keys.vault import Unopenable
from service.receivers.endpoint_fields import CHANGEABLE, wrong
from service.receivers.endpoints import Endpoints, Shown
from service.routes.edge import caller, house_of, not_found, read_fields, scope
from service.routes.pages import cursor, page


async def list_endpoints(request: HttpRequest) -> HttpResponse:
    client = await caller(request)
    house = house_of(request)
    before, limit = page(request)
    found = await house.store.endpoints.recent(scope(client), before, limit)
    lanes = await house.store.lanes.several([one.id for one in found])
    listed = [shown(one, house.endpoints) | _health(lanes[one.id]) for one in found]
    return JSONResponse({"endpoints": listed, "cursor": cursor([(one.created_at, one.id) for one in found], limit)})


async def create(request: HttpRequest) -> HttpResponse:
    """Only `url` is needed. The secret is shown this once. The operator may make one for another `client`."""
    client = await caller(request)
    house = house_of(request)
    fields = dict(await read_fields(request, (*CHANGEABLE, "secret", *(("client",) if client.admin else ()))))
    owner = fields.pop("client", client.id)
    if owner != client.id and not (isinstance(owner, str) and await house.clients.meant_by(owner) == (owner,)):
        raise wrong("client", "the id of a client key is needed (`ringback keys list`), or env:NAME")
    return JSONResponse(_with_secret(await house.endpoints.create(owner, fields), house.endpoints), 201)


async def endpoint(request: HttpRequest) -> HttpResponse:
    client = await caller(request)
    house = house_of(request)
    found = await house.store.endpoints.get(_named(request), scope(client))
    if found is None:
        raise not_found("endpoint")
    lanes = await house.store.lanes.several([found.id])
    return JSONResponse(shown(found, house.endpoints) | _health(lanes[found.id]))


async def change(request: HttpRequest) -> HttpResponse:
    """What is named is changed; null means the usual. Messages that wait go to the new URL."""
    client = await caller(request)
    house = house_of(request)
    fields = await read_fields(request, CHANGEABLE)
    changed = await house.endpoints.change(_named(request), scope(client), fields)
    house.workers["deliver"].wake()
    return _answer(changed, house.endpoints)


async def delete(request: HttpRequest) -> HttpResponse:
    """What was to be sent there is abandoned; what was sent stays readable."""
    client = await caller(request)
    if not await house_of(request).store.endpoints.delete(_named(request), scope(client)):
        raise not_found("endpoint")
    return HttpResponse(status_code=204)


async def disable(request: HttpRequest) -> HttpResponse:
    """Nothing more is sent there; what there is to send is kept until it is enabled."""
    client = await caller(request)
    house = house_of(request)
    by = DisabledBy.OPERATOR if client.admin else DisabledBy.CLIENT
    return _answer(await house.endpoints.disable(_named(request), scope(client), by), house.endpoints)


async def enable(request: HttpRequest) -> HttpResponse:
    client = await caller(request)
    house = house_of(request)
    enabled = await house.endpoints.enable(_named(request), scope(client))
    house.workers["deliver"].wake()
    return _answer(enabled, house.endpoints)


async def rotate(request: HttpRequest) -> HttpResponse:
    """`{"overlap_seconds"?, "secret"?}`: until the overlap is over, messages carry the signatures of both."""
    client = await caller(request)
    house = house_of(request)
    fields = await read_fields(request, ("overlap_seconds", "secret"))
    rotated = await house.endpoints.rotate(_named(request), scope(client), fields)
    if rotated is None:
        raise not_found("endpoint")
    return JSONResponse(_with_secret(rotated, house.endpoints))


async def check(request: HttpRequest) -> HttpResponse:
    """`{"url" or "endpoint"}`: test messages are sent there, one good and two that a receiver must refuse."""
    client = await caller(request)
    house = house_of(request)
    fields = await read_fields(request, ("url", "endpoint"))
    url, named = fields.get("url"), fields.get("endpoint")
    if not isinstance(url if named is None else named, str) or None not in (url, named):
        raise wrong("url", "a text is needed, the address to check; or the id of an endpoint in `endpoint`")
    if named is not None:
        found = await house.store.endpoints.get(named, scope(client))
        if found is None:
            raise not_found("endpoint")
        url = found.url
    findings = await house.preflight.check(str(url), client.id, named)
    ok = all(finding.level is not Level.PROBLEM for finding in findings)
    return JSONResponse({"url": url, "ok": ok, "findings": [asdict(finding) for finding in findings]})


async def public_keys(request: HttpRequest) -> HttpResponse:
    """A JSON Web Key Set (RFC 7517). It needs no key: receivers fetch it, and an endpoint's id is not guessed."""
    try:
        keys = await house_of(request).endpoints.public_keys(_named(request))
    except Unopenable as error:
        text = "The key of this endpoint was sealed with a secret key that this server no longer has."
        raise refused(503, Category.OURS, text) from error
    if keys is None:
        raise not_found("endpoint")
    headers = {"cache-control": "public, max-age=300"}
    return JSONResponse({"keys": [jwk_of(key) for key in keys]}, headers=headers)


def shown(endpoint: Endpoint, endpoints: Endpoints) -> dict[str, Any]:
    """Without its secret and the values of its headers, which may be secrets."""
    names = ("id", "client", "url", "description", "format", "signature", "timeout_seconds", "rate_per_second")
    return {
        **{name: getattr(endpoint, name) for name in (*names, "concurrency")},
        "events": endpoint.events,
        "schedule": endpoint.schedule,
        "default": endpoint.is_default,
        "header_names": endpoints.header_names(endpoint),
        "public_key": endpoints.public_key(endpoint),
        "disabled_at": iso(endpoint.disabled_at) if endpoint.disabled_at else None,
        "disabled_by": endpoint.disabled_by,
        "created_at": iso(endpoint.created_at),
        "updated_at": iso(endpoint.updated_at),
    }


def _health(lane: Lane) -> dict[str, Any]:
    """How its receiver fares; a disabled one is not paused, but disabled."""
    paused = lane.paused_until if lane.pause is not Pause.DISABLED else None
    times = {"failing_since": lane.failing_since, "succeeded_at": lane.succeeded_at, "paused_until": paused}
    return {
        "health": {
            "standing": lane.standing,
            "failures": lane.failures,
            "pause": lane.pause if paused else None,
            **{name: iso(at) if at else None for name, at in times.items()},
        }
    }


def _with_secret(made: Shown, endpoints: Endpoints) -> dict[str, Any]:
    until = iso(made.until) if made.until else None
    return shown(made.endpoint, endpoints) | {"secret": made.secret, "old_secret_until": until}


def _answer(found: Endpoint | None, endpoints: Endpoints) -> HttpResponse:
    if found is None:
        raise not_found("endpoint")
    return JSONResponse(shown(found, endpoints))


def _named(request: HttpRequest) -> str:
    name: str = request.path_params["endpoint_id"]
    return name


ONE = "/v1/endpoints/{endpoint_id}"
ROUTES = [
    Route("/v1/endpoints", list_endpoints),
    Route("/v1/endpoints", create, methods=["POST"]),
    Route("/v1/endpoints/check", check, methods=["POST"]),
    Route(ONE, endpoint),
    Route(ONE, change, methods=["PATCH"]),
    Route(ONE, delete, methods=["DELETE"]),
    Route(f"{ONE}/disable", disable, methods=["POST"]),
    Route(f"{ONE}/enable", enable, methods=["POST"]),
    Route(f"{ONE}/rotate-secret", rotate, methods=["POST"]),
    Route(f"{ONE}/jwks.json", public_keys),
]
