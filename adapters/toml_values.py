"""Typed readers of TOML. Each takes a value and its place, and says of everything wrong in it where and why."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from functools import partial
from typing import Any, TypeVar

from adapters.toml_lines import Path

BARE = re.compile(r"[A-Za-z0-9_-]+")
Name = TypeVar("Name")


@dataclass(frozen=True, slots=True)
class Mistake:
    """`reason` is a sentence about what stands at `path`; `line` is from 1 (0: not known)."""

    path: Path
    reason: str
    line: int = 0

    @property
    def key(self) -> str:
        """The path as it is written in TOML: `models."wan2.7-t2v".prices[0].currency`."""
        parts = (f"[{part}]" if isinstance(part, int) else f".{_quoted(part)}" for part in self.path)
        return "".join(parts).removeprefix(".")

    def __str__(self) -> str:
        return f"{self.key}: {self.reason}" if self.path else self.reason


class CatalogueError(ValueError):
    """What is wrong with a catalogue's text; at least one mistake."""

    def __init__(self, *mistakes: Mistake) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the document a reader stands."""

    path: Path = ()

    def __truediv__(self, key: str | int) -> Place:
        return Place((*self.path, key))

    def wrong(self, reason: str) -> CatalogueError:
        return CatalogueError(Mistake(self.path, reason))


Reader = Callable[[Any, Place], Any]


def every(reads: Iterable[tuple[Name, Callable[[], Any]]]) -> dict[Name, Any]:
    """What each of `reads` gives, by its name. Raises `CatalogueError` with the mistakes of all of them."""
    done: dict[Name, Any] = {}
    mistakes: list[Mistake] = []
    for name, read in reads:
        try:
            done[name] = read()
        except CatalogueError as error:
            mistakes += error.mistakes
    if mistakes:
        raise CatalogueError(*mistakes)
    return done


def table(value: Any, place: Place) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise place.wrong("must be a table.")
    return value


def table_of(readers: Mapping[str, Reader]) -> Reader:
    """A reader of a table that has these keys, any of which may be missing, and no others."""

    def read(value: Any, place: Place) -> dict[str, Any]:
        return every(
            (key, partial(_known(key, readers), each, place / key)) for key, each in table(value, place).items()
        )

    return read


def record(of: Any, readers: Mapping[str, Reader]) -> Reader:
    """A reader of a table as a dataclass whose fields are read by `readers`."""
    fields_read = table_of(readers)
    required = [f.name for f in fields(of) if f.default is MISSING and f.default_factory is MISSING]

    def read(value: Any, place: Place) -> Any:
        given = fields_read(value, place)
        if missing := [name for name in required if name not in given]:
            raise CatalogueError(*(Mistake((place / name).path, "is missing.") for name in missing))
        return of(**given)

    return read


def mapping(item: Reader, key: Reader = lambda name, _: name) -> Reader:
    """A reader of a table with names of its own; `key` reads these."""

    def read(value: Any, place: Place) -> dict[Any, Any]:
        given = table(value, place)
        keys = every((name, partial(key, name, place / name)) for name in given)
        items = every((name, partial(item, each, place / name)) for name, each in given.items())
        return {keys[name]: each for name, each in items.items()}

    return read


def list_of(item: Reader) -> Reader:
    def read(value: Any, place: Place) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise place.wrong("must be a list.")
        return tuple(every((index, partial(item, each, place / index)) for index, each in enumerate(value)).values())

    return read


def exactly(what: str, *kinds: type) -> Reader:
    """A reader of these TOML types; `bool` is not taken for `int`."""

    def read(value: Any, place: Place) -> Any:
        if type(value) not in kinds:
            raise place.wrong(f"must be {what}.")
        return value

    return read


def number(what: str, least: float, *kinds: type, above: bool = False) -> Reader:
    """A reader of numbers from `least` on; with `above`, only of those above it."""
    typed = exactly(what, *kinds)

    def read(value: Any, place: Place) -> Any:
        if not least <= typed(value, place) < float("inf") or (above and value == least):
            raise place.wrong(f"must be {what}.")
        return value

    return read


def one_of(words: Iterable[str]) -> Reader:
    known = tuple(words)

    def read(value: Any, place: Place) -> str:
        if text(value, place) not in known:
            raise place.wrong(f"{value!r} {instead(value, known)}")
        return str(value)

    return read


def instead(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about a name that is none of `known`: the nearest one, or all of them."""
    names = tuple(known)
    near = get_close_matches(name, names, n=1)
    return f"is not known; did you mean {near[0]}?" if near else f"is not known, known are {', '.join(names)}."


def _known(key: str, readers: Mapping[str, Reader]) -> Reader:
    def unknown(_: Any, place: Place) -> None:
        raise place.wrong(instead(key, readers))

    return readers.get(key, unknown)


def _quoted(key: str) -> str:
    return key if BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)


text = exactly("a text", str)
texts = list_of(text)
flag = exactly("true or false", bool)
integer = exactly("an integer", int)
scalar = exactly("a text, an integer, true or false", str, int, bool)
