"""The calls that send again what was told."""

from __future__ import annotations

from collections.abc import Mapping

from service.domain.replays import DEFAULT_RATE, HIGHEST_RATE, ReplayState, Skipped
from service.openapi.parts import PAGE, call, errors, in_path
from service.openapi.words import FLAG, TEXT, TIME, WHOLE, Part, array, described, nullable, record, ref, reply

SPAN = ("since", "until")
WHEN = described(TEXT, "How long ago (90s, 15m, 2h, 7d), or a time")
NEW_ID = described(FLAG, "As new messages: receivers that drop what they know would drop the old ids")
HOW = {
    "new_id": NEW_ID,
    "rate": described(
        {**WHOLE, "minimum": 1, "maximum": HIGHEST_RATE, "default": DEFAULT_RATE}, "Deliveries a second, at most"
    ),
}
CHOICES = {
    "failed": described(FLAG, "Those that were tried and not delivered, whether or not there are attempts to come"),
    "states": array(ref("DeliveryState")),
    "types": array({**TEXT, "examples": ["task.failed"]}),
}
SELECTION = record(CHOICES | dict.fromkeys(("task", "endpoint"), nullable(TEXT)) | dict.fromkeys(SPAN, nullable(TIME)))
REPLAY = {
    "id": TEXT,
    "state": {"enum": list(ReplayState)},
    "selection": SELECTION,
    "new_id": FLAG,
    "rate": WHOLE,
    "created_at": TIME,
    "finished_at": described(nullable(TIME), "When the last one was in line; attempts may be open"),
    "matched": described(WHOLE, "How many it is about: those that were there when it began"),
    "replayed": described(WHOLE, "How many are in line or were tried since"),
    "skipped": WHOLE,
}
PROGRESS = {
    "skipped_because": record(dict.fromkeys(Skipped, WHOLE), ()),
    "delivered": WHOLE,
    "failed_again": described(WHOLE, "Tried since, and not delivered yet"),
    "left": described(WHOLE, "Still to be tried"),
    "eta": described(nullable(TIME), "When the last one will be in line"),
}
REPLAY_SCHEMAS: Mapping[str, Part] = {
    "Replay": record(REPLAY),
    "ReplayProgress": {"allOf": [ref("Replay"), record(PROGRESS)]},
}
PREVIEW = record(
    {"matched": WHOLE, "oldest": nullable(TIME), "newest": nullable(TIME), "sample": array(ref("Delivery"))}
)

REPLAYS: Mapping[str, Part] = {
    "/v1/deliveries/{delivery_id}/replay": {
        "parameters": in_path("delivery_id"),
        "post": call(
            "replay_delivery",
            "Ringback",
            "Send it again, with the same webhook-id and body unless new_id is said",
            reply(202, "It is due", ref("Delivery")) | errors("own", 400, 401, 404, 409, 413, 415),
            body=record({"new_id": NEW_ID}, ()),
            optional=True,
        ),
    },
    "/v1/tasks/{task_id}/replay": {
        "parameters": in_path("task_id"),
        "post": call(
            "replay_task",
            "Ringback",
            "Send all again that was told of a task",
            reply(202, "It begins", ref("Replay")) | errors("own", 400, 401, 404, 409, 413, 415),
            body=record(HOW, ()),
            optional=True,
        ),
    },
    "/v1/replays": {
        "get": call(
            "replays",
            "Ringback",
            "The latest replays",
            reply(200, "A page", record({"replays": array(ref("Replay")), "cursor": nullable(TEXT)}))
            | errors("own", 400, 401),
            parameters=PAGE,
        ),
        "post": call(
            "begin_replay",
            "Ringback",
            "Send again what is chosen by one or more conditions; with dry_run it is said what that would be",
            reply(202, "It begins", ref("Replay"))
            | reply(200, "What it would send", PREVIEW)
            | errors("own", 400, 401, 404, 409, 413, 415),
            body=record(
                CHOICES | {"task": TEXT, "endpoint": TEXT} | dict.fromkeys(SPAN, WHEN) | HOW | {"dry_run": FLAG}, ()
            ),
        ),
    },
    "/v1/replays/{replay_id}": {
        "parameters": in_path("replay_id"),
        "get": call(
            "replay_progress",
            "Ringback",
            "How far a replay has come",
            reply(200, "Its progress", ref("ReplayProgress")) | errors("own", 401, 404),
        ),
    },
    "/v1/replays/{replay_id}/cancel": {
        "parameters": in_path("replay_id"),
        "post": call(
            "cancel_replay",
            "Ringback",
            "Put no more in line; what is there is still sent",
            reply(200, "Its progress", ref("ReplayProgress")) | errors("own", 401, 404, 415),
        ),
    },
}
