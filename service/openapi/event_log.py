"""The calls that tell what happened: a stream, or page by page, or one event."""

from __future__ import annotations

from collections.abc import Mapping

from service.domain.event_log import STREAMED
from service.domain.tell import EVENT_TYPES
from service.openapi.parts import PREFER, SINCE, call, errors, in_path, parameter
from service.openapi.words import (
    ADDRESS,
    FLAG,
    TEXT,
    WHOLE,
    Part,
    array,
    described,
    nullable,
    record,
    ref,
    reply,
    some,
)

STREAM = "text/event-stream"
AFTER = [
    parameter("after", "query", {**WHOLE, "minimum": 0}, "The id of an event: what comes behind it"),
    parameter("Last-Event-ID", "header", TEXT, "The same, as browsers say it; it comes before `after`"),
    parameter("types", "query", TEXT, f"Only these, comma separated: {', '.join(EVENT_TYPES)}"),
    parameter("format", "query", {"enum": list(STREAMED)}, "own: how the task is by now, as a GET of its API says it"),
    parameter("limit", "query", {**WHOLE, "minimum": 1, "default": 50}, "Of a page: at most 200"),
    PREFER,
]


def _told(text: str) -> Part:
    """A page, or the same as server-sent events for who accepts `text/event-stream`."""
    entry = record({"id": WHOLE, "event": described(some({}), "An Event; with format=own a callback's body")})
    gap = described(FLAG, "Events behind the place that was asked for were deleted for their age")
    page = record({"events": array(entry), "after": described(WHOLE, "Where to go on"), "gap": gap})
    told = reply(200, text, page)
    told["200"]["content"][STREAM] = {"schema": {"type": "string"}}
    return told


EVENT_LOG: Mapping[str, Part] = {
    "/v1/events": {
        "get": call(
            "events",
            "Ringback",
            "What happens to the client's tasks: a stream from now on with Accept: text/event-stream, else a page",
            _told("What happened, the oldest first") | errors("own", 400, 401, 429),
            parameters=[*AFTER, SINCE],
        )
    },
    "/v1/events/{seq}": {
        "parameters": in_path("seq"),
        "get": call(
            "event",
            "Ringback",
            "One event, in the bytes that are POSTed",
            reply(200, "The event", ref("Event")) | errors("own", 401, 404),
        ),
    },
    "/v1/tasks/{task_id}/events": {
        "parameters": in_path("task_id"),
        "get": call(
            "task_events",
            "Ringback",
            "What happened to a task, from its first event on; as a stream it ends with the task",
            _told("What happened")
            | {"204": {"description": "As a stream: the task has ended, and nothing more is to come"}}
            | errors("own", 400, 401, 404, 429),
            parameters=AFTER,
        ),
    },
}

TRIALS: Mapping[str, Part] = {
    "/v1/test-events": {
        "post": call(
            "test_event",
            "Ringback",
            "Have an event sent that did not happen, marked as a test: once to a URL or an endpoint, or to streams",
            reply(
                200,
                "What was sent and what came of it",
                record(
                    {
                        **dict.fromkeys(("webhook_id", "type"), TEXT),
                        "url": nullable(TEXT),
                        "listeners": described(nullable(WHOLE), "How many streams were told; null where one URL was"),
                        "delivered": FLAG,
                        "status": nullable(WHOLE),
                        "reason": nullable(TEXT),
                        "elapsed_ms": WHOLE,
                        "body": some({}),
                    }
                ),
            )
            | errors("own", 400, 401, 413, 415, 429),
            body=record(
                {
                    "type": {"enum": list(EVENT_TYPES)},
                    "url": ADDRESS,
                    "endpoint": TEXT,
                    "format": ref("Format"),
                    "shape": {"enum": ["flat", "native", "gateway"]},
                },
                ("type",),
            ),
        )
    }
}
