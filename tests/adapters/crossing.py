"""Submissions that cross from one family to the other."""

from __future__ import annotations

from typing import Any

import pytest

from adapters import SHAPES
from adapters.messages import Request, Submission, Unsupported
from tests.adapters.strategies import CATALOGUE

FLAT, NATIVE, GATEWAY = (SHAPES[name](CATALOGUE) for name in ("flat", "native", "gateway"))

URL = "https://media.example/a"


def flat(model: str | None, service: str = "wan", **fields: Any) -> Submission:
    body = {"prompt": "p", "async": True, **fields} | ({} if model is None else {"model": model})
    return FLAT.read_submission(Request("POST", f"/{service}/videos", body))


def native(model: str, parameters: dict[str, Any] | None = None, *media: dict[str, str], **content: Any) -> Submission:
    items = {"media": list(media)} if media else {}
    body = {"model": model, "input": {"prompt": "p", **content, **items}, "parameters": parameters or {}}
    return NATIVE.read_submission(Request("POST", "/api/v1/services/aigc/video-generation/video-synthesis", body))


def to_native(submission: Submission) -> dict[str, Any]:
    body: dict[str, Any] = NATIVE.write_submission(submission).body
    return body


def to_flat(submission: Submission) -> dict[str, Any]:
    body: dict[str, Any] = FLAT.write_submission(submission).body
    return body


def refused(submission: Submission) -> dict[str, str]:
    """The client's fields that the other family cannot say."""
    other = NATIVE if submission.family == "flat" else FLAT
    with pytest.raises(Unsupported) as error:
        other.write_submission(submission)
    assert all(name in str(error.value) for name in error.value.fields)
    return error.value.fields
