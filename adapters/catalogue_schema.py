"""What may stand in a catalogue: the keys of its tables, and what is allowed for each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from adapters.messages import Kind
from adapters.model import PARAMETERS, MediaRule, Model, ParameterRule, Price
from adapters.providers import PROVIDERS, Rejected
from adapters.toml_values import (
    Place,
    Reader,
    exactly,
    flag,
    integer,
    list_of,
    mapping,
    number,
    one_of,
    record,
    scalar,
    table_of,
    text,
    texts,
)

FAMILIES = ("native", "flat")
SHAPES = (*FAMILIES, "gateway")
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")


def _kind(value: Any, place: Place) -> Kind:
    try:
        return Kind(value)
    except ValueError:
        raise place.wrong(f"{value!r} is no kind of media, they are {', '.join(Kind)}.") from None


_kinds = list_of(_kind)


def _kind_sets(value: Any, place: Place) -> tuple[frozenset[Kind], ...]:
    return tuple(frozenset(each) for each in list_of(_kinds)(value, place))


_rule = record(
    ParameterRule,
    {
        "values": list_of(scalar),
        "minimum": integer,
        "maximum": integer,
        "also": list_of(integer),
        "providers": mapping(list_of(scalar)),
        "default": mapping(scalar, key=one_of(SHAPES)),
        "maximum_with": mapping(integer, _kind),
        "families": list_of(one_of(FAMILIES)),
    },
)


def _rule_for(kind: type) -> Reader:
    def read(value: Any, place: Place) -> ParameterRule:
        rule: ParameterRule = _rule(value, place)
        known = (*rule.values, *rule.default.values(), *(each for more in rule.providers.values() for each in more))
        if any(type(each) is not kind for each in known):
            raise place.wrong(f"its values must be {kind.__name__}.")
        return rule

    return read


MODEL: Mapping[str, Reader] = {
    **dict.fromkeys(("name", "source"), text),
    **dict.fromkeys(("providers", "truncates", "snapshots"), texts),
    **dict.fromkeys(("voice", "prompt_required", "negative_prompt"), flag),
    **dict.fromkeys(("prompt_maximum", "han_weight", "negative_prompt_maximum"), integer),
    **dict.fromkeys(("combinations", "exclusive"), _kind_sets),
    "service": one_of(("wan", "happyhorse")),
    "protocol": one_of(("media", "legacy")),
    "mode": one_of(("t2v", "i2v", "r2v", "edit", "any")),
    "parameters": table_of({name: _rule_for(kind) for name, kind in PARAMETERS.items()}),
    "media": list_of(record(MediaRule, {"kinds": _kinds, "minimum": integer, "maximum": integer})),
    "inert": mapping(scalar, key=one_of(PARAMETERS)),
    "input_seconds": mapping(number("a whole number of seconds, 0 or more", 0, int), _kind),
    "prices": list_of(
        record(
            Price,
            {
                **dict.fromkeys(("provider", "resolution", "currency", "source"), text),
                "per_second": number("a number, 0 or more", 0, float, int),
            },
        )
    ),
}
"""The keys of a model. A name is not written there: it is the name of the table."""

_written = {name: reader for name, reader in MODEL.items() if name != "name"}
part_of_model = table_of({**_written, "uses": texts, "like": text})
"""Reads a [models.x] or [shared.x] table by itself, whatever it leaves to others."""

_model = record(Model, MODEL)


def model_from(name: str, whole: Mapping[str, Any], place: Place) -> Model:
    """The model that a whole table describes. Raises `CatalogueError`."""
    model: Model = _model({**whole, "name": name}, place)
    for parameter, rule in model.parameters.items():
        at = place / "parameters" / parameter
        if rule.minimum is None or rule.maximum is None:
            if rule.minimum is not rule.maximum:
                raise at.wrong("a range has a minimum and a maximum.")
        elif rule.minimum > rule.maximum:
            raise at.wrong("its minimum is above its maximum.")
    return model


def _base_url(value: Any, place: Place) -> str:
    """The value is not repeated: it may hold a password."""
    url, wrong = (
        text(value, place),
        place.wrong("must be http:// or https://, a host and, if needed, a port and a path."),
    )
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        raise wrong from None
    if not usable or "@" in parts.netloc or not url.isascii() or re.search(r"[\s\\?#]", url):
        raise wrong
    return str(url).rstrip("/")


def _variable(value: Any, place: Place) -> str:
    """The value is not repeated: it may be the key itself."""
    if not VARIABLE.fullmatch(text(value, place)):
        raise place.wrong(
            "must be the name of a variable, in capital letters; the key itself stays in the environment."
        )
    return str(value)


_seconds = number("a number of seconds above 0", 0, float, int, above=True)
_count = number("a whole number, 0 or more", 0, int)


def _most(value: Any, place: Place) -> int | None:
    """0 takes away a limit that the row, or the one it is like, would have."""
    return _count(value, place) or None


def _rejected(value: Any, place: Place) -> Rejected:
    return Rejected(one_of(Rejected)(value, place))


part_of_provider = table_of(
    {
        **dict.fromkeys(("first_look_seconds", "look_every_seconds", "slow_look_seconds"), _seconds),
        "title": text,
        "shape": one_of(SHAPES),
        "base_url": _base_url,
        "api_key_env": _variable,
        "calls_back": flag,
        "batch": number("a whole number, 1 or more", 1, int),
        "looks_per_second": number("a number above 0", 0, float, int, above=True),
        "floor_seconds": number("a number of seconds, 0 or more", 0, float, int),
        "most_active": _most,
        "rejected_5xx": _rejected,
        "retention_seconds": number("a whole number of seconds, 1 or more", 1, int),
        "like": one_of(PROVIDERS),
        "models": texts,
    }
)
"""Reads a [providers.x] table: keys of `Provider`, and what only says which models it offers."""

read_aliases = mapping(exactly("the name of a model", str))
