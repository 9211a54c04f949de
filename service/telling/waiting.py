"""Requests that wait in memory for the end of a task. A wait costs a future, no thread, and no row."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable

from service.domain.tasks import Task


class WaitingRoom:
    """Who waits for which task. `ended` is called once a task's end is on disk."""

    def __init__(self, most_per_client: int) -> None:
        self._most = most_per_client
        self._waiting: defaultdict[str, set[asyncio.Future[Task]]] = defaultdict(set)
        self._clients: Counter[str] = Counter()
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed

    def full(self, client: str) -> bool:
        """Whether nobody else of this client may wait now."""
        return self._closed or self._clients[client] >= self._most

    def ended(self, task: Task) -> None:
        for future in self._waiting.get(task.id, ()):
            if not future.done():
                future.set_result(task)

    def close(self) -> None:
        """Everyone is sent home, and so is whoever comes later: the server is about to stop."""
        self._closed = True
        for futures in self._waiting.values():
            for future in futures:
                future.cancel()

    async def wait(self, task: Task, seconds: float, read: Callable[[], Awaitable[Task | None]]) -> Task:
        """The task when it has ended, or as it is after `seconds`, at closing, or when its client has too many waiting.

        `read` reads the task again once the wait is registered: an end before that must not be missed."""
        if self.full(task.client):
            return task
        future: asyncio.Future[Task] = asyncio.get_running_loop().create_future()
        self._waiting[task.id].add(future)
        self._clients[task.client] += 1
        try:
            latest = await read() or task
            return latest if latest.ended else await _within(future, seconds, latest)
        finally:
            self._leave(task, future)

    def _leave(self, task: Task, future: asyncio.Future[Task]) -> None:
        self._waiting[task.id].discard(future)
        if not self._waiting[task.id]:
            del self._waiting[task.id]
        self._clients[task.client] -= 1
        if not self._clients[task.client]:
            del self._clients[task.client]


async def _within(future: asyncio.Future[Task], seconds: float, otherwise: Task) -> Task:
    done, _ = await asyncio.wait({future}, timeout=seconds)
    return future.result() if done and not future.cancelled() else otherwise
