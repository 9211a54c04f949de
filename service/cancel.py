"""Cancelling, honestly: before the send it always works; after it only if the upstream says so."""

from __future__ import annotations

from adapters.messages import Report, State
from service.logs import get_logger
from service.receive import Receiver
from service.store import Store
from service.tasks import Task, TaskState
from service.upstream import Unheard
from service.upstreams import Upstreams

log = get_logger("cancel")


class Canceller:
    def __init__(self, store: Store, receiver: Receiver, upstreams: Upstreams) -> None:
        self._store = store
        self._receiver = receiver
        self._upstreams = upstreams

    async def cancel(self, task: Task) -> bool:
        """Whether the task is canceled now. False changes nothing: it is too late, the send's outcome is still open, or
        the provider has no cancel, refuses it, or could not be asked."""
        if task.state is TaskState.CANCELED:
            return True
        if task.state is not TaskState.ACCEPTED and not await self._upstream_agrees(task):
            return False
        canceled = Report(task_id=task.id, state=State.CANCELED)
        if await self._receiver.report(task, canceled, "cancel") is not None:
            return True
        latest = await self._store.lookups.task(task.id)  # a look may have seen it first
        return latest is not None and latest.state is TaskState.CANCELED

    async def _upstream_agrees(self, task: Task) -> bool:
        placement = await self._store.lookups.placement(task.placement) if task.placement else None
        if placement is None or placement.upstream_id is None or task.ended:
            return False
        upstream = self._upstreams.serving(placement)
        if upstream is None:
            return False
        try:
            return await upstream.cancel(placement.upstream_id)
        except Unheard as error:
            log.event("cancel.unheard", task=task.id, provider=task.provider, reason=str(error))
            return False
