"""Typed getters over untrusted JSON.

`Reader` is strict and meant for clients: every miss is `Unreadable` and names the path. The `*_of` functions are
lenient and meant for upstreams, whose odd field must not hide the rest of a reply: a wrong type counts as absent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from adapters.messages import Scalar, Unreadable

NAMES: Mapping[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number with a fraction",
}

LONGEST_WORD = 64
YEAR_9999 = 253_370_764_800_000
"""1 January 9999 in milliseconds."""


def kind_of(value: object) -> str:
    """The JSON type of a parsed value in words; values themselves never get into error texts."""
    return NAMES.get(type(value), "null")


class Reader:
    """One JSON object being read. Every getter takes its key; `rest` is what nobody took. A null counts as not set."""

    def __init__(self, value: object, path: str = "") -> None:
        """Raises `Unreadable` if `value` is no object."""
        if not isinstance(value, dict):
            raise Unreadable(path, f"must be an object, not {kind_of(value)}")
        self.path = path
        self._left: dict[str, Any] = {name: each for name, each in value.items() if each is not None}

    def at(self, name: str) -> str:
        """The dotted wire path of a key of this object."""
        return f"{self.path}.{name}" if self.path else name

    def take(self, name: str) -> Any:
        """The value as it stands, None if it is not set."""
        return self._left.pop(name, None)

    def scalar(self, name: str, kind: type) -> Scalar | None:
        """A string, boolean or integer. 5.0 is an integer, "5" and true are not."""
        value = self.take(name)
        if kind is int and type(value) is float and value.is_integer():
            value = int(value)
        if value is None or (type(value) is kind and isinstance(value, (str, int))):
            return value
        raise Unreadable(self.at(name), f"must be {NAMES[kind]}, not {kind_of(value)}")

    def text(self, name: str) -> str | None:
        value = self.scalar(name, str)
        return None if value is None else str(value)

    def filled(self, name: str) -> str | None:
        """A string; an empty one counts as not set."""
        return self.text(name) or None

    def required(self, name: str) -> str:
        value = self.filled(name)
        if value is None:
            raise Unreadable(self.at(name), "is missing")
        return value

    def choice(self, name: str, words: Mapping[str, object]) -> str | None:
        value = self.filled(name)
        if value is not None and value not in words:
            raise Unreadable(self.at(name), f"must be one of {', '.join(words)}")
        return value

    def flag(self, name: str) -> bool:
        return bool(self.scalar(name, bool))

    def integer(self, name: str) -> int | None:
        value = self.scalar(name, int)
        return None if value is None else int(value)

    def number(self, name: str) -> float | None:
        """A finite number, with or without a fraction."""
        value = self.take(name)
        number = number_of(value)
        if value is not None and number is None:
            raise Unreadable(self.at(name), f"must be a number, not {kind_of(value)}")
        return number

    def array(self, name: str) -> list[Any]:
        """Empty if not set."""
        value = self.take(name)
        if value is None or isinstance(value, list):
            return value or []
        raise Unreadable(self.at(name), f"must be an array, not {kind_of(value)}")

    def texts(self, name: str) -> tuple[str, ...]:
        """An array of filled strings, or one string alone, which stands for an array of one."""
        alone = self._left.get(name)
        if isinstance(alone, str):
            return (alone,) if self.filled(name) else ()
        values = self.array(name)
        for index, value in enumerate(values):
            if not isinstance(value, str) or not value:
                raise Unreadable(f"{self.at(name)}[{index}]", f"must be a string with content, not {kind_of(value)}")
        return tuple(values)

    def child(self, name: str) -> Reader:
        """An object; an empty one if not set."""
        value = self.take(name)
        return Reader({} if value is None else value, self.at(name))

    def rest(self) -> dict[str, Any]:
        """What nobody took, by dotted path."""
        return {self.at(name): value for name, value in self._left.items()}


def object_of(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def text_of(value: object) -> str:
    return value if isinstance(value, str) else ""


def word_of(text: str) -> str:
    """A foreign word that may stand in a log line or a row: 64 characters of letters, digits and what joins them. An
    URL, say, is none any more."""
    return "".join(char if char.isalnum() or char in "_-. " else "?" for char in text[:LONGEST_WORD])


def number_of(value: object) -> float | None:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def whole_of(value: object, least: int, usual: int) -> int:
    """A number without its fraction; `usual` for what is none or below `least`."""
    number = number_of(value)
    return usual if number is None or number < least else int(number)


def time_of(milliseconds: float | None) -> int | None:
    """Milliseconds since the epoch, if they lie in the years that a calendar knows."""
    return None if milliseconds is None or not 0 <= milliseconds < YEAR_9999 else round(milliseconds)


def json_number(value: float | None) -> int | float | None:
    """An integer where the value is one: Go clients cannot put 5.0 into an int."""
    return int(value) if value is not None and value.is_integer() else value


def without_nulls(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
