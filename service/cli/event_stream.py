"""Server-sent events as a client reads them, over as many connections as it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from service.cli.client import Client
from service.cli.exits import Refused, Unreachable

SILENCE_SECONDS = 45.0
"""The server shows every 15 seconds that it lives: a stream that is silent for so long is broken."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 3.0
OPENED = "stream.opened"
"""The first frame: where the stream begins."""

PASSING = frozenset({"too_many_streams", "transient"})
"""Refusals that may be over soon: the server has not yet noticed that the last connection is gone, or is in trouble."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One event. `id` is its place in the server's log, None if it is in none."""

    id: str | None
    type: str
    data: bytes


def follow(client: Client, place: str | None, say: Callable[[str], None], **query: str | None) -> Iterator[Frame]:
    """Events behind a place, a time (`since`), or from now on; for ever. `query` is that of the call. What breaks is
    connected again, behind the last frame that was taken. Raises `Unreachable` or `Refused` before the first
    connection, later only what will not pass."""
    pause, begun, lost = FIRST_PAUSE, False, False
    while True:
        try:
            with client.stream("/v1/events", place, SILENCE_SECONDS, **query) as chunks:
                for frame in frames(chunks):
                    if lost:
                        say("connected again")
                    begun, lost, pause = True, False, FIRST_PAUSE
                    yield frame
                    place = frame.id or place
        except (Unreachable, Refused) as error:
            if not begun or (isinstance(error, Refused) and error.code not in PASSING):
                raise
        if not lost:
            say("the server does not answer; it is asked again and again")
        lost = True
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def frames(chunks: Iterator[bytes]) -> Iterator[Frame]:
    """As the HTML standard reads an event stream (9.2.6), of our server's: lines end with LF. A text of JSON may hold
    what Python takes for the end of a line, so bytes are split. What breaks off before its empty line is no event."""
    rest = b""
    fields: dict[bytes, bytes] = {}
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line:
                name, _, value = line.partition(b":")
                fields[name] = value.removeprefix(b" ")
            elif b"data" in fields:
                place = fields.get(b"id")
                yield Frame(place.decode() if place else None, fields.get(b"event", b"").decode(), fields[b"data"])
                fields = {}
