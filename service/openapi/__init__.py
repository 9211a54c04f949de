"""The server's OpenAPI 3.1 document: the drop-in shapes and Ringback's own API, as one value."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from service.openapi.drop_in import DROP_IN
from service.openapi.own_calls import OWN_CALLS
from service.openapi.schemas import SCHEMAS
from service.openapi.words import TEXT, content, ref

TAGS = {
    "AceData": "AceData's action and callback_url API",
    "DashScope": "Alibaba's native API",
    "Gateways": "LaoZhang's and APIYI's API; DashScope's calls are served under /wan/api/v1 too",
    "Ringback": "Our own API",
    "Providers": "What providers call",
}
SIGNATURE = ("webhook-id", "webhook-timestamp", "webhook-signature")


def document() -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Ringback",
            "version": version("ringback"),
            "summary": "Any Wan or HappyHorse client shape in, any provider out, one signed POST on completion",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "security": [{"key": []}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": {**DROP_IN, **OWN_CALLS},
        "webhooks": {"ended": {"post": _ended()}},
        "components": {
            "schemas": dict(SCHEMAS),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "A client key; in open mode none is needed"}
            },
        },
    }


def _ended() -> dict[str, Any]:
    bodies = [ref(name) for name in ("FlatResult", "NativeTask", "GatewayTask", "Event")]
    return {
        "summary": "A task ended: told in the subscriber's own shape or as an event, signed by Standard Webhooks",
        "security": [],
        "parameters": [{"name": name, "in": "header", "required": True, "schema": TEXT} for name in SIGNATURE],
        "requestBody": {
            "required": True,
            "content": content({"anyOf": bodies}) | {"application/cloudevents+json": {"schema": ref("CloudEvent")}},
        },
        "responses": {"2XX": {"description": "Taken"}, "410": {"description": "Send nothing more there"}},
    }
