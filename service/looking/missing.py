"""What belongs to a provider, or to a key, that was taken out of the settings. Nobody can look at it or send it there.

What was sent waits for the key to come back, until the upstream has forgotten it: then it has expired. What waits to be
sent goes to whoever else can take it, if the policy allows that; else it waits for a day. When the key is back, all
goes on as before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from adapters.catalogue import Catalogue
from service.accounts.upstreams import Upstreams
from service.clock import Clock
from service.domain.allowances import Limited
from service.domain.tasks import NOT_ACCEPTED, TASK_EXPIRED, Task, TaskState, Verdict
from service.doubts.reconcile import RETENTION_SECONDS
from service.logs import get_logger
from service.looking.expire import Expiry
from service.operator import Operator
from service.sending.failover import Failover
from service.sending.onward import GIVE_UP_MS
from service.store import Store
from service.telling.receive import Receiver

log = get_logger("missing")

EVERY_MS = 10 * 60 * 1000
AT_ONCE = 200
LATER_MS = 3600 * 1000

NOBODY_ASKED = replace(
    TASK_EXPIRED,
    message="This server had no key for the provider any more, and the time is over for which it knows a task.",
)
NOBODY_TO_ASK = replace(
    NOT_ACCEPTED,
    message="This server has no key for the provider any more, and for a day no other one could take the task; nothing "
    "was sent or billed.",
)


@dataclass(frozen=True, slots=True)
class Missing:
    """A provider (`account` None), or one of its keys, that is not configured."""

    provider: str
    account: str | None = None


async def tell_missing(store: Store, upstreams: Upstreams, operator: Operator) -> list[Missing]:
    """At the start: whose unfinished tasks nobody looks at."""
    missing = []
    for provider, tasks in (await store.lookups.unfinished()).items():
        if not upstreams.pool(provider):
            missing.append(Missing(provider))
            await operator.tell("provider.missing", provider, provider=provider, tasks=str(tasks))
    for (provider, account), sends in (await store.lookups.at_work()).items():
        pool = upstreams.pool(provider)
        if pool and not any(each.serves(account) for each in pool):
            missing.append(Missing(provider, account))
            subject = f"{provider}/{account}"
            await operator.tell("account.missing", subject, provider=provider, account=account, tasks=str(sends))
    return missing


class MissingQueue:
    """`missing` is found at the start; it cannot become more while the server runs."""

    def __init__(
        self,
        store: Store,
        receiver: Receiver,
        failover: Failover,
        operator: Operator,
        catalogue: Catalogue,
        clock: Clock,
        wake: Callable[[str], None],
    ) -> None:
        self.missing: list[Missing] = []
        self._store = store
        self._receiver = receiver
        self._failover = failover
        self._expiry = Expiry(store, receiver, operator, clock)
        self._catalogue = catalogue
        self._clock = clock
        self._wake = wake
        self._due_at = 0

    async def claim(self, room: int) -> Sequence[Missing]:
        """All of them, every ten minutes."""
        now = self._clock()
        if now < self._due_at:
            return ()
        self._due_at = now + EVERY_MS
        return self.missing

    async def next_due(self) -> int | None:
        return self._due_at if self.missing else None

    async def handle(self, item: Missing) -> None:
        await self._expire(item)
        if item.account is None:
            await self._send_elsewhere(item.provider)

    async def _expire(self, item: Missing) -> None:
        row = self._catalogue.providers.get(item.provider)
        now = self._clock()
        before = now - (row.retention_seconds if row else RETENTION_SECONDS) * 1000 - EVERY_MS
        accounts = () if item.account is None else (item.account,)
        while sends := await self._store.placements.sent_before(item.provider, before, AT_ONCE, accounts):
            tasks = await self._store.lookups.tasks_by_id([send.task for send in sends], None)
            by_id = {task.id: task for task in tasks}
            for send in sends:
                await self._expiry.expire(send, by_id[send.task], NOBODY_ASKED, now + LATER_MS)

    async def _send_elsewhere(self, provider: str) -> None:
        after = ""
        while tasks := await self._store.sends.stranded(provider, after, AT_ONCE):
            after = tasks[-1].id
            for task in tasks:
                if not await self._moved(task):
                    await self._give_up(task)

    async def _moved(self, task: Task) -> bool:
        """Whether it goes to another provider, or somebody else was first."""
        now = self._clock()
        sends = await self._store.lookups.placements(task.id)
        gone = {task.provider, *(send.provider for send in sends if send.verdict is Verdict.REFUSED)}
        standing = await self._store.allowances.standing(task.client, now, moving=task)
        for name in self._failover.candidates(task, standing):
            if name in gone:
                continue
            try:
                moved = await self._store.sends.rerouted(task, self._failover.road(task, name, now), now)
            except Limited:  # somebody else has spent in the meantime
                continue
            if moved:
                self._wake(f"send.{name}")
                log.event("task.elsewhere", task=task.id, provider=name, reason="no key for the provider")
            return True
        return False

    async def _give_up(self, task: Task) -> None:
        if self._clock() - (task.reopened_at or task.created_at) > GIVE_UP_MS:
            await self._receiver.give_up(
                task, NOBODY_TO_ASK, "send", verdict=Verdict.NOT_ACCEPTED, only=TaskState.ACCEPTED
            )
