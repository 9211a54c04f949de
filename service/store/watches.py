"""The verbs of tasks that were created elsewhere and are watched here. Each is one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from service.domain.deliveries import Delivery, Subscription
from service.domain.event_log import Event
from service.domain.tasks import Placement, Task
from service.store import rows
from service.store.engine import Engine, Transaction
from service.store.event_log import write_event
from service.store.placements import LOOKED_AT
from service.store.subscriptions import insert_subscription, tell
from service.store.tasks import insert_task


@dataclass(frozen=True, slots=True)
class Lent:
    """An upstream account that is only known by a key that watchers brought. `due_at` is its next look, `placement` one
    of its placements."""

    account: str
    due_at: int
    placement: str


class WatchVerbs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def watch(
        self,
        task: Task,
        placement: Placement,
        subscriptions: Sequence[Subscription],
        message: Callable[[Task, Subscription], Delivery],
        event: Event | None = None,
    ) -> Task | None:
        """Keeps a task that was created elsewhere, with what is known of it and the `event` that this is; of one with
        anything to tell it opens the deliveries.

        Returns the task that has this upstream id already, whosever it is, and keeps nothing."""

        def verb(tx: Transaction) -> Task | None:
            known = _task_of(tx, placement.provider, placement.upstream_id)
            if known is not None:
                return known
            insert_task(tx, task)
            sql = f"INSERT INTO placements ({rows.columns(Placement)}) VALUES ({rows.placeholders(Placement)})"
            if not tx.run(f"{sql} ON CONFLICT DO NOTHING", **rows.placement_values(placement)):
                tx.run("DELETE FROM tasks WHERE id = :id", id=task.id)  # another server was first
                return _task_of(tx, placement.provider, placement.upstream_id)
            for subscription in subscriptions:
                insert_subscription(tx, subscription)
                if task.told:
                    tell(tx, subscription, partial(message, task))
            write_event(tx, event)
            return None

        return await self._engine.write(verb)

    async def task_of(self, provider: str, upstream_id: str) -> Task | None:
        """The task that has this upstream id; one that we sent comes before one that is only watched."""
        return await self._engine.read(lambda tx: _task_of(tx, provider, upstream_id))

    async def lent(self, provider: str) -> list[Lent]:
        """The accounts of watchers' keys at a provider that have anything to look at, those due first."""

        def verb(tx: Transaction) -> list[Lent]:
            found = tx.all(
                "SELECT account, min(due_at) AS due_at, max(id) AS placement FROM placements"
                f" WHERE provider = :provider AND credential IS NOT NULL AND due_at IS NOT NULL AND {LOOKED_AT}"
                " GROUP BY account ORDER BY min(due_at)",
                provider=provider,
            )
            return [Lent(**row) for row in found]

        return await self._engine.read(verb)


def _task_of(tx: Transaction, provider: str, upstream_id: str | None) -> Task | None:
    row = tx.one(
        f"SELECT {rows.columns(Task)} FROM tasks WHERE id = (SELECT task FROM placements"
        " WHERE provider = :provider AND upstream_id = :upstream_id ORDER BY watched LIMIT 1) AND expunged_at IS NULL",
        provider=provider, upstream_id=upstream_id,
    )  # fmt: skip
    return None if row is None else rows.read_task(row)
