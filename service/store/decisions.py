"""The verbs of what an operator decides about a send whose outcome nobody knows. Each is one transaction."""

from __future__ import annotations

from service.domain.ledger import UNPRICED, Charge, Quote
from service.domain.tasks import Task
from service.store import rows
from service.store.allowances import reserve
from service.store.charges import reopen_given_up
from service.store.doubts import hold
from service.store.engine import Engine, Transaction
from service.store.schema import LIVE

_REOPENED = (
    "id", "state", "provider", "pinned", "passed", "due_at", "updated_at", "finished_at", "outcome", "detector",
    "reopened_at", "version",
)  # fmt: skip


class DecisionVerbs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def revive(self, placement: str, upstream_id: str, now: int, look_at: int) -> Task | None:
        """A send that its upstream had stopped to know is looked at again, as if it had just been accepted. Returns its
        task. None, and nothing is written, if it is looked at already."""

        def verb(tx: Transaction) -> Task | None:
            reopen_given_up(tx, placement)
            found = tx.one(
                "UPDATE placements SET verdict = 'accepted', due_at = :look_at, claimed_at = NULL, heard_at = :now,"
                " misses = 0, empty = 0, outcome = NULL"
                " WHERE id = :id AND upstream_id = :upstream_id AND verdict IN ('unproven', 'ended') RETURNING task",
                id=placement, upstream_id=upstream_id, now=now, look_at=look_at,
            )  # fmt: skip
            if found is None:
                return None
            row = tx.one(f"SELECT {rows.columns(Task)} FROM tasks WHERE id = :id", id=found["task"])
            return None if row is None else rows.read_task(row)

        return await self._engine.write(verb)

    async def settle(self, placement: str, amount: int) -> Charge | None:
        """The operator knows what a send did cost that was given up. None, and nothing is written, if it is settled, or
        is at work or in doubt (again)."""

        def verb(tx: Transaction) -> Charge | None:
            hold(tx, placement)
            row = tx.one(
                "UPDATE charges SET amount = :amount WHERE placement = :placement AND amount IS NULL AND NOT EXISTS"
                f" (SELECT 1 FROM placements WHERE id = :placement AND {LIVE}) RETURNING {rows.columns(Charge)}",
                placement=placement, amount=amount,
            )  # fmt: skip
            return None if row is None else Charge(**row)

        return await self._engine.write(verb)

    async def reopen(self, task: Task, price: Quote = UNPRICED) -> bool:
        """Writes a task that is to be sent again, if its row still has the version it was made from and no send of it
        is heard of since it was given up (it was adopted). Its send in doubt is given up with it; a late result of that
        still counts. False: nothing was written. Raises `Limited` if its client's budgets have no room for `price`."""
        values = rows.task_values(task)

        def verb(tx: Transaction) -> bool:
            if not tx.run(
                "UPDATE tasks SET state = :state, provider = :provider, pinned = :pinned, passed = :passed,"
                " due_at = :due_at, updated_at = :updated_at, finished_at = :finished_at, outcome = :outcome,"
                " detector = :detector, reopened_at = :reopened_at, version = version + 1"
                " WHERE id = :id AND version = :version AND NOT EXISTS (SELECT 1 FROM placements"
                " WHERE task = tasks.id AND verdict = 'accepted' AND heard_at >= coalesce(tasks.finished_at, 0))",
                **{name: values[name] for name in _REOPENED},
            ):
                return False
            reserve(tx, task, price)
            tx.run(
                "UPDATE placements SET verdict = 'unproven', doubt_at = NULL WHERE id = :id AND verdict = 'in_doubt'",
                id=task.placement or "",
            )
            return True

        return await self._engine.write(verb)
