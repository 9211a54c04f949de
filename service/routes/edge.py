"""What every route shares: who is calling, reading a body, and errors in the caller's own shape."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse

from adapters.base import Adapter
from adapters.catalogue import Catalogue
from adapters.messages import Category, Refusal, Request, Response, Unreadable
from service.accounts.learning import Learned
from service.accounts.upstreams import Upstreams
from service.clock import Clock
from service.domain.tell import Teller
from service.doubts.adopt import Adopter
from service.doubts.reopen import Reopener
from service.doubts.settle import Settler
from service.errors import Refused, refused
from service.jsondoor import Malformed, read_json
from service.keeping.expunge import Expunger
from service.keys.clients import Client, Clients
from service.keys.signing import CallbackTokens
from service.logs import get_logger
from service.looking.push import PushDesk
from service.looking.watch import Watcher
from service.receivers.audience import Audience
from service.receivers.endpoints import Endpoints
from service.receivers.preflight import Preflight
from service.receivers.trials import Trials
from service.sending.cancel import Canceller
from service.sending.explain import Explainer
from service.sending.submit import Submitter
from service.store import Store
from service.telling.replay import Replayer
from service.telling.streams import Streams
from service.telling.waiting import WaitingRoom
from service.worker import Worker

log = get_logger("routes")
OFF_LOOP_BYTES = 256 * 1024
METADATA_BYTES = 4096
GATEWAY_QUERY = re.compile(r"/v1/tasks/[^/]*/?")  # what lies below a task is our own API
STATUS_CATEGORY: Mapping[int, Category] = {
    401: Category.AUTH,
    403: Category.AUTH,
    404: Category.NOT_FOUND,
    405: Category.METHOD,
    413: Category.TOO_LARGE,
    415: Category.MEDIA_TYPE,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Bodies in bytes, holding in seconds, keeping in days (0: for ever)."""

    create_bytes: int
    hold_seconds: float
    keep_tasks_days: int
    callback_bytes: int = 256 * 1024
    other_bytes: int = 1024 * 1024


@dataclass(frozen=True, slots=True)
class House:
    """What the routes reach; the composition root fills it. `workers` has a "deliver" and a "look.<label>" for each
    upstream account. `instance` is this run of the server."""

    store: Store
    clients: Clients
    audience: Audience
    endpoints: Endpoints
    preflight: Preflight
    submitter: Submitter
    canceller: Canceller
    adopter: Adopter
    reopener: Reopener
    settler: Settler
    replayer: Replayer
    expunger: Expunger
    explainer: Explainer
    watcher: Watcher
    waiting: WaitingRoom
    streams: Streams
    trials: Trials
    tokens: CallbackTokens
    learned: Learned
    pushes: PushDesk
    teller: Teller
    shapes: Mapping[str, Adapter]
    upstreams: Upstreams
    catalogue: Catalogue
    workers: Mapping[str, Worker[Any]]
    limits: Limits
    clock: Clock
    instance: str


def house_of(request: HttpRequest) -> House:
    house: House = request.app.state.house
    return house


def shape_name(path: str) -> str:
    """The shape that a path belongs to, "" for our own API."""
    if path.startswith("/api/v1/") or (path.startswith("/wan/api/v1/") and "/services/" not in path):
        return "native"
    if path.startswith("/wan/api/") or GATEWAY_QUERY.fullmatch(path):
        return "gateway"
    return "flat" if path.startswith(("/wan/", "/happyhorse/")) else ""


async def caller(request: HttpRequest) -> Client:
    """Raises `Refused` (401) for a bearer that is nobody's."""
    house = house_of(request)
    client = await house.clients.of(bearer(request))
    if client is None:
        raise refused(401, Category.AUTH, "Send a client key of this server as `Authorization: Bearer <key>`.")
    if await house.clients.is_open():
        _check_open_mode(request)
    return client


async def admin(request: HttpRequest) -> Client:
    client = await caller(request)
    if not client.admin:
        raise refused(
            403,
            Category.AUTH,
            "This needs the admin token (RINGBACK_ADMIN_TOKEN) as its bearer; the command line sends RINGBACK_KEY.",
        )
    return client


def bearer(request: HttpRequest) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


async def read_body(request: HttpRequest, most: int) -> bytes:
    """Counts on the stream, so that a chunked body is capped too. Raises `Refused` (413)."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise refused(413, Category.TOO_LARGE, f"The body is larger than the {most} bytes allowed here.")
        chunks.append(chunk)
    return b"".join(chunks)


async def read_json_body(request: HttpRequest, most: int) -> Any:
    """Raises `Refused` (400, 413) naming the place of what is wrong. An empty body is None."""
    return await parse(await read_body(request, most))


async def read_fields(
    request: HttpRequest, known: Collection[str], most: int | None = None, *, optional: bool = False
) -> Mapping[str, Any]:
    """The body of a call of our own API: an object with `known` fields; where it is `optional`, no body is one without
    any. Raises `Refused` (400, 413), naming another field."""
    body = await read_json_body(request, most or house_of(request).limits.other_bytes)
    if body is None and optional:
        return {}
    if not isinstance(body, dict):
        raise refused(400, Category.INVALID_REQUEST, "The body must be a JSON object.")
    for name in body:
        if name not in known:
            raise refused(400, Category.INVALID_REQUEST, f"{name[:80]}: it may be {', '.join(known)}.")
    return body


async def parse(body: bytes) -> Any:
    """Raises `Refused` (400). A large body is parsed off the loop."""
    if not body:
        return None
    try:
        if len(body) > OFF_LOOP_BYTES:
            return await asyncio.to_thread(read_json, body)
        return read_json(body)
    except Malformed as error:
        raise refused(400, Category.INVALID_REQUEST, str(error)) from error


def message(request: HttpRequest, shape: Adapter, body: Any) -> Request:
    """The request as its adapter reads it, without the caller's key."""
    kept = {name: request.headers[name] for name in shape.kept_headers if name in request.headers}
    return Request(request.method, request.url.path, body, dict(request.query_params), kept)


def reply(response: Response) -> HttpResponse:
    return JSONResponse(response.body, response.status, headers=dict(response.headers))


async def on_refused(request: HttpRequest, error: Exception) -> HttpResponse:
    assert isinstance(error, Refused)
    return _in_shape(request, error.refusal)


async def on_unreadable(request: HttpRequest, error: Exception) -> HttpResponse:
    return _in_shape(request, refused(400, Category.INVALID_REQUEST, str(error)).refusal)


async def on_http_error(request: HttpRequest, error: Exception) -> HttpResponse:
    assert isinstance(error, HTTPException)
    category = STATUS_CATEGORY.get(error.status_code, Category.INVALID_REQUEST)
    text = {404: "There is nothing at this path.", 405: f"{request.method} is not allowed at this path."}
    refusal = refused(error.status_code, category, text.get(error.status_code, error.detail)).refusal
    response = _in_shape(request, refusal)
    response.headers.update(error.headers or {})
    return response


async def on_hung_up(request: HttpRequest, error: Exception) -> HttpResponse:
    """The client left before its body was here: nobody is there to be answered, and nothing failed."""
    return HttpResponse(status_code=400)


async def on_failure(request: HttpRequest, error: Exception) -> HttpResponse:
    log.failure("request.failed", error, method=request.method)
    refusal = refused(500, Category.TRANSIENT, "This server failed to handle the request; the error is in its log.")
    return _in_shape(request, refusal.refusal)


HANDLERS: Mapping[Any, Any] = {
    Refused: on_refused,
    Unreadable: on_unreadable,
    HTTPException: on_http_error,
    ClientDisconnect: on_hung_up,
    Exception: on_failure,
}


def _in_shape(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    refusal = refusal if refusal.request_id else replace(refusal, request_id=str(uuid4()))
    path = request.url.path
    own = request.method == "DELETE" and GATEWAY_QUERY.fullmatch(path)  # to expunge a task is our own call
    shape = None if own else house_of(request).shapes.get(shape_name(path))
    if shape is None:
        code = refusal.failure.code or refusal.failure.category.value
        response: HttpResponse = JSONResponse(
            {"error": {"code": code, "message": refusal.failure.message}}, refusal.status
        )
    else:
        response = reply(shape.write_refusal(refusal))
    if response.status_code >= 500 or request.method == "POST":
        response.headers["x-should-retry"] = "false"  # SDKs would create the job again
    if refusal.retry_after:
        response.headers["retry-after"] = str(int(refusal.retry_after))
    return response


def _check_open_mode(request: HttpRequest) -> None:
    """Without keys any web page could spend the operator's money through the browser."""
    if request.headers.get("sec-fetch-site") == "cross-site" or _foreign_origin(request):
        raise refused(403, Category.AUTH, "A page of another origin may not use this server while it has no keys.")
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "POST" and content_type != "application/json":
        raise refused(415, Category.MEDIA_TYPE, "Send Content-Type: application/json.")


def _foreign_origin(request: HttpRequest) -> bool:
    origin = request.headers.get("origin")
    return origin is not None and origin != f"{request.url.scheme}://{request.headers.get('host', '')}"


def scope(client: Client) -> str | None:
    """Whose rows a client may see; None: everyone's."""
    return None if client.admin else client.id


def unknown_task(request: HttpRequest) -> Refused:
    days = house_of(request).limits.keep_tasks_days
    kept = f" A task is deleted {days} days after its end, or when it is expunged." if days else ""
    return refused(404, Category.NOT_FOUND, f"There is no such task.{kept}", "not_found")


def not_found(noun: str) -> Refused:
    return refused(404, Category.NOT_FOUND, f"There is no such {noun}.", "not_found")
