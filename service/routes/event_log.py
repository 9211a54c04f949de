"""The log of events, under /v1/events and /v1/tasks/{id}/events: as server-sent events, or page by page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

from starlette.requests import Request as HttpRequest
from starlette.responses import Response as HttpResponse
from starlette.responses import StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from adapters.messages import Category
from service.domain.deliveries import Format
from service.domain.event_log import STREAMED, Event
from service.domain.tell import EVENT_TYPES, iso
from service.errors import refused
from service.keys.clients import Client
from service.routes.edge import House, bearer, caller, house_of, not_found, scope, unknown_task
from service.routes.holding import applied, wait_asked
from service.routes.pages import WHOLE_NUMBER, limit_of, since
from service.store.event_log import LogPage
from service.telling.follow import Course, follow

SSE = "text/event-stream"
HEARTBEAT = b":\n"
"""A comment. Without an empty line behind it no reader takes it for the end of an event."""

UNBUFFERED = {"cache-control": "no-store", "x-accel-buffering": "no"}
RIGHTS_MS = 60_000
"""How long a key that was revoked may still listen."""


async def of_client(request: HttpRequest) -> HttpResponse:
    """The events of the client (the operator: of all): a stream begins now, pages with the oldest, both behind `after`
    or `Last-Event-ID`, or `since` a time, if that is given."""
    client = await caller(request)
    log = house_of(request).store.event_log
    after = _after(request)
    if after is None and (earliest := since(request, house_of(request).clock())):
        after = await log.before(earliest)
    if after is None and not _streams(request):
        after = 0
    resumed = _after(request) is not None
    head = await log.head()  # a place beyond it is another database's: who waited for that would miss what comes
    start = head if after is None else min(after, head)
    gap = resumed and await log.gap(start)
    return await _told(request, client, Course(start, scope(client), types=_types(request)), gap=gap)


async def of_task(request: HttpRequest) -> HttpResponse:
    """The events of one task, from the first; a stream ends when the task does."""
    client = await caller(request)
    house = house_of(request)
    task = await house.store.lookups.task(request.path_params["task_id"], scope(client))
    if task is None:
        raise unknown_task(request)
    course = Course(_after(request) or 0, scope(client), task.id, _types(request))
    if _streams(request) and (await house.store.event_log.page(course.after, 1, None, task.id, course.types)).ended:
        return HttpResponse(status_code=204)  # a browser's EventSource connects again until it is told this
    return await _told(request, client, course)


async def event(request: HttpRequest) -> HttpResponse:
    """One event, in the very bytes that are POSTed."""
    client = await caller(request)
    seq = request.path_params["seq"]
    found = None
    if WHOLE_NUMBER.fullmatch(seq):
        found = await house_of(request).store.event_log.get(int(seq), scope(client))
    if found is None:
        raise not_found("event")
    return HttpResponse(found.body, media_type="application/json")


async def _told(request: HttpRequest, client: Client, course: Course, *, gap: bool = False) -> HttpResponse:
    """`gap`: not all that there was behind the place is there any more, and the reply says so."""
    if _streams(request):
        return EventStream(request, client, course, gap=gap)
    limit, seconds, form = limit_of(request), wait_asked(request), _form(request)
    page = await _awaited(request, client, course, limit, seconds or 0)
    events = await _in_form(house_of(request), page.events, form)
    listed = b",".join(b'{"id":%d,"event":%b}' % (each.seq, each.body) for each in events)
    body = b'{"events":[%b],"after":%d,"gap":%b}' % (listed, page.after, json.dumps(gap).encode())
    return HttpResponse(body, media_type="application/json", headers=None if seconds is None else applied(seconds))


async def _awaited(request: HttpRequest, client: Client, course: Course, limit: int, seconds: int) -> LogPage:
    """A page with something in it, or the empty one after some seconds."""
    house = house_of(request)

    async def read(after: int) -> LogPage:
        return await house.store.event_log.page(after, limit, course.client, course.task, course.types)

    page = await read(course.after)
    if not seconds or page.events or page.ended:
        return page
    stream, deadline = house.streams.join(client.id, course.client), asyncio.get_running_loop().time() + seconds
    try:
        while True:
            stream.news.clear()
            page = await read(page.after)
            left = deadline - asyncio.get_running_loop().time()
            if page.events or page.ended or house.streams.closed or not await stream.rung(left):
                return page
    finally:
        house.streams.leave(stream)


class EventStream(StreamingResponse):
    """Holds a place among its key's streams until its reader has gone. Raises `Refused` (429) if there is none."""

    def __init__(self, request: HttpRequest, client: Client, course: Course, *, gap: bool) -> None:
        self._house, self._client, self._course, self._gap = house_of(request), client, course, gap
        self._bearer, self._checked = bearer(request), self._house.clock()
        self._stream = self._house.streams.join(client.id, course.client, _form(request))
        super().__init__(self._chunks(), headers=UNBUFFERED, media_type=SSE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["method"] != "HEAD":
                await super().__call__(scope, receive, send)
            else:
                await HttpResponse(headers=UNBUFFERED, media_type=SSE)(scope, receive, send)
        finally:
            self._house.streams.leave(self._stream)

    async def _chunks(self) -> AsyncIterator[bytes]:
        course = self._course
        if not course.task:
            yield _opened(course.after, self._house.clock(), gap=self._gap)
        async for events in follow(self._house.store, self._stream, course, self._goes_on):
            told = await _in_form(self._house, events, self._stream.form)
            yield b"".join(map(_frame, told)) or HEARTBEAT

    async def _goes_on(self) -> bool:
        now = self._house.clock()
        if now - self._checked > RIGHTS_MS:
            self._checked = now
            if await self._house.clients.of(self._bearer) != self._client:
                return False
        return not self._house.streams.closed


async def _in_form(house: House, events: list[Event], form: Format) -> list[Event]:
    """In a client's own shape an event tells how its task is by now. What is in no log has its form already."""
    logged = [event.task for event in events if event.seq and form is Format.OWN]
    tasks = {task.id: task for task in await house.store.lookups.tasks_by_id(logged, None)} if logged else {}
    return [
        replace(event, body=house.teller.own(tasks[event.task])) if event.task in tasks else event for event in events
    ]


def _frame(event: Event) -> bytes:
    """One that is in no log has no id: it must not become a place to go on from."""
    place = b"id: %d\n" % event.seq if event.seq else b""
    return b"%bevent: %b\ndata: %b\n\n" % (place, event.type.encode(), event.body)


def _opened(after: int, now: int, *, gap: bool) -> bytes:
    """The first frame says where the stream begins, so that nothing is missed if it breaks before an event came."""
    body = json.dumps({"type": "stream.opened", "timestamp": iso(now), "data": {"after": after, "gap": gap}})
    return b"id: %d\nevent: stream.opened\ndata: %b\n\n" % (after, body.encode())


def _streams(request: HttpRequest) -> bool:
    """Whether a stream was asked for in so many words; who takes anything gets a page."""
    return any(part.partition(";")[0].strip().lower() == SSE for part in request.headers.get("accept", "").split(","))


def _after(request: HttpRequest) -> int | None:
    """A browser sends `Last-Event-ID` when it connects again, to the same address: that comes before `after`."""
    header = request.headers.get("last-event-id")
    name, text = ("Last-Event-ID", header) if header else ("after", request.query_params.get("after"))
    if not text:
        return None
    if not WHOLE_NUMBER.fullmatch(text):
        raise refused(400, Category.INVALID_REQUEST, f"{name}: the id of an event is needed, a whole number.")
    return int(text)


def _form(request: HttpRequest) -> Format:
    form = request.query_params.get("format") or Format.EVENT
    if form not in STREAMED:
        raise refused(400, Category.INVALID_REQUEST, f"format: it may be {' or '.join(STREAMED)}.")
    return Format(form)


def _types(request: HttpRequest) -> frozenset[str]:
    given = frozenset(filter(None, request.query_params.get("types", "").split(",")))
    if not given <= {*EVENT_TYPES}:
        raise refused(400, Category.INVALID_REQUEST, f"types: it may be {', '.join(EVENT_TYPES)}, comma separated.")
    return given


ROUTES = [
    Route("/v1/events", of_client),
    Route("/v1/events/{seq}", event),
    Route("/v1/tasks/{task_id}/events", of_task),
]
