"""An event: one thing that happened to a task and is told, as the log keeps it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """`body` is the exact bytes of the `event` format: a POST, a GET and a stream tell the same. `seq` is its place in
    the log, 0 before it has one; a task has at most one event of each `type`."""

    task: str
    client: str
    type: str
    at: int
    body: bytes
    seq: int = 0
