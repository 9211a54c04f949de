"""Following the log: what is there already, then what happens, until there is nothing more to come.

Only one page is held at a time, and the next one is read when that has been taken: a slow reader costs nothing but its
connection.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from service.domain.event_log import Event
from service.store import Store
from service.telling.streams import Stream

PAGE = 50
HEARTBEAT_SECONDS = 15.0
"""Of silence, after which a sign of life is due: proxies cut off what is silent for a minute."""


@dataclass(frozen=True, slots=True)
class Course:
    """What is told: the events behind the place `after`, of a `client` (None: of all), of a `task` and of some `types`
    ("" and none: of any)."""

    after: int
    client: str | None
    task: str = ""
    types: frozenset[str] = field(default_factory=frozenset)


async def follow(
    store: Store, stream: Stream, course: Course, goes_on: Callable[[], Awaitable[bool]]
) -> AsyncIterator[list[Event]]:
    """Batches of events; an empty one is a sign of life. Ends with the task, or when it no longer `goes_on`."""
    after = course.after
    stream.news.set()
    while await goes_on():
        if not stream.news.is_set():
            if not await stream.rung(HEARTBEAT_SECONDS):
                yield []
            continue
        stream.news.clear()  # before the log is read: what is written meanwhile rings again
        page = await store.event_log.page(after, PAGE, course.client, course.task, course.types)
        after = page.after
        if events := [*page.events, *_tests(stream, course)]:
            yield events
        if page.ended:
            return
        if len(page.events) == PAGE:
            stream.news.set()


def _tests(stream: Stream, course: Course) -> list[Event]:
    heard = [event for event in stream.tests if not course.task and event.type in (course.types or {event.type})]
    stream.tests.clear()
    return heard
