"""Submissions as the check's tests ask for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from adapters.catalogue import Model, builtin
from adapters.check import Problem, check
from adapters.messages import Kind, Media, Submission
from adapters.providers import PROVIDERS

URL = "https://media.example/one"
NEEDED = {"i2v": "first_frame", "r2v": "reference_image", "edit": "video"}


def model(name: str) -> Model:
    found = builtin().find(name)
    assert found is not None
    return found


def pieces(kinds: str) -> tuple[Media, ...]:
    """One piece of media for each kind named."""
    return tuple(Media(Kind(kind), URL) for kind in kinds.split())


def problems(name: str, provider: str = "dashscope", family: str = "native", **changes: Any) -> tuple[Problem, ...]:
    """The check of a submission that the model takes, with `changes`."""
    found = model(name)
    sent = Submission(family, name, prompt="a cat", media=pieces(NEEDED.get(found.mode, "")))
    return check(replace(sent, **changes), found, PROVIDERS[provider])
