"""The verbs of what an operator decides about a send whose outcome nobody knows. Each is one transaction."""

from __future__ import annotations

from service.ledger import UNPRICED, Quote
from service.store import rows
from service.store.allowances import reserve
from service.store.engine import Engine, Transaction
from service.tasks import Task

_REOPENED = (
    "id", "state", "provider", "pinned", "passed", "due_at", "updated_at", "finished_at", "outcome", "detector",
    "reopened_at", "version",
)  # fmt: skip


class DecisionVerbs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

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
            reserve(tx, task, price, task.updated_at)
            tx.run(
                "UPDATE placements SET verdict = 'unproven', doubt_at = NULL WHERE id = :id AND verdict = 'in_doubt'",
                id=task.placement or "",
            )
            return True

        return await self._engine.write(verb)
