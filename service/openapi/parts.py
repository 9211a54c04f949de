"""The parts that calls are made of: parameters, errors, and a call itself."""

from __future__ import annotations

from collections.abc import Mapping

from service.openapi.words import TEXT, WHOLE, Part, Schema, content, ref

ERRORS: Mapping[int, str] = {
    400: "Refused: the message names the field, what was given and what is allowed",
    401: "No client key, or none of this server's",
    403: "Refused by the provider, or not for this client",
    404: "There is no such thing, for this client",
    409: "It cannot be, as things stand: the message says why",
    413: "The body is too large",
    415: "Not application/json (in open mode)",
    422: "The idempotency key came with another request before",
    429: "As many streams of this client key are open, or tests under way, as it may have",
    503: "The provider cannot be asked at the moment; Retry-After says when to try again",
}
ERROR_SHAPES = {"flat": "FlatError", "native": "NativeError", "gateway": "GatewayError", "own": "Error"}


def parameter(name: str, where: str, schema: Schema, text: str = "") -> Part:
    required = {"required": True} if where == "path" else {}
    return {"name": name, "in": where, **required, "schema": schema} | ({"description": text} if text else {})


def in_path(name: str) -> list[Part]:
    return [parameter(name, "path", TEXT)]


PAGE = [
    parameter("limit", "query", {**WHOLE, "minimum": 1, "default": 50}, "At most 200"),
    parameter("before", "query", TEXT, "The cursor of the page before"),
]
PREFER = parameter("Prefer", "header", TEXT, "wait=N: answer when there is news, or after N seconds, at most 60")
SINCE = parameter("since", "query", TEXT, "How long ago (90s, 15m, 2h, 7d), or a time")


def errors(shape: str, *statuses: int) -> Part:
    schema = ref(ERROR_SHAPES[shape])
    return {str(status): {"description": ERRORS[status], "content": content(schema)} for status in statuses}


def call(
    operation: str,
    tag: str,
    summary: str,
    responses: Part,
    *,
    parameters: list[Part] | None = None,
    body: Part | None = None,
    optional: bool = False,
) -> Part:
    """`optional`: it may come without a body."""
    asked: Part = {"parameters": parameters} if parameters else {}
    asked |= {"requestBody": {"required": not optional, "content": content(body)}} if body else {}
    return {"operationId": operation, "tags": [tag], "summary": summary, **asked, "responses": responses}
