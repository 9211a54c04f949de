"""Typed readers for the catalogue's TOML: every wrong key or type is an error that names the model and the key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from adapters.messages import Kind
from adapters.model import PARAMETERS, MediaRule, Model, ParameterRule, Price

WORDS: Mapping[str, tuple[str, ...]] = {
    "service": ("wan", "happyhorse"),
    "protocol": ("media", "legacy"),
    "mode": ("t2v", "i2v", "r2v", "edit", "any"),
}
"""The fields of a model whose words the adapters know by heart."""


class CatalogueError(ValueError):
    """Bad catalogue data. `model` is the model's name, `key` the dotted path inside it ("" for the whole)."""

    def __init__(self, model: str, key: str, reason: str) -> None:
        super().__init__(": ".join(part for part in (model, key, reason) if part))
        self.model = model
        self.key = key
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the data a reader stands."""

    model: str
    key: str = ""

    def __truediv__(self, key: object) -> Place:
        return Place(self.model, f"{self.key}.{key}" if self.key else str(key))

    def wrong(self, reason: str) -> CatalogueError:
        return CatalogueError(self.model, self.key, reason)


Reader = Callable[[Any, Place], Any]


def table_at(value: Any, place: Place, known: Iterable[str] | None = None) -> dict[str, Any]:
    """`value` as a table, whose keys are among `known` if that is given."""
    if not isinstance(value, dict):
        raise place.wrong("must be a table")
    allowed = tuple(value if known is None else known)
    for key in value:
        if key not in allowed:
            raise (place / key).wrong(f"unknown key, known are {', '.join(allowed)}")
    return value


def _exactly(kind: type | tuple[type, ...], what: str) -> Reader:
    """A reader of one TOML type; `bool` is not taken for `int`."""
    kinds = kind if isinstance(kind, tuple) else (kind,)

    def read(value: Any, place: Place) -> Any:
        if type(value) not in kinds:
            raise place.wrong(f"must be {what}")
        return value

    return read


def _list(item: Reader) -> Reader:
    def read(value: Any, place: Place) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise place.wrong("must be a list")
        return tuple(item(each, place / index) for index, each in enumerate(value))

    return read


def _mapping(item: Reader, key: Reader = lambda name, _: name) -> Reader:
    def read(value: Any, place: Place) -> dict[Any, Any]:
        return {key(name, place): item(each, place / name) for name, each in table_at(value, place).items()}

    return read


def _record(of: Any, readers: Mapping[str, Reader]) -> Reader:
    """A reader of a table as a dataclass whose fields are read by `readers`."""
    required = [f.name for f in fields(of) if f.default is MISSING and f.default_factory is MISSING]

    def read(value: Any, place: Place) -> Any:
        table = table_at(value, place, readers)
        for name in required:
            if name not in table:
                raise (place / name).wrong("is missing")
        return of(**{name: readers[name](each, place / name) for name, each in table.items()})

    return read


def _kind(value: Any, place: Place) -> Kind:
    try:
        return Kind(value)
    except ValueError:
        raise place.wrong(f"{value!r} is no kind of media, they are {', '.join(Kind)}") from None


def _parameters(value: Any, place: Place) -> dict[str, ParameterRule]:
    table = table_at(value, place, PARAMETERS)
    rules = {name: _rule(each, place / name) for name, each in table.items()}
    for name, rule in rules.items():
        known = (*rule.values, *rule.default.values(), *(each for more in rule.providers.values() for each in more))
        if any(type(each) is not PARAMETERS[name] for each in known):
            raise (place / name).wrong(f"its values must be {PARAMETERS[name].__name__}")
        if (rule.minimum is None) != (rule.maximum is None):
            raise (place / name).wrong("a range has a minimum and a maximum")
    return rules


_text = _exactly(str, "a text")
_flag = _exactly(bool, "true or false")
_integer = _exactly(int, "an integer")
_scalar = _exactly((str, int, bool), "a text, an integer, true or false")
texts = _list(_text)
_kinds = _list(_kind)


def _kind_sets(value: Any, place: Place) -> tuple[frozenset[Kind], ...]:
    return tuple(frozenset(each) for each in _list(_kinds)(value, place))


_rule = _record(
    ParameterRule,
    {
        "values": _list(_scalar),
        "minimum": _integer,
        "maximum": _integer,
        "also": _list(_integer),
        "providers": _mapping(_list(_scalar)),
        "default": _mapping(_scalar),
        "maximum_with": _mapping(_integer, _kind),
        "families": texts,
    },
)
_media = _record(MediaRule, {"kinds": _kinds, "minimum": _integer, "maximum": _integer})
_price = _record(
    Price,
    {
        "provider": _text,
        "resolution": _text,
        "per_second": _exactly((float, int), "a number"),
        "currency": _text,
        "source": _text,
    },
)
_model = _record(
    Model,
    {
        **dict.fromkeys(("name", "service", "protocol", "mode", "source"), _text),
        **dict.fromkeys(("providers", "truncates", "snapshots"), texts),
        **dict.fromkeys(("voice", "prompt_required", "negative_prompt"), _flag),
        **dict.fromkeys(("prompt_maximum", "han_weight", "negative_prompt_maximum"), _integer),
        **dict.fromkeys(("combinations", "exclusive"), _kind_sets),
        "parameters": _parameters,
        "media": _list(_media),
        "inert": _mapping(_scalar),
        "prices": _list(_price),
    },
)


def model_from(name: str, table: Mapping[str, Any]) -> Model:
    """The model that `table` describes. Raises `CatalogueError`."""
    place = Place(name)
    model: Model = _model({**table, "name": name}, place)
    for key, words in WORDS.items():
        if getattr(model, key) not in words:
            raise (place / key).wrong(f"must be one of {', '.join(words)}")
    return model
