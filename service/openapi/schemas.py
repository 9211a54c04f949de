"""What goes over the wire, as JSON Schema: the drop-in shapes, and Ringback's own API.

The drop-in requests are open (`additionalProperties`): unknown fields ride along to providers of the same family.
"""

from __future__ import annotations

from collections.abc import Mapping

from service.domain.tasks import TaskState
from service.openapi.money import CHARGE, MONEY_SCHEMAS
from service.openapi.replaying import REPLAY_SCHEMAS
from service.openapi.telling import TELLING
from service.openapi.words import (
    ADDRESS,
    FLAG,
    NUMBER,
    TEXT,
    TIME,
    WHOLE,
    Part,
    Schema,
    array,
    described,
    nullable,
    record,
    ref,
    some,
)

ID = described(TEXT, "Ringback's id of the task, a UUID")
REASON = record({"code": TEXT, "message": TEXT})
MEDIA = record({"type": TEXT, "url": TEXT, "reference_voice": TEXT}, ("type", "url"))

FLAT_FIELDS: Mapping[str, Schema] = {
    **dict.fromkeys(("model", "prompt", "negative_prompt", "image_url", "resolution", "ratio"), TEXT),
    **dict.fromkeys(("duration", "seed"), WHOLE),
    "watermark": FLAG,
    "async": described(FLAG, "Answer at once with the task's id"),
    "callback_url": described(ADDRESS, "Answer at once, and POST the result there"),
    "timeout": described(WHOLE, "Seconds to hold the connection at most"),
}

FLAT: Mapping[str, Part] = {
    "FlatError": record({"success": {"const": False}, "error": REASON, "trace_id": TEXT}, ("success", "error")),
    "FlatWanCreate": some(
        {
            **FLAT_FIELDS,
            "action": {"enum": ["text2video", "image2video"]},
            "reference_video_urls": {"oneOf": [TEXT, array(TEXT)]},
            "audio_url": TEXT,
            "audio": FLAG,
            "size": described(TEXT, "width*height"),
            "shot_type": TEXT,
            "prompt_extend": FLAG,
            "media": array(MEDIA),
        },
        additionalProperties=True,
    ),
    "FlatHappyHorseCreate": some(
        {
            **FLAT_FIELDS,
            "action": {"enum": ["generate", "image_to_video", "reference_to_video", "video_edit"]},
            "image_urls": array(TEXT),
            "video_url": TEXT,
            "audio_setting": TEXT,
        },
        additionalProperties=True,
    ),
    "FlatAcceptance": record({"success": {"const": True}, "task_id": ID, "trace_id": TEXT}, ("task_id",)),
    "FlatResult": record(
        {"success": FLAG, "task_id": ID, "state": TEXT, "video_url": TEXT, "trace_id": TEXT, "error": REASON},
        ("success", "task_id"),
    ),
    "FlatQuery": some(
        {
            "action": {"enum": ["retrieve", "retrieve_batch"]},
            **dict.fromkeys(("id", "task_id"), TEXT),
            "ids": array(TEXT),
            **dict.fromkeys(("offset", "limit"), WHOLE),
            **dict.fromkeys(("created_at_min", "created_at_max"), NUMBER),
        }
    ),
    "FlatRecord": record(
        {
            "id": ID,
            "task_id": ID,
            "created_at": NUMBER,
            "finished_at": nullable(NUMBER),
            "state": TEXT,
            "video_url": TEXT,
            "request": some({}),
            "response": record({"task_id": ID, "state": TEXT, "success": FLAG}, ("task_id",)),
        },
        ("id", "task_id", "created_at", "finished_at", "state", "response"),
    ),
    "FlatBatch": record({"items": array(ref("FlatRecord")), "count": WHOLE}),
}

NATIVE: Mapping[str, Part] = {
    "NativeStatus": {"enum": ["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED", "UNKNOWN"]},
    "NativeError": record({"code": TEXT, "message": TEXT, "request_id": TEXT}),
    "GatewayError": record({"error": record({"message": TEXT, "type": TEXT, "code": TEXT})}),
    "NativeCreate": record(
        {
            "model": TEXT,
            "input": some(
                {
                    **dict.fromkeys(("prompt", "negative_prompt", "img_url", "audio_url", "template"), TEXT),
                    **dict.fromkeys(("reference_urls", "reference_video_urls"), array(TEXT)),
                    "media": array(MEDIA),
                }
            ),
            "parameters": some(
                {
                    **dict.fromkeys(("resolution", "ratio", "size", "shot_type", "audio_setting"), TEXT),
                    **dict.fromkeys(("duration", "seed"), WHOLE),
                    **dict.fromkeys(("prompt_extend", "watermark", "audio"), FLAG),
                }
            ),
            "callback_url": described(ADDRESS, "Ringback's own; never sent to a provider"),
        },
        ("model", "input"),
        additionalProperties=True,
    ),
    "NativeAcceptance": record(
        {"output": record({"task_id": ID, "task_status": {"const": "PENDING"}}), "request_id": TEXT}
    ),
    "NativeTask": record(
        {
            "request_id": TEXT,
            "output": record(
                {
                    "task_id": ID,
                    "task_status": ref("NativeStatus"),
                    **dict.fromkeys(("submit_time", "scheduled_time", "end_time"), described(TEXT, "UTC+8")),
                    **dict.fromkeys(("orig_prompt", "video_url", "code", "message"), TEXT),
                },
                ("task_id", "task_status"),
            ),
            "usage": some(
                {
                    **dict.fromkeys(("duration", "input_video_duration", "output_video_duration"), NUMBER),
                    **dict.fromkeys(("video_count", "SR"), WHOLE),
                    "ratio": TEXT,
                }
            ),
        },
        ("request_id", "output"),
    ),
    "NativePage": record(
        {
            **dict.fromkeys(("total", "total_page", "page_no", "page_size"), WHOLE),
            "request_id": TEXT,
            "data": array(some({})),
            "tasks": array(some({})),
        }
    ),
    "GatewayTask": record(
        {
            "id": ID,
            "task_id": ID,
            "object": {"const": "task"},
            "status": {"enum": ["submitted", "in_progress", "completed", "failed"]},
            **dict.fromkeys(("progress", "platform", "action", "task_type", "result_url", "fail_reason"), TEXT),
            "result": some({}),
            "error": REASON,
        },
        ("id", "task_id", "object", "status", "progress"),
    ),
}

TASK: Mapping[str, Schema] = {
    "task_id": ID,
    **{"state": ref("State"), "shape": {"enum": ["flat", "native", "gateway"]}},
    **dict.fromkeys(("provider", "model"), TEXT),
    **{"video_url": nullable(TEXT), "error": nullable(REASON)},
    **{"created_at": TIME, "finished_at": nullable(TIME)},
    **dict.fromkeys(("usage", "metadata"), nullable(some({}))),
}
PLACEMENT = record(
    {
        **dict.fromkeys(("id", "provider", "verdict"), TEXT),
        "account": described(TEXT, "The name of the provider's key; of one without a name, a part of its hash"),
        "upstream_id": nullable(TEXT),
        "reason": nullable(TEXT),
        "sent_at": TIME,
        "heard_at": nullable(TIME),
        "next_look_at": nullable(TIME),
        "looks": WHOLE,
        "misses": described(WHOLE, "Looks in a row that heard nothing of it"),
        "stalled": described(FLAG, "Looks hear nothing of it; they go on, ever more slowly"),
        "current": FLAG,
        "charge": nullable(CHARGE),
    }
)

OWN: Mapping[str, Part] = {
    "State": {"enum": list(TaskState)},
    "Error": record({"error": REASON}),
    "Task": record(
        {**TASK, "video_url_refreshed_at": described(TIME, "When the provider gave another link; else absent")}, TASK
    ),
    "Record": {
        "allOf": [
            ref("Task"),
            record(
                {
                    "detector": described(
                        nullable(TEXT), "What noticed the latest change first: push, callback, list, look, cancel, ..."
                    ),
                    "elapsed_ms": described(WHOLE, "From the create to the end, or to now"),
                    "eta": described(
                        nullable(record({"p50": TIME, "p90": TIME})),
                        "By when half and nine tenths of such videos are done that take as long as this one already",
                    ),
                    "noticed_after_ms": described(
                        nullable(WHOLE), "From the end by the provider's own clock, where it tells it, to ours"
                    ),
                    "next_step": described(nullable(TEXT), "What a person can do for it now"),
                    "watched": described(FLAG, "It was created at the provider itself, not by this server"),
                    "upstream_times": record(
                        dict.fromkeys(("created_at", "started_at", "finished_at"), nullable(TIME))
                    ),
                    "updated_at": TIME,
                    "placements": array(PLACEMENT),
                    "subscriptions": array(ref("Subscription")),
                    "deliveries": array(ref("DeliveryWithLog")),
                }
            ),
        ]
    },
    "Model": record(
        {
            **dict.fromkeys(("model", "service", "mode"), TEXT),
            "own": described(FLAG, "Whether the operator added or changed it"),
            **dict.fromkeys(("aliases", "providers", "available", "parameters"), array(TEXT)),
            "media": array(record({"kinds": array(TEXT), "min": WHOLE, "max": WHOLE})),
            "prices": array(
                record(dict.fromkeys(("provider", "resolution", "currency", "source"), TEXT) | {"per_second": NUMBER})
            ),
        }
    ),
    "Key": record(
        {
            "id": TEXT,
            "name": TEXT,
            "callback_url": nullable(TEXT),
            "created_at": TIME,
            "revoked_at": nullable(TIME),
        }
    ),
    "OperatorEvent": record(
        {
            **dict.fromkeys(("id", "kind", "subject"), TEXT),
            "at": described(TIME, "When it began"),
            "last_at": described(TIME, "When it happened last"),
            "times": described(WHOLE, "What goes on within an hour is one event"),
            "fields": record({}, additionalProperties=TEXT),
            "meaning": described(nullable(TEXT), "What it means and what to do next"),
        }
    ),
}

SCHEMAS: Mapping[str, Part] = {**OWN, **TELLING, **REPLAY_SCHEMAS, **MONEY_SCHEMAS, **FLAT, **NATIVE}
