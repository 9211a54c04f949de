"""Recorded wire messages: `tests/samples/<provider>/<message>-<case>.json`.

A sample is `{"source", "request" or "response", "expected"}`; `expected` holds every field of the message that is not
at its default. The file's name says which message it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

from adapters import SHAPES
from adapters.catalogue import builtin
from adapters.messages import Request, Response

ROOT = Path(__file__).parent.parent / "samples"

SPOKEN = {"acedata": "flat", "laozhang": "gateway", "apiyi": "gateway", "dashscope": "native"}


def names() -> Iterator[str]:
    return (path.relative_to(ROOT).with_suffix("").as_posix() for path in sorted(ROOT.glob("*/*.json")))


def load(name: str) -> dict[str, Any]:
    sample: dict[str, Any] = json.loads((ROOT / f"{name}.json").read_text("utf-8"))
    return sample


def read(provider: str, case: str, sample: dict[str, Any]) -> Any:
    """The sample as the provider's adapter reads it."""
    shape = SHAPES[SPOKEN[provider]](builtin())
    message = case.partition("-")[0]
    wire = Request(**sample["request"]) if "request" in sample else Response(**sample["response"])
    return getattr(shape, f"read_{message}")(wire.body if message == "callback" else wire)


def shown(value: Any) -> Any:
    """A message as JSON, without what is at its default and without the raw reply."""
    if is_dataclass(value):
        read_out = {f.name: getattr(value, f.name) for f in fields(value) if f.compare and not _default(f, value)}
        return {name: shown(each) for name, each in read_out.items()}
    if isinstance(value, (list, tuple)):
        return [shown(each) for each in value]
    return {name: shown(each) for name, each in value.items()} if isinstance(value, dict) else value


def _default(field: Any, value: Any) -> bool:
    default = field.default if field.default_factory is MISSING else field.default_factory()
    return bool(getattr(value, field.name) == default)
