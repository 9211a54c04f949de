"""What the canonical fields are called on each family's wire, for errors in the client's own words (wire notes 5.1)."""

from __future__ import annotations

from adapters.messages import Media
from adapters.model import PARAMETERS

INPUT = frozenset({"prompt", "negative_prompt", "media", "template"})
"""Canonical names that the native wire keeps in `input`."""


def path_of(family: str, name: str) -> str:
    """The wire path of a canonical field name, or of an item of one ("media[2]")."""
    if family != "native":
        return name
    if name.partition("[")[0] in INPUT:
        return f"input.{name}"
    return f"parameters.{name}" if name in PARAMETERS else name


def media_path(family: str, piece: Media) -> str:
    """The wire path of the field that carried a piece of media."""
    field = piece.field or "media"
    return f"input.{field}" if family == "native" else field
