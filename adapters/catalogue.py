"""The model catalogue: reads `models.toml`, finds models by name.

A `Catalogue` is a value that is handed in. Its text form is TOML: `[models."<name>"]` tables whose keys are the fields
of `Model`, and `[shared.<name>]` tables of such keys that models take over by `uses = ["<name>", ...]`, later ones and
the model's own on top. Tables merge, everything else replaces.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any

from adapters.catalogue_schema import CatalogueError, Place, model_from, table_at, texts
from adapters.messages import Scalar
from adapters.model import PARAMETERS, MediaRule, Model, ParameterRule, Price

__all__ = [
    "PARAMETERS",
    "Catalogue",
    "CatalogueError",
    "MediaRule",
    "Model",
    "ParameterRule",
    "Price",
    "builtin",
    "default",
    "load",
]

SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")
"""The date of a snapshot in a model's name (wan2.7-i2v-2026-04-25)."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All models by name, snapshot names included in look-ups."""

    models: Mapping[str, Model]

    def find(self, name: str) -> Model | None:
        """The model of that name or of that name without a snapshot's date; None if unknown."""
        return self.models.get(name) or self.models.get(SNAPSHOT.sub("", name))

    def near(self, name: str) -> tuple[str, ...]:
        """Up to three known names that a misspelt one may have meant."""
        return tuple(get_close_matches(name.strip().lower(), self.models, n=3, cutoff=0.7))


def default(model: Model, shape: str, parameter: str) -> Scalar | None:
    """What `parameter` means when a client of `shape` leaves it out; None if nothing is known of it."""
    rule = model.parameters.get(parameter)
    if rule is None:
        return None
    value = rule.default.get(shape)
    return rule.default.get("native") if value is None and shape == "gateway" else value


@cache
def builtin(*more: str) -> Catalogue:
    """The catalogue that comes with the package, an operator's own texts laid over it. Raises `CatalogueError`."""
    return load(files("adapters").joinpath("models.toml").read_text("utf-8"), *more)


def load(text: str, *more: str) -> Catalogue:
    """Reads TOML; each further text is laid over the ones before it. Raises `CatalogueError`."""
    merged: dict[str, Any] = {}
    for part in (text, *more):
        merged = _laid_over(merged, _parsed(part))
    table_at(merged, Place(""), ("models", "shared"))
    shared = table_at(merged.get("shared", {}), Place("", "shared"))
    models = table_at(merged.get("models", {}), Place("", "models"))
    return Catalogue({name: model_from(name, _whole(name, own, shared)) for name, own in models.items()})


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as broken:
        raise CatalogueError("", "", f"not TOML: {broken}") from broken


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _laid_over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _whole(name: str, own: Any, shared: Mapping[str, Any]) -> dict[str, Any]:
    """The model's own table over the shared ones that it uses."""
    place = Place(name)
    rest = dict(table_at(own, place))
    whole: dict[str, Any] = {}
    for used in texts(rest.pop("uses", []), place / "uses"):
        if used not in shared:
            raise (place / "uses").wrong(f"there is no [shared.{used}]")
        whole = _laid_over(whole, table_at(shared[used], Place("", f"shared.{used}")))
    return _laid_over(whole, rest)
