"""The model catalogue: which model exists where, what it takes, what an absent field means, what it costs.

The data lives in `models.toml`; this file is its shape. A `Catalogue` is a value that is handed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from adapters.messages import Kind, Scalar

PARAMETERS: Mapping[str, type] = {
    "size": str,
    "resolution": str,
    "ratio": str,
    "duration": int,
    "shot_type": str,
    "prompt_extend": bool,
    "watermark": bool,
    "seed": int,
    "audio": bool,
    "audio_setting": str,
    "template": str,
    "enable_thinking": bool,
}
"""Canonical parameter names and their JSON types (wire.md 5.1)."""


@dataclass(frozen=True, slots=True)
class ParameterRule:
    """What a model takes: one of `values`, or an integer in `minimum..maximum`, or one of `also` beside the range.

    `providers` widens `values` for single providers whose documents claim more. `default` is by client shape name
    ("native", "flat", "gateway"); gateway falls back to native.
    """

    values: tuple[Scalar, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    also: tuple[int, ...] = ()
    providers: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    default: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MediaRule:
    """How many pieces of the given kinds together a model takes."""

    kinds: tuple[Kind, ...]
    minimum: int = 0
    maximum: int = 1


@dataclass(frozen=True, slots=True)
class Price:
    """Money per billed second in `currency`, by provider and resolution, with its source."""

    provider: str
    resolution: str
    per_second: float
    currency: str
    source: str


@dataclass(frozen=True, slots=True)
class Model:
    """One model. `service` is the flat service; `protocol` how the native wire carries its media: "media" (2.7, 3.0,
    happyhorse: `input.media[]`) or "legacy" (2.6: `input.img_url`, `reference_urls`, ...). `snapshots` are date
    suffixes under which it is also offered by DashScope."""

    name: str
    service: str
    protocol: str
    mode: str  # "t2v", "i2v", "r2v", "edit", "any"
    providers: tuple[str, ...]
    parameters: Mapping[str, ParameterRule]
    media: tuple[MediaRule, ...] = ()
    combinations: tuple[frozenset[Kind], ...] = ()  # when not empty, the set of kinds must be one of these
    prompt_required: bool = True
    prompt_maximum: int | None = None
    negative_prompt: bool = True
    snapshots: tuple[str, ...] = ()
    prices: tuple[Price, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All models by name, snapshot names included in look-ups."""

    models: Mapping[str, Model]

    def find(self, name: str) -> Model | None:
        """The model of that name or of that name without a snapshot's date; None if unknown."""
        raise NotImplementedError

    def near(self, name: str) -> tuple[str, ...]:
        """Up to three known names that a misspelt one may have meant."""
        raise NotImplementedError
