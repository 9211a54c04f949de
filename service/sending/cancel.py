"""Cancelling, honestly: before the send it always works; after it only if the upstream says so."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.messages import Report, State
from service.accounts.pacing import TooBusy, Turns
from service.accounts.upstream import Unheard, Upstream
from service.accounts.upstreams import Upstreams
from service.domain.tasks import Placement, Task, TaskState, Verdict
from service.logs import get_logger
from service.store import Store
from service.telling.receive import Receiver

log = get_logger("cancel")

SENDING = "It is being sent at this moment; ask again once its provider has answered."
UNKNOWN_ID = (
    "The provider's answer to its submission was lost: nobody knows under which id it could be canceled, and it may be "
    "made and billed."
)


MAY_BE_BILLED = frozenset({Verdict.ACCEPTED, Verdict.IN_DOUBT, Verdict.UNPROVEN})


@dataclass(frozen=True, slots=True)
class Cancellation:
    """`canceled`: whether the task is canceled now; `message`: what happened, in a sentence."""

    canceled: bool
    message: str


class Canceller:
    def __init__(self, store: Store, receiver: Receiver, upstreams: Upstreams, turns: Turns) -> None:
        self._store = store
        self._receiver = receiver
        self._upstreams = upstreams
        self._turns = turns

    async def cancel(self, task: Task) -> Cancellation:
        """Without success nothing has changed: it is too late, the send's outcome is still open, or the provider has no
        cancel, refuses it, or could not be asked."""
        while task.state is TaskState.ACCEPTED:
            if await self._receiver.report(task, _canceled(task), "cancel", only=TaskState.ACCEPTED) is not None:
                return Cancellation(True, await self._unsent(task))
            task = await self._latest(task)  # a send was quicker, but it may have come back
        placement = await self._store.lookups.placement(task.placement) if task.placement else None
        if task.state is TaskState.CANCELED:
            return Cancellation(True, "It was canceled before.")
        if task.ended:
            return Cancellation(False, f"It has ended as {task.state}.")
        if placement is None or placement.upstream_id is None:
            return Cancellation(False, SENDING if task.state is TaskState.SUBMITTING else UNKNOWN_ID)
        return await self._cancel_there(task, placement, placement.upstream_id)

    async def _unsent(self, task: Task) -> str:
        sends = await self._store.lookups.placements(task.id)
        if any(send.verdict is Verdict.UNPROVEN for send in sends):
            return "It is not sent once more; an earlier send of it may have been accepted and billed."
        return "It was canceled before it was sent."

    async def _cancel_there(self, task: Task, placement: Placement, upstream_id: str) -> Cancellation:
        upstream = self._upstreams.serving(placement)
        if upstream is None:
            return Cancellation(False, "This server has no key any more for the provider that makes it.")
        answer = await self._ask(upstream, upstream_id, task)
        if not answer.canceled:
            return answer
        if await self._receiver.report(task, _canceled(task), "cancel", placement=placement.id) is None:
            latest = await self._latest(task)  # a look may have seen it first
            if latest.state is not TaskState.CANCELED:
                return Cancellation(False, f"{answer.message} By then it was {latest.state}.")
        return Cancellation(True, f"{answer.message}{await self._others(task, placement)}")

    async def _others(self, task: Task, canceled: Placement) -> str:
        """Where a task was sent more than once, other sends of it may be at work."""
        sends = await self._store.lookups.placements(task.id)
        live = any(send.verdict in MAY_BE_BILLED for send in sends if send.id != canceled.id)
        return " Another send of it may be made and billed." if live else ""

    async def _ask(self, upstream: Upstream, upstream_id: str, task: Task) -> Cancellation:
        name = upstream.provider.title
        if not upstream.cancels:
            return Cancellation(False, f"{name} has no way to cancel a task.")
        try:
            await self._turns.take(upstream.bucket)
            if await upstream.cancel(upstream_id):
                return Cancellation(True, f"{name} has canceled it.")
            return Cancellation(False, f"It is too late: {name} refuses to cancel it.")
        except TooBusy:
            return Cancellation(False, f"{name} is asked as often as it allows at the moment; try again in a minute.")
        except Unheard as error:
            log.event("cancel.unheard", task=task.id, provider=task.provider, reason=str(error))
            return Cancellation(
                False, f"{name} did not say whether it canceled it; it is looked at as before, and its end is told."
            )

    async def _latest(self, task: Task) -> Task:
        return await self._store.lookups.task(task.id) or task


def _canceled(task: Task) -> Report:
    return Report(task_id=task.id, state=State.CANCELED)
