"""Behaviour asked for in a prompt: `a cat [sim:create=502html] [sim:callback=lost seconds=3]`.

Several markers, and several words in one marker, make one `Behaviour`. The README has the table of all words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Literal

PROVIDERS = ("acedata", "laozhang", "apiyi", "dashscope")
MARKER = re.compile(r"\[sim:([^\]]*)\]")
STATUS = re.compile(r"([45]\d\d)(html)?")
CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.]*")


class UnknownMarker(ValueError):
    """A word that no marker has. A misspelt test must not pass as a well-behaved create."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way in which an exchange goes wrong.

    `refuse`: an error body of the vendor, by HTTP `status` or by `code`; `html`: a proxy's page with `status`;
    `dropped`: the connection closes and nothing was done; `lost`: it was done, but the connection closes without an
    answer; `noid`: it was done, but the 200 does not say under which id; `denied`: it was done, but the answer is an
    error body as of `refuse`; `delay`: the answer comes `seconds` late;
    `slow`: its head and half of its body come at once, the rest `seconds` later.
    A refused create may ask to come back after `retry_after` seconds; looks and downloads go wrong `count` times.
    """

    kind: Literal["refuse", "html", "dropped", "lost", "noid", "denied", "delay", "slow"]
    status: int = 0
    code: str = ""
    seconds: float = 0.0
    retry_after: int | None = None
    count: int = 1


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How one create, its task, its callback and its result behave. The default is a well-behaved vendor."""

    fail: str | None = None  # the code it fails with; "" is the vendor's usual one
    seconds: float | None = None
    queue: float | None = None
    lag: float = 0.0
    nourl: bool = False
    noprompt: bool = False
    create: Fault | None = None
    poll: Fault | None = None
    result: Fault | None = None
    callback: str | None = None
    push: str | None = None
    error: str | None = None
    reasonurl: bool = False
    snapshot: bool = False
    notime: bool = False
    only: str | None = None
    times: int | None = None

    def calm(self) -> Behaviour:
        """What is left of it once it no longer applies: how long the task takes, but nothing that goes wrong."""
        return Behaviour(seconds=self.seconds, queue=self.queue)


def read_behaviour(text: str) -> Behaviour:
    """The behaviour that the markers in a prompt ask for. Raises `UnknownMarker`."""
    return read_words(" ".join(MARKER.findall(text)))


def read_words(words: str) -> Behaviour:
    """The behaviour that bare words ask for: "create=429 times=2". Raises `UnknownMarker`."""
    behaviour = Behaviour(**dict(map(_read_word, words.split())))
    if behaviour.callback == "early":  # it overtakes the create's answer, so the task ends at once
        return replace(behaviour, seconds=0.0)
    return behaviour


def _read_word(word: str) -> tuple[str, Any]:
    name, equals, value = word.partition("=")
    try:
        if name in FLAGS and not equals:
            return name, FLAGS[name]
        return name, READERS[name](value)
    except (KeyError, ValueError):
        raise UnknownMarker(f"unknown simulator marker {word!r}") from None


def _create(value: str) -> Fault:
    kind, _, argument = value.partition(":")
    if value in ENDINGS:
        return ENDINGS[value]
    if kind == "delay":
        return Fault("delay", seconds=_seconds(argument))
    if kind == "slow":
        return Fault("slow", seconds=_seconds(argument))
    if kind == "refuse" and CODE.fullmatch(argument):
        return Fault("refuse", code=argument)
    if kind == "denied":
        return Fault("denied", status=int(HTTPStatus(int(argument))))
    return replace(_status(kind), retry_after=int(argument) if argument else None)


def _repeated(value: str) -> Fault:
    kind, _, count = value.partition(":")
    fault = ENDINGS["lost"] if kind == "lost" else _status(kind)
    return replace(fault, count=int(count or 1))


def _status(value: str) -> Fault:
    found = STATUS.fullmatch(value)
    if found is None:
        raise ValueError(value)
    return Fault("html" if found[2] else "refuse", status=HTTPStatus(int(found[1])))


def _seconds(value: str) -> float:
    seconds = float(value)
    if not 0 <= seconds < float("inf"):
        raise ValueError(value)
    return seconds


def _code(value: str) -> str:
    if not CODE.fullmatch(value):
        raise ValueError(value)
    return value


def _word(*allowed: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in allowed:
            raise ValueError(value)
        return value

    return read


ENDINGS = {"dropped": Fault("dropped"), "lost": Fault("lost"), "noid": Fault("noid")}

FLAGS: Mapping[str, Any] = {
    "fail": "",
    "nourl": True,
    "noprompt": True,
    "reasonurl": True,
    "snapshot": True,
    "notime": True,
}

READERS: Mapping[str, Callable[[str], Any]] = {
    "fail": _code,
    "seconds": _seconds,
    "queue": _seconds,
    "lag": _seconds,
    "create": _create,
    "poll": _repeated,
    "result": _repeated,
    "callback": _word("lost", "twice", "early", "wrongid"),
    "push": _word("lost", "twice", "stale", "newline"),
    "error": _word("text", "reason", "top"),
    "only": _word(*PROVIDERS),
    "times": int,
}
