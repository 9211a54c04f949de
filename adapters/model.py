"""What a model is: where it exists, what it takes, what an absent field means, what it costs. Values only.

They are filled from `models.toml` by `catalogue`, which exports them too.
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
"""Canonical parameter names and their JSON types (wire notes 5.1)."""


@dataclass(frozen=True, slots=True)
class ParameterRule:
    """What a model takes: one of `values`, or an integer in `minimum..maximum`, or one of `also` beside the range.
    A rule with none of them takes anything.

    `providers` widens the rule for single providers whose documents claim more. `maximum_with` is a lower maximum that
    holds when media of a kind is given. `default` is what an absent field means, by client shape ("native", "flat",
    "gateway"); gateway falls back to native. `families` are the wire families that have a word for the parameter with
    this model: a writer of another family may only leave it out where that changes nothing.
    """

    values: tuple[Scalar, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    also: tuple[int, ...] = ()
    providers: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    default: Mapping[str, Scalar] = field(default_factory=dict)
    maximum_with: Mapping[Kind, int] = field(default_factory=dict)
    families: tuple[str, ...] = ("native", "flat")


@dataclass(frozen=True, slots=True)
class MediaRule:
    """How many pieces of the given kinds together a model takes."""

    kinds: tuple[Kind, ...]
    minimum: int = 0
    maximum: int = 1


@dataclass(frozen=True, slots=True)
class Price:
    """Money per billed second in `currency`, by provider and resolution, with its source (an operator may omit it)."""

    provider: str
    resolution: str
    per_second: float
    currency: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """One model. `service` is the flat service; `protocol` how the native wire carries its media: "media" (2.7, 3.0,
    happyhorse: `input.media[]`) or "legacy" (2.6: `input.img_url`, `reference_urls`, ...).

    Media: each rule of `media` must hold; when `combinations` is not empty, the set of kinds must be one of them; when
    `exclusive` is not empty, only one of its groups may be used at a time. `voice` allows a voice per reference.

    Texts: lengths are in characters, a Chinese one counting `han_weight`. A provider in `truncates` cuts a longer text
    off instead of refusing it.

    `inert` are parameters without any effect on this model, with the value that flat clients send in every request
    (AceData's SDK fills in its defaults whatever the action): that value may be left out on the way to another family.
    `snapshots` are date suffixes under which the model is also offered by DashScope. `input_seconds` is how long a
    piece of input that is billed too can be at most.
    """

    name: str
    service: str
    protocol: str
    mode: str  # "t2v", "i2v", "r2v", "edit", "any"
    providers: tuple[str, ...]
    parameters: Mapping[str, ParameterRule]
    media: tuple[MediaRule, ...] = ()
    combinations: tuple[frozenset[Kind], ...] = ()
    exclusive: tuple[frozenset[Kind], ...] = ()
    voice: bool = False
    inert: Mapping[str, Scalar] = field(default_factory=dict)
    prompt_required: bool = True
    prompt_maximum: int | None = None
    han_weight: int = 1
    negative_prompt: bool = True
    negative_prompt_maximum: int | None = None
    truncates: tuple[str, ...] = ()
    snapshots: tuple[str, ...] = ()
    prices: tuple[Price, ...] = ()
    input_seconds: Mapping[Kind, int] = field(default_factory=dict)
    source: str = ""
