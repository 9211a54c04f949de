"""A provider's no that was not true: its own record shows a create of ours that it had turned down.

The proof is the same as for a send in doubt, our exact callback URL. If the task waits to be sent, it goes on by that
send and nothing else is sent. If another send is on its way or at work already, both may be billed: the operator is
told, and whichever video comes first is the client's.
"""

from __future__ import annotations

from adapters.messages import Report
from service.clock import Clock
from service.domain.tasks import Placement
from service.logs import get_logger
from service.operator import Operator
from service.store import Store
from service.telling.receive import Receiver

log = get_logger("overrule")


class Overruler:
    def __init__(self, store: Store, receiver: Receiver, operator: Operator, clock: Clock) -> None:
        self._store = store
        self._receiver = receiver
        self._operator = operator
        self._clock = clock

    async def overrule(self, placement: Placement, report: Report, detector: str) -> bool:
        """`report` echoes exactly the callback URL of `placement`, to which its provider had said no. False: that is
        known already, or the id is another send's."""
        found = await self._store.doubts.overruled(placement.id, report.task_id, self._clock())
        if found is None:
            return False
        log.event("task.adopted", task=found.task.id, provider=placement.provider, placement=placement.id)
        await self._operator.tell(
            "submission.paid_twice" if found.twice else "submission.overruled",
            found.task.id,
            task=found.task.id,
            provider=placement.provider,
            reason=placement.reason or "",
        )
        await self._receiver.report(found.task, report, detector, placement=placement.id, denied=True)
        return True
