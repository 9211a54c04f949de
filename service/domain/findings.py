"""What a check finds: of `ringback doctor`, and of a receiver (`service.receivers.preflight`)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """`said` is how it is, `step` what to do next (empty: nothing). Neither holds a secret."""

    check: str
    level: Level
    said: str
    step: str = ""


def good(check: str, said: str, step: str = "") -> Finding:
    return Finding(check, Level.OK, said, step)


def warning(check: str, said: str, step: str) -> Finding:
    return Finding(check, Level.WARNING, said, step)


def problem(check: str, said: str, step: str) -> Finding:
    return Finding(check, Level.PROBLEM, said, step)
