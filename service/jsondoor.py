"""The one door for JSON. Whatever passes `read_json` can be stored, compared and sent on without a surprise.

Python's own parser is more generous than anything behind it: it takes NaN, lets the last of two equal keys win, makes
strings of lone surrogates that no encoder takes back, and answers deep nesting with a `RecursionError`.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

MAX_DEPTH = 64
MAX_STRUCTURE = 200_000  # brackets and commas: `[[],[],...` takes 20 times its size in memory, and nobody means it
MAX_DIGITS = 400  # a double has at most 309 digits before the point
INT64 = range(-(2**63), 2**63)

# A string, or what there is of an unfinished one. Possessive, so that no input makes the search go back.
STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
NOT_STRUCTURE = bytes(set(range(256)) - set(b"[]{},"))
TROUBLED_ESCAPE = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


_Path = tuple["_Path", str | int] | tuple[()]
"""The way to a value, last step first: short for each of many values, spelled out only for the one that is wrong."""


class Malformed(Exception):
    """Not JSON that we accept. `place` is a dotted path ("input.media[0].url"), a position ("line 1 column 7") or ""
    for the whole; `reason` a sentence. Neither repeats a value."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}" if place else reason)
        self.place = place
        self.reason = reason


class _Fault:
    """Stands in the parsed tree where a value must not be, so that its path is known once the tree is whole."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def read_json(data: bytes) -> Any:
    """One JSON value: UTF-8 without a byte order mark, at most 64 deep, no NaN or infinity, no key twice, no lone
    surrogate, no NUL, no integer beyond 64 bits. Raises `Malformed` and nothing else, for any bytes, in a time
    proportional to their number."""
    text = _decode(data)
    _check_depth(_structure(data))  # before anything is built
    faults: list[_Fault] = []
    tree = _parse(text, faults)
    if faults or TROUBLED_ESCAPE.search(text):
        for path, reason in _faults_in(tree):
            raise Malformed(_place(path), reason)
    return tree


def read_object(data: bytes) -> dict[str, Any]:
    """`read_json` for a body that must be an object. Raises `Malformed`."""
    tree = read_json(data)
    if not isinstance(tree, dict):
        raise Malformed("", f"A JSON object is expected, not {_kind(tree)}.")
    return tree


def salvage_json(data: bytes) -> Any:
    """What can be read of a reply that we cannot send back for correction; None if that is nothing. Never raises.

    An upstream's answer to a paid create counts even with a stray byte in it: what is not UTF-8 becomes U+FFFD, so do
    lone surrogates and NUL; NaN, infinity and what is nested too deep becomes None; the last of two equal keys wins.
    """
    try:
        _structure(data)
        tree = json.loads(data.decode("utf-8-sig", "replace"), parse_constant=lambda _: None)
        return _mended(tree, MAX_DEPTH)
    except (Malformed, ValueError, RecursionError):
        return None


def _decode(data: bytes) -> str:
    if not data.strip():
        raise Malformed("", "The body is empty; JSON is expected.")
    if data.startswith(b"\xef\xbb\xbf"):
        raise Malformed("", "The body starts with a byte order mark; send plain UTF-8.")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"byte {error.start}", "The body is not UTF-8.") from None


def _structure(data: bytes) -> bytes:
    """The brackets of a text that need not be well-formed, its strings skipped. Raises `Malformed` for too many."""
    structure = STRING.sub(b"", data).translate(None, NOT_STRUCTURE)
    if len(structure) > MAX_STRUCTURE:
        raise Malformed("", "The body has too many values.")
    return structure.replace(b",", b"")


def _check_depth(brackets: bytes) -> None:
    depth = 0
    for byte in brackets:
        depth += 1 if byte in b"[{" else -1
        if depth > MAX_DEPTH:
            raise Malformed("", f"The body is nested more than {MAX_DEPTH} deep.")


def _parse(text: str, faults: list[_Fault]) -> Any:
    def fault(reason: str) -> _Fault:
        faults.append(_Fault(reason))
        return faults[-1]

    def constant(name: str) -> _Fault:
        return fault(f"{name} is not JSON.")

    try:
        return json.loads(
            text,
            object_pairs_hook=lambda pairs: _object(pairs, fault),
            parse_constant=constant,
            parse_int=lambda digits: _integer(digits, fault),
            parse_float=lambda digits: _float(digits, fault),
        )
    except json.JSONDecodeError as error:
        _fail_at(error)


def _fail_at(error: json.JSONDecodeError) -> NoReturn:
    raise Malformed(f"line {error.lineno} column {error.colno}", f"This is not JSON: {error.msg}.") from None


def _object(pairs: list[tuple[str, Any]], fault: Callable[[str], _Fault]) -> Any:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
    return fault(f"The key {_shown(twice)} appears twice.")


def _integer(digits: str, fault: Callable[[str], _Fault]) -> Any:
    if len(digits) > 20 or int(digits) not in INT64:
        return fault("The integer does not fit into 64 bits.")
    return int(digits)


def _float(digits: str, fault: Callable[[str], _Fault]) -> Any:
    number = float(digits) if len(digits) <= MAX_DIGITS else math.inf
    return number if math.isfinite(number) else fault("The number does not fit into a double.")


def _faults_in(tree: Any) -> Iterator[tuple[_Path, str]]:
    """(path, reason) of everything that must not be in a parsed tree, in the order of the text."""
    waiting: list[tuple[_Path, Any]] = [((), tree)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, _Fault):
            yield path, value.reason
        elif isinstance(value, str):
            if trouble := _text_trouble(value):
                yield path, f"The string contains {trouble}."
        elif isinstance(value, dict):
            for trouble in filter(None, map(_text_trouble, value)):
                yield path, f"A key contains {trouble}."
            waiting.extend(((path, key), item) for key, item in reversed(value.items()))
        elif isinstance(value, list):
            waiting.extend(((path, index), value[index]) for index in reversed(range(len(value))))


def _text_trouble(text: str) -> str | None:
    if "\0" in text:
        return "a NUL character"
    return "half of a surrogate pair" if LONE_SURROGATE.search(text) else None


def _place(path: _Path) -> str:
    steps: list[str] = []
    while path:
        path, step = path
        steps.append(f"[{step}]" if isinstance(step, int) else f".{_shown(step)}")
    return "".join(reversed(steps)).removeprefix(".")


def _shown(key: str) -> str:
    """A key as part of a path: itself if it is a plain word, else its start in ASCII and quotes."""
    return key if PLAIN_KEY.fullmatch(key) else json.dumps(key[:64])


def _kind(tree: Any) -> str:
    kinds = {list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return kinds.get(type(tree), "a number")


def _mended(tree: Any, depth: int) -> Any:
    if isinstance(tree, str):
        return LONE_SURROGATE.sub("\ufffd", tree).replace("\0", "\ufffd")
    if isinstance(tree, float):
        return tree if math.isfinite(tree) else None
    if isinstance(tree, dict):
        return {_mended(key, 0): _mended(item, depth - 1) for key, item in tree.items()} if depth else None
    if isinstance(tree, list):
        return [_mended(item, depth - 1) for item in tree] if depth else None
    return tree
