"""Requests that are held until their task ends: AceData's creates, and reads that prefer to wait (RFC 7240)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request as HttpRequest

from service.domain.tasks import Task
from service.logs import get_logger
from service.routes.edge import House, house_of
from service.sending.answers import Connection

log = get_logger("routes")
LONGEST_WAIT = 60
"""Seconds that a read may wait: many proxies cut off what is silent for longer."""

WAIT = re.compile(r'wait\s*=\s*"?([0-9]{1,9})"?', re.IGNORECASE)


def wait_asked(request: HttpRequest) -> int | None:
    """The seconds of `Prefer: wait=N`, at most `LONGEST_WAIT`; None where there is no such wish, or an unreadable one
    (RFC 7240: that is ignored)."""
    wishes = (wish.partition(";")[0].strip() for line in request.headers.getlist("prefer") for wish in line.split(","))
    waits = (WAIT.fullmatch(wish) for wish in wishes if wish.lower().startswith("wait"))
    first = next(waits, None)  # of several the first one counts
    return min(int(first[1]), LONGEST_WAIT) if first else None


def applied(seconds: int) -> dict[str, str]:
    """The header that says so."""
    return {"preference-applied": f"wait={seconds}"}


async def preferred(request: HttpRequest, task: Task) -> tuple[Task, dict[str, str]]:
    """The task when it has ended, or after the time that the request prefers to wait; and the headers of its answer.
    A client that has too many waiting is answered at once, without that header."""
    seconds, house = wait_asked(request), house_of(request)
    if seconds is None or (not task.ended and house.waiting.full(task.client)):
        return task, {}
    if not task.ended:
        connection = Connection()
        async with watched(request, connection):
            task = await hold(house, task, connection, seconds)
    return task, applied(seconds)


@asynccontextmanager
async def watched(request: HttpRequest, connection: Connection) -> AsyncIterator[None]:
    """Notices inside the block, once the body was read, that the client hangs up. A client that an error of ours gets
    instead of its answer counts as gone: when it asks again, it is told what it should have been."""

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        connection.hung_up.set()

    watching = asyncio.create_task(watch())
    try:
        yield
    except BaseException:
        connection.hung_up.set()
        raise
    finally:
        watching.cancel()


async def hold(house: House, task: Task, connection: Connection, seconds: float) -> Task:
    """Waits for the end without a thread; a client that hangs up leaves its place to others. A wait that breaks is
    over: on an error the SDKs would create the job again."""
    wait = asyncio.create_task(house.waiting.wait(task, seconds, lambda: house.store.lookups.task(task.id)))
    gone = asyncio.create_task(connection.hung_up.wait())
    try:
        await asyncio.wait({wait, gone}, return_when=asyncio.FIRST_COMPLETED)
        if wait.done() and (error := wait.exception()):
            log.failure("hold.failed", error, task=task.id)
            return task
        return wait.result() if wait.done() else task
    finally:
        wait.cancel()
        gone.cancel()
