"""An event: one thing that happened to a task and is told, as the log keeps it."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.deliveries import Format

STREAMED = (Format.EVENT, Format.OWN)
"""The forms in which events can be read: as the log keeps them, or as a GET of the client's own API tells the task."""


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


def forwarded_id(task: str, type_: str) -> str:
    """The `webhook-id` under which an event is handed on by whoever read it: the same from wherever, and whenever."""
    return f"evt_{task}_{type_}".replace(".", "_")
