"""A few words to write JSON Schema and OpenAPI in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Schema = Mapping[str, Any]
Part = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
FLAG: Schema = {"type": "boolean"}
TIME: Schema = {"type": "string", "format": "date-time"}
ADDRESS: Schema = {"type": "string", "format": "uri"}


def ref(name: str) -> Part:
    return {"$ref": f"#/components/schemas/{name}"}


def array(items: Schema) -> Part:
    return {"type": "array", "items": items}


def record(properties: Mapping[str, Schema], required: Iterable[str] | None = None, **more: Any) -> Part:
    """An object; without `required` all of its properties are always there."""
    names = list(properties if required is None else required)
    return {"type": "object", "properties": dict(properties)} | ({"required": names} if names else {}) | more


def some(properties: Mapping[str, Schema], **more: Any) -> Part:
    """An object of which any property may be missing."""
    return record(properties, (), **more)


def nullable(schema: Schema) -> Part:
    """Of a schema with one type."""
    return {**schema, "type": [schema["type"], "null"]}


def described(schema: Schema, text: str) -> Part:
    return {**schema, "description": text}


def content(schema: Schema) -> Part:
    return {"application/json": {"schema": schema}}


def reply(status: int, text: str, schema: Schema) -> Part:
    return {str(status): {"description": text, "content": content(schema)}}
