"""The calls of endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.domain.findings import Level
from service.openapi.parts import PAGE, call, errors, in_path
from service.openapi.telling import HEADERS, SECRET, SETTINGS, WITH_SECRET
from service.openapi.words import ADDRESS, FLAG, TEXT, WHOLE, Part, array, described, nullable, record, ref, reply, some
from service.receivers.endpoint_fields import LONGEST_OVERLAP

OVERLAP = described(
    {**WHOLE, "minimum": 0, "maximum": LONGEST_OVERLAP, "default": 86_400}, "How long the old secret signs too"
)
ROTATION = some({"overlap_seconds": OVERLAP, "secret": SECRET})


def _one(operation: str, summary: str, *, body: Any = None, more: Part | None = None) -> Part:
    refusals = errors("own", 401, 404) if operation == "endpoint" else errors("own", 400, 401, 404, 413, 415)
    answer = more or reply(200, "As it is now", ref("Endpoint"))
    return call(operation, "Ringback", summary, answer | refusals, body=body)


def _collection() -> Part:
    listed = record({"endpoints": array(ref("Endpoint")), "cursor": nullable(TEXT)})
    client = described(TEXT, "Whose it is to be (operator)")
    wanted = record({"url": ADDRESS, **SETTINGS, "headers": HEADERS, "secret": SECRET, "client": client}, ("url",))
    return {
        "get": call(
            "endpoints",
            "Ringback",
            "Endpoints: standing receivers",
            reply(200, "A page", listed) | errors("own", 400, 401),
            parameters=PAGE,
        ),
        "post": call(
            "create_endpoint",
            "Ringback",
            "Make an endpoint; its secret is shown this once",
            reply(201, "Made", WITH_SECRET) | errors("own", 400, 401, 409, 413, 415),
            body=wanted,
        ),
    }


def _check() -> Part:
    levels = {"enum": list(Level)}
    finding = record({"check": TEXT, "level": levels, "said": TEXT, "step": described(TEXT, "What to do next")})
    found = record({"url": TEXT, "ok": FLAG, "findings": array(finding)})
    return call(
        "check_endpoint",
        "Ringback",
        "Send test messages to a receiver, and explain what a delivery would meet: one good, two that it must refuse",
        reply(200, "What was found, in the order of the steps", found) | errors("own", 400, 401, 404, 413, 415, 429),
        body=some({"url": ADDRESS, "endpoint": TEXT}),
    )


def _keys() -> Part:
    key = record(dict.fromkeys(("kty", "crv", "x", "kid", "alg", "use"), TEXT))
    found = reply(200, "A JSON Web Key Set", record({"keys": array(key)}))
    told = call("endpoint_keys", "Ringback", "Public keys that verify v1a signatures", found | errors("own", 404, 503))
    return {**told, "security": []}


_PATH = "/v1/endpoints/{endpoint_id}"
_NAMED = {"parameters": in_path("endpoint_id")}
ENDPOINTS: Mapping[str, Part] = {
    "/v1/endpoints": _collection(),
    "/v1/endpoints/check": {"post": _check()},
    _PATH: {
        **_NAMED,
        "get": _one("endpoint", "An endpoint"),
        "patch": _one(
            "change_endpoint",
            "Change what is named; null means the usual. Messages that wait go to a new URL",
            body=some({"url": ADDRESS, **SETTINGS, "headers": HEADERS}),
        ),
        "delete": _one(
            "delete_endpoint",
            "Delete an endpoint: what waits is abandoned, what was sent stays readable",
            more={"204": {"description": "Deleted"}},
        ),
    },
    f"{_PATH}/disable": {**_NAMED, "post": _one("disable_endpoint", "Send nothing more there; what waits is kept")},
    f"{_PATH}/enable": {**_NAMED, "post": _one("enable_endpoint", "Send again, what was kept too")},
    f"{_PATH}/rotate-secret": {
        **_NAMED,
        "post": _one(
            "rotate_endpoint_secret",
            "Replace its secret; until the overlap is over, messages carry the signatures of both",
            body=ROTATION,
            more=reply(200, "The new secret, shown this once", WITH_SECRET),
        ),
    },
    f"{_PATH}/jwks.json": {**_NAMED, "get": _keys()},
}
