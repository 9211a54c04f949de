"""Client keys under /v1/keys, for the operator only."""

from __future__ import annotations

import re

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from adapters.messages import Category
from service.domain.tell import iso
from service.errors import refused
from service.receivers.endpoint_fields import OVERLAP_SECONDS, read_overlap, read_secret
from service.routes.edge import admin, house_of, not_found, read_fields

FIELDS = ("name", "key", "callback_url", "webhook_secret")
HEADER_TEXT = re.compile(r"[!-~]+")


async def list_keys(request: HttpRequest) -> HttpResponse:
    await admin(request)
    keys = await house_of(request).clients.list()
    return JSONResponse(
        {
            "keys": [
                {
                    "id": key.id,
                    "name": key.name,
                    "callback_url": key.callback_url,
                    "created_at": iso(key.created_at),
                    "revoked_at": iso(key.revoked_at) if key.revoked_at else None,
                }
                for key in keys
            ]
        }
    )


async def revoke_key(request: HttpRequest) -> HttpResponse:
    await admin(request)
    if not await house_of(request).clients.revoke(request.path_params["key_id"]):
        raise not_found("key")
    return HttpResponse(status_code=204)


async def create_key(request: HttpRequest) -> HttpResponse:
    """`{"name", "key"?, "callback_url"?, "webhook_secret"?}`; key and webhook secret are shown this once."""
    await admin(request)
    house = house_of(request)
    fields = await read_fields(request, FIELDS)
    name, key, url, secret = map(fields.get, FIELDS)
    secret = read_secret("webhook_secret", secret)
    optional = all(value is None or isinstance(value, str) for value in (key, url))
    if not isinstance(name, str) or not name or not optional:
        raise refused(400, Category.INVALID_REQUEST, "name: a text is needed; key and callback_url may be texts.")
    if key is not None and not HEADER_TEXT.fullmatch(key):
        raise refused(400, Category.INVALID_REQUEST, "key: visible ASCII characters without blanks are needed.")
    if url is not None:
        await house.audience.check(url)
    made = await house.clients.create(name, key=key, callback_url=url, webhook_secret=secret)
    if made is None:
        raise refused(409, Category.CONFLICT, "key: that key is registered already.")
    shown = {"id": made.id, "name": made.name, "key": made.key, "webhook_secret": made.webhook_secret}
    return JSONResponse(shown, 201)


async def rotate_secret(request: HttpRequest) -> HttpResponse:
    """`{"overlap_seconds"?, "secret"?}`: until the overlap is over, messages carry the signatures of both."""
    await admin(request)
    fields, key = await read_fields(request, ("overlap_seconds", "secret")), request.path_params["key_id"]
    secret = read_secret("secret", fields.get("secret"))
    overlap = read_overlap("overlap_seconds", fields.get("overlap_seconds", OVERLAP_SECONDS))
    rotated = await house_of(request).clients.rotate(key, secret, overlap)
    if rotated is None:
        raise not_found("key")
    return JSONResponse({"id": key, "webhook_secret": rotated[0], "old_secret_until": iso(rotated[1])})


ROUTES = [
    Route("/v1/keys", list_keys),
    Route("/v1/keys", create_key, methods=["POST"]),
    Route("/v1/keys/{key_id}", revoke_key, methods=["DELETE"]),
    Route("/v1/keys/{key_id}/rotate-secret", rotate_secret, methods=["POST"]),
]
