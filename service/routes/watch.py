"""`POST /v1/watch`: a task that was created at a provider itself becomes a callback."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from adapters.messages import Category
from service.domain.tell import summary
from service.errors import Refused, refused
from service.keys.clients import Client
from service.looking.find import Wish
from service.receivers.audience import Wanted
from service.receivers.endpoint_fields import read_events, read_format
from service.routes.edge import METADATA_BYTES, caller, house_of, read_fields

FIELDS = ("provider", "task_id", "callback_url", "endpoint", "events", "format", "upstream_key", "model", "metadata")
VISIBLE = re.compile(r"[!-~]+")
LONGEST_ID, LONGEST_KEY, LONGEST_MODEL = 200, 1000, 200


async def watch(request: HttpRequest) -> HttpResponse:
    """The task as it is now: 201 if it is new, 200 if the client had it before (its URL is then told too)."""
    client = await caller(request)
    house = house_of(request)
    fields = await read_fields(request, FIELDS)
    wish = replace(_wish(client, fields), audience=await house.audience.of(client, _wanted(fields)))
    task, new = await house.watcher.watch(wish)
    return JSONResponse(summary(task), 201 if new else 200)


def _wish(client: Client, fields: Mapping[str, Any]) -> Wish:
    """Raises `Refused` (400), naming the field; never what it held."""
    provider, task_id, model = _text(fields, "provider"), _text(fields, "task_id"), _text(fields, "model")
    key, metadata = fields.get("upstream_key"), fields.get("metadata")
    if not provider:
        raise _wrong("provider", "the name of a provider is needed")
    if not VISIBLE.fullmatch(task_id) or len(task_id) > LONGEST_ID or task_id in (".", ".."):
        raise _wrong("task_id", f"the provider's id is needed, at most {LONGEST_ID} visible ASCII characters")
    if key is not None and (not isinstance(key, str) or not VISIBLE.fullmatch(key) or len(key) > LONGEST_KEY):
        raise _wrong("upstream_key", "visible ASCII characters without blanks are needed")
    if len(model) > LONGEST_MODEL:
        raise _wrong("model", f"at most {LONGEST_MODEL} characters are allowed")
    if metadata is not None and not (isinstance(metadata, dict) and len(json.dumps(metadata)) <= METADATA_BYTES):
        raise _wrong("metadata", f"an object of at most {METADATA_BYTES} bytes is needed")
    return Wish(client, provider, task_id, key=key, model=model, metadata=metadata)


def _wanted(fields: Mapping[str, Any]) -> Wanted:
    url, endpoint, form = (fields.get(name) for name in ("callback_url", "endpoint", "format"))
    if url is not None and not isinstance(url, str):
        raise _wrong("callback_url", "a text is needed, the address to POST to")
    if endpoint is not None and not isinstance(endpoint, str):
        raise _wrong("endpoint", "a text is needed, the id of an endpoint")
    events = read_events("events", fields.get("events"))
    return Wanted(url or None, endpoint, None if form is None else read_format("format", form), events)


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise _wrong(name, "a text is needed")
    return value or ""


def _wrong(field: str, text: str) -> Refused:
    return refused(400, Category.INVALID_REQUEST, f"{field}: {text}.")


ROUTES = [Route("/v1/watch", watch, methods=["POST"])]
