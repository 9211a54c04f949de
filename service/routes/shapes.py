"""The drop-in shapes: create and query, in whatever words the client speaks."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from uuid import uuid4

from starlette.background import BackgroundTask
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from adapters.base import Adapter, BatchAdapter, CancelAdapter, ListAdapter
from adapters.messages import Acceptance, Category, Fields, Listing, Page, Query, Report, State, Unreadable
from service.domain.tasks import TOLD, Task, describe
from service.errors import refused
from service.jsondoor import Malformed, read_json
from service.keys.clients import Client
from service.receivers.audience import Wanted
from service.receivers.endpoint_fields import read_events, read_format
from service.routes.edge import (
    METADATA_BYTES,
    House,
    caller,
    house_of,
    message,
    parse,
    read_body,
    read_json_body,
    reply,
    scope,
    shape_name,
)
from service.routes.holding import hold, preferred, watched
from service.sending.answers import digest
from service.sending.submit import Order

AUDIENCE_HEADERS = ("x-callback-url", "x-callback-format", "x-callback-endpoint", "x-callback-events")
ORDER_HEADERS = ("x-callback-url", "x-callback-format", "x-ringback-metadata", "x-ringback-provider")
"""Headers of a create that mean something to us; never sent upstream."""


async def create(request: HttpRequest) -> HttpResponse:
    house = house_of(request)
    began = house.clock()
    client = await caller(request)
    name = shape_name(request.url.path)
    order = await _order(request, client, name)
    async with watched(request, order.connection):
        task, submission = await house.submitter.submit(order)
        if submission.hold:
            seconds = min(submission.timeout or house.limits.hold_seconds, house.limits.hold_seconds)
            task = await hold(house, task, order.connection, max(seconds - (house.clock() - began) / 1000, 0.0))
        response = _created(house.shapes[name], task, held=submission.hold)
    response.background = BackgroundTask(house.submitter.answered, task, order.connection)
    return response


def _created(shape: Adapter, task: Task, *, held: bool) -> HttpResponse:
    """A failed generation is 200 for a held request too: on an error the SDKs would create the job again."""
    if held and task.ended:
        return JSONResponse(shape.write_callback(describe(task)))
    return reply(shape.write_acceptance(Acceptance(task.id, task.request_id, task.trace_id)))


async def query(request: HttpRequest) -> HttpResponse:
    house = house_of(request)
    client = await caller(request)
    shape = house.shapes[shape_name(request.url.path)]
    body = await read_json_body(request, house.limits.other_bytes) if request.method == "POST" else None
    read = message(request, shape, body)
    if isinstance(shape, ListAdapter) and (listing := shape.read_listing(read)) is not None:
        return await _listed(house, shape, listing, client)
    asked = shape.read_query(read)
    found = await house.store.lookups.tasks_by_id(asked.task_ids, scope(client))
    if asked.batch and isinstance(shape, BatchAdapter):
        return reply(shape.write_reports(tuple(describe(task) for task in found)))
    if not found:
        return reply(shape.write_report(_unknown(asked)))
    task, headers = await preferred(request, found[0])
    response = reply(shape.write_report(describe(task)))
    response.headers.update(headers)
    return response


async def _listed(house: House, shape: ListAdapter, listing: Listing, client: Client) -> HttpResponse:
    states = [state for state, told in TOLD.items() if told is listing.state]
    tasks, total = await house.store.lookups.listing(listing, states, scope(client))
    reports = tuple(describe(task) for task in tasks)
    return reply(shape.write_page(Page(reports, total, listing.offset, listing.limit, str(uuid4()))))


async def cancel(request: HttpRequest) -> HttpResponse:
    """An unknown or foreign id reads as too late, as DashScope's own answer has it."""
    house = house_of(request)
    client = await caller(request)
    shape = house.shapes[shape_name(request.url.path)]
    assert isinstance(shape, CancelAdapter), "the routes below have it for shapes that can"
    task_id = shape.read_cancel(message(request, shape, None))
    task = await house.store.lookups.task(task_id, scope(client))
    canceled = task is not None and (await house.canceller.cancel(task)).canceled
    return reply(shape.write_cancel_reply(canceled, str(uuid4())))


def _unknown(asked: Query) -> Report:
    return Report(task_id=asked.task_ids[0], state=State.UNKNOWN, service=asked.service, request_id=str(uuid4()))


async def _order(request: HttpRequest, client: Client, shape: str) -> Order:
    house = house_of(request)
    headers = [request.headers.get(name) for name in ORDER_HEADERS]
    metadata, provider = headers[2:]
    raw = await read_body(request, house.limits.create_bytes)
    read = message(request, house.shapes[shape], await parse(raw))
    if not isinstance(read.body, dict):
        raise Unreadable("", "the body must be a JSON object.")
    return Order(
        shape=shape,
        request=read,
        client=client,
        wanted=_wanted(request),
        metadata=_metadata(metadata),
        provider=provider,
        digest=digest(raw, *headers, *_younger(request)),
        idempotency_key=_idempotency_key(request),
    )


def _wanted(request: HttpRequest) -> Wanted:
    url, form, endpoint, events = (request.headers.get(name) for name in AUDIENCE_HEADERS)
    types = None if events is None else [text.strip() for text in events.split(",")]
    return Wanted(
        url,
        endpoint,
        None if form is None else read_format("X-Callback-Format", form),
        read_events("X-Callback-Events", types),
        ("X-Callback-Endpoint", "X-Callback-Events"),
    )


def _younger(request: HttpRequest) -> list[str]:
    """Headers that did not count when digests were first kept: one that is missing leaves a digest as it was."""
    return [f"{name} {request.headers[name]}" for name in AUDIENCE_HEADERS[2:] if name in request.headers]


def _idempotency_key(request: HttpRequest) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not re.fullmatch(r"[ -~]{1,255}", key):
        text = "Idempotency-Key: 1 to 255 printable ASCII characters are allowed."
        raise refused(400, Category.INVALID_REQUEST, text)
    return key


def _metadata(text: str | None) -> Fields | None:
    if text is None:
        return None
    try:
        value = read_json(text.encode("latin-1")) if len(text) <= METADATA_BYTES else None
    except Malformed as error:
        raise refused(400, Category.INVALID_REQUEST, f"X-Ringback-Metadata: {error}") from error
    if not isinstance(value, dict):
        raise refused(400, Category.INVALID_REQUEST, "X-Ringback-Metadata: a JSON object of at most 4096 bytes.")
    return value


def _both(path: str, endpoint: Callable[[HttpRequest], Awaitable[HttpResponse]], method: str) -> list[Route]:
    """With and without the trailing slash that some SDKs append: a redirect would lose the body behind TLS."""
    return [Route(variant, endpoint, methods=[method]) for variant in (path, f"{path}/")]


ROUTES = [
    *(route for path in ("/wan/videos", "/happyhorse/videos") for route in _both(path, create, "POST")),
    *(route for path in ("/wan/tasks", "/happyhorse/tasks") for route in _both(path, query, "POST")),
    *(
        route
        for prefix in ("/api/v1", "/wan/api/v1")
        for route in (
            *_both(f"{prefix}/services/aigc/video-generation/video-synthesis", create, "POST"),
            *_both(f"{prefix}/services/aigc/image2video/video-synthesis", create, "POST"),
            *_both(f"{prefix}/tasks", query, "GET"),
            *_both(f"{prefix}/tasks/{{task_id}}", query, "GET"),
            *_both(f"{prefix}/tasks/{{task_id}}/cancel", cancel, "POST"),
        )
    ),
    *_both("/v1/tasks/{task_id}", query, "GET"),
]
