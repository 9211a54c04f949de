"""The model catalogue: reads `models.toml`, finds models by name.

A `Catalogue` is a value that is handed in. Its text form is TOML: `[models."<name>"]` tables whose keys are the fields
of `Model`, and `[shared.<name>]` tables of such keys that models take over by `uses = ["<name>", ...]`, later ones and
the model's own on top. Tables merge, prices are added (one for each provider and resolution), everything else replaces.

An operator's text, laid over ours, may also have `[providers.<name>]` (see `offers`), `[aliases]`, and models that are
`like = "<model>"`: as that one, but for prices and snapshots, and what their own table says.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache, partial
from importlib.resources import files
from typing import Any

from adapters.catalogue_schema import model_from, part_of_model, part_of_provider, read_aliases
from adapters.messages import Scalar
from adapters.model import PARAMETERS, MediaRule, Model, ParameterRule, Price
from adapters.offers import check_names, offered, rows_of
from adapters.providers import PROVIDERS, Provider
from adapters.toml_lines import Path, broken_line, known_part, lines_of
from adapters.toml_values import CatalogueError, Mistake, Place, every, instead, mapping, table_of

__all__ = [
    "PARAMETERS",
    "Catalogue",
    "CatalogueError",
    "MediaRule",
    "Mistake",
    "Model",
    "ParameterRule",
    "Price",
    "builtin",
    "default",
    "load",
]

SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")
"""The date of a snapshot in a model's name (wan2.7-i2v-2026-04-25)."""

NOT_ALIKE = ("prices", "snapshots", "source")
"""What a model does not have from the one that it is like."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All models by name, snapshot names and aliases included in look-ups, and all providers.

    `own` are the models that an operator's text added or changed."""

    models: Mapping[str, Model]
    aliases: Mapping[str, str] = field(default_factory=dict)
    providers: Mapping[str, Provider] = field(default_factory=lambda: PROVIDERS)
    own: frozenset[str] = frozenset()

    def find(self, name: str) -> Model | None:
        """The model of that name, of that alias, or of that name without a snapshot's date; None if unknown."""
        real = self.real_name(name)
        return self.models.get(real) or self.models.get(SNAPSHOT.sub("", real))

    def real_name(self, name: str) -> str:
        """What an upstream calls the model; only an alias is another name."""
        return self.aliases.get(name, name)

    def is_snapshot(self, name: str) -> bool:
        """Whether it names a dated snapshot of a model that has such."""
        model, real = self.find(name), self.real_name(name)
        return model is not None and any(real == f"{model.name}-{date}" for date in model.snapshots)

    def near(self, name: str) -> tuple[str, ...]:
        """Up to three known names that a misspelt one may have meant."""
        return tuple(get_close_matches(name.strip().lower(), (*self.models, *self.aliases), n=3, cutoff=0.7))


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
    """Reads TOML; each further text is laid over the ones before it. Raises `CatalogueError`, whose mistakes have lines
    of the last text that was read."""
    merged: dict[str, Any] = {}
    for part in (text, *more):
        table = _parsed(part)
        _located(part, partial(_read_alone, table))
        merged = _laid_over(merged, table)
        text = part
    catalogue: Catalogue = _located(text, partial(_whole, merged))
    return replace(catalogue, own=frozenset(name for part in more for name in _parsed(part).get("models", {})))


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as broken:
        reason = f"not TOML: {re.sub(r' ?[(]at .*', '', str(broken))}."
        raise CatalogueError(Mistake((), reason, broken_line(broken, text))) from None


def _located(text: str, read: Callable[[], Any]) -> Any:
    """What `read` gives; its mistakes get the lines of `text`."""
    try:
        return read()
    except CatalogueError as error:
        lines = lines_of(text)
        told = {replace(each, line=_line(each.path, lines)): None for each in error.mistakes}
        raise CatalogueError(*sorted(told, key=lambda mistake: mistake.line)) from None


def _line(path: Path, lines: dict[Path, int]) -> int:
    """The line of `path` or of the nearest table around it. What a model has may stand in a shared table."""
    shared = [known for known in lines if known[0] == "shared" and len(known) == 2] if path[:1] == ("models",) else []
    places = [path, *((*known, *path[2:]) for known in shared)]
    return lines.get(max((known_part(each, lines) for each in places), key=len), 1)


_read_text = table_of(
    {
        "models": mapping(part_of_model),
        "shared": mapping(part_of_model),
        "providers": mapping(part_of_provider),
        "aliases": read_aliases,
    }
)


def _read_alone(table: Mapping[str, Any]) -> None:
    """Every key and type of one text, as far as it can be judged without the texts below it."""
    _read_text(table, Place())


def _whole(merged: Mapping[str, Any]) -> Catalogue:
    told = _read_text({"providers": merged.get("providers", {})}, Place())["providers"]
    rows = rows_of(told)
    tables = merged.get("models", {})
    models = every((name, partial(_model, name, merged)) for name in tables)
    check_names(models.values(), rows)
    catalogue = Catalogue(offered(models, told), providers=rows)
    aliases = merged.get("aliases", {})
    every((name, partial(_check_alias, name, meant, catalogue, aliases)) for name, meant in aliases.items())
    return replace(catalogue, aliases=aliases)


def _check_alias(name: str, meant: str, catalogue: Catalogue, aliases: Iterable[str]) -> None:
    place = Place(("aliases", name))
    if not name.strip():
        raise place.wrong("an alias has a name.")
    if catalogue.find(name) is not None:
        raise place.wrong("is a model already; an alias is another name.")
    if meant in aliases:
        raise place.wrong(f"{meant!r} is an alias itself; name the model.")
    if catalogue.find(meant) is None:
        raise place.wrong(f"{meant!r} {instead(meant, catalogue.models)}")


def _model(name: str, merged: Mapping[str, Any]) -> Model:
    place = Place(("models", name))
    return model_from(name, _table(name, merged, place), place)


def _table(name: str, merged: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """The model's own table over the shared ones that it uses, and over that of a model that it is like."""
    models, shared = merged["models"], merged.get("shared", {})
    rest = dict(models[name])
    like, whole = rest.pop("like", None), {}
    if like is not None:
        if like == name or like not in models:
            raise (place / "like").wrong(f"{like!r} {instead(like, [each for each in models if each != name])}")
        if "like" in models[like]:
            raise (place / "like").wrong(f"{like} is itself like another model; name that one.")
        alike = _table(like, merged, Place(("models", like)))
        whole = {key: value for key, value in alike.items() if key not in NOT_ALIKE}
    for index, used in enumerate(rest.pop("uses", [])):
        if used not in shared:
            raise (place / "uses" / index).wrong(f"there is no [shared.{used}].")
        whole = _laid_over(whole, shared[used])
    return _laid_over(whole, rest)


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[key] = _laid_over(old, value)
        elif key == "prices" and isinstance(old, list):
            merged[key] = [*value, *(each for each in old if _priced(each) not in map(_priced, value))]
        else:
            merged[key] = value
    return merged


def _priced(price: Mapping[str, Any]) -> tuple[Any, Any]:
    """What a price is for."""
    return price.get("provider"), price.get("resolution")
