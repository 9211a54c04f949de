"""The calls of Ringback's own API, and those that need no key."""

from __future__ import annotations

from collections.abc import Mapping

from service.openapi.endpoints import ENDPOINTS, ROTATION
from service.openapi.event_log import EVENT_LOG, TRIALS
from service.openapi.explaining import EXPLAIN
from service.openapi.money import AMOUNT, CHARGE, MONEY
from service.openapi.parts import PAGE, PREFER, SINCE, call, errors, in_path, parameter
from service.openapi.replaying import REPLAYS
from service.openapi.telling import EVENTS, SECRET
from service.openapi.watching import WATCH
from service.openapi.words import (
    ADDRESS,
    FLAG,
    TEXT,
    TIME,
    Part,
    Schema,
    array,
    described,
    nullable,
    record,
    ref,
    reply,
    some,
)

ENDPOINT_ID = described(TEXT, "The id of an endpoint, in the place of a url")
WHICH = ("provider", "account", "placement")


def _tasks() -> Part:
    listed = record({"tasks": array(ref("Task")), "cursor": nullable(TEXT)})
    return {
        "/v1/tasks": {
            "get": call(
                "list_tasks",
                "Ringback",
                "The latest tasks",
                reply(200, "A page", listed) | errors("own", 400, 401),
                parameters=[parameter("state", "query", ref("State")), *PAGE],
            )
        },
        "/v1/tasks/{task_id}": {
            "parameters": in_path("task_id"),
            "get": call(
                "task_normalized",
                "Gateways",
                "How a task is, as LaoZhang and APIYI say it",
                reply(200, "The task", ref("GatewayTask")) | errors("gateway", 400, 401),
                parameters=[PREFER],
            ),
            "delete": call(
                "expunge",
                "Ringback",
                "Delete what an ended task was about, and who was told, at once",
                reply(200, "Expunged", record({"task_id": TEXT, "expunged_at": TIME, "message": TEXT}))
                | errors("own", 401, 404, 409),
            ),
        },
        "/v1/tasks/{task_id}/record": {
            "parameters": in_path("task_id"),
            "get": call(
                "record",
                "Ringback",
                "Everything known of a task",
                reply(200, "The record", ref("Record")) | errors("own", 401, 404),
                parameters=[PREFER],
            ),
        },
    }


def _task_changes() -> Part:
    subscribed = record({"subscriptions": array(ref("Subscription"))})
    which = {name: described(TEXT, "Which send, where several are in doubt") for name in WHICH}
    told = dict.fromkeys(("task_id", "provider", "placement", "upstream_id", "message"), TEXT)
    adopted = record(told | {"state": ref("State")})
    sent = record({"task_id": TEXT, "state": ref("State"), "provider": TEXT, "message": TEXT})
    settled = record(dict.fromkeys(("task_id", "provider", "placement", "message"), TEXT) | {"charge": CHARGE})
    now = record({"canceled": FLAG, "message": TEXT, "task_id": TEXT, "state": ref("State")})
    return {
        "/v1/tasks/{task_id}/cancel": {
            "parameters": in_path("task_id"),
            "post": call(
                "cancel", "Ringback", "Cancel a task", reply(200, "How it is now", now) | errors("own", 401, 404, 415)
            ),
        },
        "/v1/tasks/{task_id}/adopt": {
            "parameters": in_path("task_id"),
            "post": call(
                "adopt",
                "Ringback",
                "Say under which id the provider has a lost submission (operator); nothing new is sent",
                reply(200, "It is looked at", adopted) | errors("own", 400, 401, 403, 404, 409, 413, 415, 503),
                body=record({**which, "upstream_id": {**TEXT, "minLength": 1}}, ("upstream_id",)),
            ),
        },
        "/v1/tasks/{task_id}/send-again": {
            "parameters": in_path("task_id"),
            "post": call(
                "send_again",
                "Ringback",
                "Have a task made once more that is in doubt (operator); without confirm it is said what that may cost",
                reply(202, "It waits to be sent", sent) | errors("own", 400, 401, 403, 404, 409, 413, 415),
                body=record({"confirm": FLAG, "provider": TEXT}, ("confirm",)),
            ),
        },
        "/v1/tasks/{task_id}/settle": {
            "parameters": in_path("task_id"),
            "post": call(
                "settle",
                "Ringback",
                "Say what a send did cost of which nobody knows (operator); 0 writes it off, null is what was quoted",
                reply(200, "It is settled", settled) | errors("own", 400, 401, 403, 404, 409, 413, 415),
                body=record({"amount_micros": nullable(AMOUNT), "placement": TEXT}, ("amount_micros",)),
            ),
        },
        "/v1/tasks/{task_id}/subscriptions": {
            "parameters": in_path("task_id"),
            "get": call(
                "subscriptions",
                "Ringback",
                "Who is told",
                reply(200, "The subscriptions", subscribed) | errors("own", 401, 404),
            ),
            "post": call(
                "subscribe",
                "Ringback",
                "Be told too; of an ended task at once",
                reply(201, "Subscribed", ref("Subscription"))
                | reply(200, "Subscribed before", ref("Subscription"))
                | errors("own", 400, 401, 404, 413, 415),
                body=some({"url": ADDRESS, "endpoint": ENDPOINT_ID, "format": ref("Format"), "events": EVENTS}),
            ),
        },
    }


def _deliveries() -> Part:
    listed = record({"deliveries": array(ref("Delivery")), "cursor": nullable(TEXT)})
    filters = [parameter("task", "query", TEXT), parameter("state", "query", ref("DeliveryState")), *PAGE]
    return {
        "/v1/deliveries": {
            "get": call(
                "deliveries",
                "Ringback",
                "The latest deliveries",
                reply(200, "A page", listed) | errors("own", 400, 401),
                parameters=filters,
            )
        },
        "/v1/deliveries/{delivery_id}": {
            "parameters": in_path("delivery_id"),
            "get": call(
                "delivery",
                "Ringback",
                "A delivery with its attempts",
                reply(200, "The delivery", ref("DeliveryWithLog")) | errors("own", 401, 404),
            ),
        },
    }


def _operator() -> Part:
    made = record(dict.fromkeys(("id", "name", "key", "webhook_secret"), TEXT))
    rotated = record({"id": TEXT, "webhook_secret": TEXT, "old_secret_until": TIME})
    wanted = record(
        {"name": {**TEXT, "minLength": 1}, "key": TEXT, "callback_url": ADDRESS, "webhook_secret": SECRET}, ("name",)
    )
    happened = record({"events": array(ref("OperatorEvent")), "cursor": nullable(TEXT)})
    return {
        "/v1/operator/events": {
            "get": call(
                "operator_events",
                "Ringback",
                "What needs the operator, the latest first (operator)",
                reply(200, "A page", happened) | errors("own", 400, 401, 403),
                parameters=[parameter("kind", "query", TEXT), SINCE, *PAGE],
            )
        },
        "/v1/models": {
            "get": call(
                "models",
                "Ringback",
                "The model catalogue",
                reply(200, "The models", record({"models": array(ref("Model"))})) | errors("own", 401),
            )
        },
        "/v1/keys": {
            "get": call(
                "keys",
                "Ringback",
                "Client keys (operator)",
                reply(200, "The keys", record({"keys": array(ref("Key"))})) | errors("own", 401, 403),
            ),
            "post": call(
                "create_key",
                "Ringback",
                "Make a client key (operator); key and secret are shown this once",
                reply(201, "Made", made) | errors("own", 400, 401, 403, 409, 413, 415),
                body=wanted,
            ),
        },
        "/v1/keys/{key_id}": {
            "parameters": in_path("key_id"),
            "delete": call(
                "revoke_key",
                "Ringback",
                "Revoke a client key (operator)",
                {"204": {"description": "Revoked"}} | errors("own", 401, 403, 404),
            ),
        },
        "/v1/keys/{key_id}/rotate-secret": {
            "parameters": in_path("key_id"),
            "post": call(
                "rotate_key_secret",
                "Ringback",
                "Replace the webhook secret of a client key (operator); until the overlap is over both sign",
                reply(200, "The new secret, shown this once", rotated) | errors("own", 400, 401, 403, 404, 413, 415),
                body=ROTATION,
            ),
        },
    }


def _open() -> Part:
    """What needs no key."""
    status = record({"status": TEXT})
    alive = record({"status": TEXT, "instance": TEXT, "loops": some({})})
    callback = call(
        "callback",
        "Providers",
        "Where a provider calls back: only a hint that a task may have ended",
        reply(200, "Kept", record({"ok": {"const": True}})) | errors("own", 404, 413),
        body={"description": "Whatever the provider says; nothing in it is believed"},
    )
    paths: Part = {
        "/health": {"get": call("health", "Ringback", "Is every loop alive", _yes_or_no(alive))},
        "/ready": {"get": call("ready", "Ringback", "May it get traffic", _yes_or_no(status))},
        "/openapi.json": {"get": call("openapi", "Ringback", "This document", reply(200, "It", {"type": "object"}))},
        "/callbacks/{provider}/{token}": {"post": callback},
    }
    for methods in paths.values():
        for method in methods.values():
            method["security"] = []
    paths["/callbacks/{provider}/{token}"]["parameters"] = [*in_path("provider"), *in_path("token")]
    return paths


def _yes_or_no(schema: Schema) -> Part:
    return reply(200, "Yes", schema) | reply(503, "No", schema)


OWN_CALLS: Mapping[str, Part] = {
    **_tasks(),
    **_task_changes(),
    **WATCH,
    **EXPLAIN,
    **MONEY,
    **EVENT_LOG,
    **TRIALS,
    **_deliveries(),
    **REPLAYS,
    **ENDPOINTS,
    **_operator(),
    **_open(),
}
