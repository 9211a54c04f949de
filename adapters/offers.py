"""An operator's providers: their rows, and which models they offer.

A [providers.x] table makes a new row out of what it says and, with `like`, of a known row; under the name of a known
provider it changes that row. A new provider offers the models that it lists in `models`, or else all those of the one
it is `like`, and every model that names it in its own `providers`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from adapters.model import Model, ParameterRule
from adapters.providers import PROVIDERS, Provider
from adapters.toml_values import CatalogueError, Mistake, Place, every, instead

NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
OF_OFFERS = ("like", "models")
CALLING = "flat"
"""The shape that has a batch query and calls back."""

AT = Place(("providers",))


def rows_of(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Provider]:
    """All providers: the built-in rows with those of `tables` (as the schema read them). Raises `CatalogueError`."""
    return {**PROVIDERS, **every((name, partial(_row, name, told, AT / name)) for name, told in tables.items())}


def _row(name: str, told: Mapping[str, Any], place: Place) -> Provider:
    said = {key: value for key, value in told.items() if key not in OF_OFFERS}
    row = (
        replace(PROVIDERS[name], **_only_limits(said, told, place))
        if name in PROVIDERS
        else _new(name, said, told, place)
    )
    if row.shape != CALLING and (row.batch > 1 or row.calls_back):
        raise place.wrong(f"batch and calls_back are for providers of the {CALLING} shape.")
    if row.look_every_seconds < row.floor_seconds:
        raise place.wrong(f"look_every_seconds is below floor_seconds, which is {row.floor_seconds:g}.")
    return row


def _only_limits(said: dict[str, Any], told: Mapping[str, Any], place: Place) -> dict[str, Any]:
    fixed = [key for key in ("shape", "like") if key in told]
    if fixed:
        text = f"{place.path[-1]} is built in and has its shape; give a provider of yours another name."
        raise CatalogueError(*(Mistake((place / key).path, text) for key in fixed))
    return said


def _new(name: str, said: dict[str, Any], told: Mapping[str, Any], place: Place) -> Provider:
    like = told.get("like")
    if not NAME.fullmatch(name):
        raise place.wrong("a provider's name has up to 32 small letters, digits and underscores, a letter first.")
    if "base_url" not in said:
        raise (place / "base_url").wrong("is missing.")
    if ("shape" in said) == (like is not None):
        raise place.wrong("needs either `like`, the name of a provider that it is like, or its `shape`.")
    own = {"title": name, "api_key_env": f"{name.upper()}_API_KEY", **said, "name": name}
    return replace(PROVIDERS[like], **own) if like else Provider(**own)


def check_names(models: Iterable[Model], rows: Mapping[str, Provider]) -> None:
    """Raises `CatalogueError` for names of providers that there are not."""
    mistakes = []
    for model in models:
        place = Place(("models", model.name))
        for name, at in _named(model, place):
            if name not in rows:
                mistakes.append(Mistake(at.path, f"{name!r} {instead(name, rows)}"))
    if mistakes:
        raise CatalogueError(*mistakes)


def _named(model: Model, place: Place) -> Iterable[tuple[str, Place]]:
    """Every place in a model that names a provider."""
    for key, names in (("providers", model.providers), ("truncates", model.truncates)):
        yield from ((name, place / key / index) for index, name in enumerate(names))
    yield from ((price.provider, place / "prices" / index / "provider") for index, price in enumerate(model.prices))
    for parameter, rule in model.parameters.items():
        yield from ((name, place / "parameters" / parameter / "providers" / name) for name in rule.providers)


def offered(models: Mapping[str, Model], tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Model]:
    """The models with the providers of `tables` among those that offer them. Raises `CatalogueError`."""
    found, mistakes = dict(models), []
    for name, told in tables.items():
        like, listed = told.get("like"), told.get("models", ())
        for index, wanted in enumerate(listed):
            if wanted not in models:
                mistakes.append(Mistake((AT / name / "models" / index).path, f"{wanted!r} {instead(wanted, models)}"))
        for model in models.values():
            if _offers(name, told, model):
                found[model.name] = _with(found[model.name], name, like)
        if not any(name in model.providers for model in found.values()):
            text = "it offers no model: name them in `models`, or say which provider it is `like`."
            mistakes.append(Mistake((AT / name).path, text))
    if mistakes:
        raise CatalogueError(*mistakes)
    return found


def _offers(name: str, told: Mapping[str, Any], model: Model) -> bool:
    if name in model.providers or model.name in told.get("models", ()):
        return True
    return "models" not in told and told.get("like") in model.providers


def _with(model: Model, name: str, like: str | None) -> Model:
    """The model as offered by one more provider, with the exceptions that hold for the one it is like. Of one that is
    like none the widest is thought: an upstream's refusal costs nothing, and a wrong one of ours breaks a program."""
    if name in PROVIDERS:
        return replace(model, providers=_added(model.providers, name))
    truncates = bool(model.truncates) if like is None else like in model.truncates
    return replace(
        model,
        providers=_added(model.providers, name),
        truncates=_added(model.truncates, name) if truncates else model.truncates,
        parameters={parameter: _rule(rule, name, like) for parameter, rule in model.parameters.items()},
    )


def _rule(rule: ParameterRule, name: str, like: str | None) -> ParameterRule:
    if name in rule.providers:
        return rule
    more = rule.providers.get(like, ()) if like else tuple(each for wider in rule.providers.values() for each in wider)
    return replace(rule, providers={**rule.providers, name: more}) if more else rule


def _added(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return names if name in names else (*names, name)
