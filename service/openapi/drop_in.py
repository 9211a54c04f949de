"""The calls of the drop-in shapes: what a client of AceData, DashScope or a gateway knows already."""

from __future__ import annotations

from collections.abc import Mapping

from service.domain.tell import EVENT_TYPES
from service.openapi.parts import PREFER, call, errors, in_path, parameter
from service.openapi.words import ADDRESS, TEXT, WHOLE, Part, record, ref, reply

CREATE_ERRORS = (400, 401, 403, 413, 415, 422)

CREATE_HEADERS = [
    parameter("X-Callback-Url", "header", ADDRESS, "Who is told of the end, where the body has no callback_url"),
    parameter("X-Callback-Endpoint", "header", TEXT, "The id of an endpoint that is told (too)"),
    parameter("X-Callback-Format", "header", ref("Format")),
    parameter("X-Callback-Events", "header", TEXT, f"Only these, between commas: {', '.join(EVENT_TYPES)}"),
    parameter("X-Ringback-Metadata", "header", TEXT, "A JSON object of at most 4096 bytes; it comes back in events"),
    parameter("X-Ringback-Provider", "header", TEXT, "The provider that shall do it"),
    parameter("Idempotency-Key", "header", {**TEXT, "maxLength": 255}, "The same key, the same task, for 48 hours"),
]
LIST_FILTERS = [
    parameter("page_no", "query", {**WHOLE, "minimum": 1, "default": 1}),
    parameter("page_size", "query", {**WHOLE, "minimum": 1, "maximum": 100, "default": 10}),
    parameter("status", "query", ref("NativeStatus")),
    parameter("model_name", "query", TEXT),
    parameter("start_time", "query", TEXT, "YYYYMMDDhhmmss in UTC+8"),
    parameter("end_time", "query", TEXT, "YYYYMMDDhhmmss in UTC+8"),
]


def _flat(service: str, create: str) -> Part:
    ended = {"anyOf": [ref("FlatAcceptance"), ref("FlatResult")]}
    found = {"anyOf": [ref("FlatRecord"), ref("FlatBatch"), record({}, additionalProperties=False)]}
    created = reply(200, "The task; its end, if the connection was held", ended) | errors("flat", *CREATE_ERRORS)
    asked = reply(200, "A record, or several; of an unknown id an empty object", found)
    return {
        f"/{service}/videos": {
            "post": call(
                f"create_{service}",
                "AceData",
                "Ask for a video, in AceData's words",
                created,
                parameters=CREATE_HEADERS,
                body=ref(create),
            )
        },
        f"/{service}/tasks": {
            "post": call(
                f"tasks_{service}",
                "AceData",
                "How a task is, or several, or which there are",
                asked | errors("flat", 400, 401, 413, 415),
                parameters=[PREFER],
                body=ref("FlatQuery"),
            )
        },
    }


def _native(prefix: str, tag: str, shape: str) -> Part:
    created = reply(200, "The task", ref("NativeAcceptance")) | errors(shape, *CREATE_ERRORS)
    creates = {
        f"{prefix}/services/aigc/{kind}/video-synthesis": {
            "post": call(
                f"create_{shape}_{kind.partition('-')[0]}",
                tag,
                "Ask for a video, in DashScope's words",
                created,
                parameters=CREATE_HEADERS,
                body=ref("NativeCreate"),
            )
        }
        for kind in ("video-generation", "image2video")
    }
    page = reply(200, "A page", ref("NativePage")) | errors("native", 400, 401)
    task = reply(200, "The task; of an unknown id one that is UNKNOWN", ref("NativeTask")) | errors("native", 401)
    canceled = reply(200, "It is canceled", record({"request_id": TEXT})) | errors("native", 400, 401, 415)
    return creates | {
        f"{prefix}/tasks": {"get": call(f"list_{shape}", tag, "Which tasks there are", page, parameters=LIST_FILTERS)},
        f"{prefix}/tasks/{{task_id}}": {
            "parameters": in_path("task_id"),
            "get": call(f"task_{shape}", tag, "How a task is", task, parameters=[PREFER]),
        },
        f"{prefix}/tasks/{{task_id}}/cancel": {
            "parameters": in_path("task_id"),
            "post": call(f"cancel_{shape}", tag, "Cancel a task that does not run yet", canceled),
        },
    }


DROP_IN: Mapping[str, Part] = {
    **_flat("wan", "FlatWanCreate"),
    **_flat("happyhorse", "FlatHappyHorseCreate"),
    **_native("/api/v1", "DashScope", "native"),
    **_native("/wan/api/v1", "Gateways", "gateway"),
}
