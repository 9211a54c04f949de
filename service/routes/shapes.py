"""The drop-in shapes: create and query, in whatever words the client speaks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from adapters.base import BatchAdapter
from adapters.messages import Acceptance, Category, Fields, Query, Report, State, Unreadable
from service.clients import Client
from service.errors import refused
from service.jsondoor import Malformed, read_json
from service.routes.edge import House, caller, house_of, message, reply, shape_name
from service.submit import Order
from service.tasks import Format, Task, describe

METADATA_BYTES = 4096


async def create(request: HttpRequest) -> HttpResponse:
    house = house_of(request)
    client = await caller(request)
    name = shape_name(request.url.path)
    shape = house.shapes[name]
    order = await _order(request, client, name)
    task, submission = await house.submitter.submit(order)
    if submission.hold:
        seconds = min(submission.timeout or house.limits.hold_seconds, house.limits.hold_seconds)
        task = await _hold(request, house, task, seconds)
        if task.ended:
            # A failed generation is 200 too: on an error the SDKs would create the job again.
            return JSONResponse(shape.write_callback(describe(task)))
    return reply(shape.write_acceptance(Acceptance(task.id, task.request_id, task.trace_id)))


async def query(request: HttpRequest) -> HttpResponse:
    house = house_of(request)
    client = await caller(request)
    shape = house.shapes[shape_name(request.url.path)]
    asked = shape.read_query(await message(request, shape, house.limits.other_bytes))
    found = await house.store.lookups.tasks_by_id(asked.task_ids, None if client.admin else client.id)
    if asked.batch and isinstance(shape, BatchAdapter):
        return reply(shape.write_reports(tuple(describe(task) for task in found)))
    return reply(shape.write_report(describe(found[0]) if found else _unknown(asked)))


def _unknown(asked: Query) -> Report:
    return Report(task_id=asked.task_ids[0], state=State.UNKNOWN, service=asked.service)


async def _order(request: HttpRequest, client: Client, shape: str) -> Order:
    form = request.headers.get("x-callback-format", Format.OWN)
    if form not in set(Format):
        raise refused(400, Category.INVALID_REQUEST, f"X-Callback-Format: it may be {' or '.join(Format)}.")
    house = house_of(request)
    read = await message(request, house.shapes[shape], house.limits.create_bytes)
    if not isinstance(read.body, dict):
        raise Unreadable("", "the body must be a JSON object.")
    return Order(
        shape=shape,
        request=read,
        client=client,
        callback_url=request.headers.get("x-callback-url"),
        format=Format(form),
        metadata=_metadata(request),
        provider=request.headers.get("x-ringback-provider"),
    )


def _metadata(request: HttpRequest) -> Fields | None:
    text = request.headers.get("x-ringback-metadata")
    if text is None:
        return None
    try:
        value = read_json(text.encode("latin-1")) if len(text) <= METADATA_BYTES else None
    except Malformed as error:
        raise refused(400, Category.INVALID_REQUEST, f"X-Ringback-Metadata: {error}") from error
    if not isinstance(value, dict):
        raise refused(400, Category.INVALID_REQUEST, "X-Ringback-Metadata: a JSON object of at most 4096 bytes.")
    return value


async def _hold(request: HttpRequest, house: House, task: Task, seconds: float) -> Task:
    """Waits for the end without a thread; a client that hangs up leaves its place to others."""
    wait = asyncio.create_task(house.waiting.wait(task, seconds, lambda: house.store.lookups.task(task.id)))
    gone = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({wait, gone}, return_when=asyncio.FIRST_COMPLETED)
        return wait.result() if wait.done() else task
    finally:
        wait.cancel()
        gone.cancel()


async def _disconnected(request: HttpRequest) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


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
            *_both(f"{prefix}/tasks/{{task_id}}", query, "GET"),
        )
    ),
    *_both("/v1/tasks/{task_id}", query, "GET"),
]
