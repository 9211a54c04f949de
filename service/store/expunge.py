"""Taking out of the database what a task was about. What is left of it stands for money, and keeps a repeated create
from being sent again."""

from __future__ import annotations

from service.domain.tasks import Task
from service.store import rows
from service.store.engine import Engine, Transaction

_MESSAGES = (
    "DELETE FROM attempts WHERE delivery IN (SELECT id FROM deliveries WHERE task = :task)",
    "DELETE FROM deliveries WHERE task = :task",
    "DELETE FROM subscriptions WHERE task = :task",
    "DELETE FROM events WHERE task = :task",
    "DELETE FROM callbacks WHERE placement IN (SELECT id FROM placements WHERE task = :task)",
)
_SHELL = (
    # What a provider had said of it, or was to be asked: nothing more is heard of its sends.
    "UPDATE placements SET outcome = NULL, reason = NULL, credential = NULL, verdict = CASE WHEN verdict IN ('sending',"
    " 'accepted', 'in_doubt', 'unproven') THEN 'ended' ELSE verdict END, due_at = NULL, doubt_at = NULL,"
    " claimed_at = NULL, hinted_by = NULL, upstream_id = CASE WHEN watched = 1 THEN NULL ELSE upstream_id END"
    " WHERE task = :task",
    "DELETE FROM quotes WHERE task = :task",
)


class ExpungeVerbs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def expunge(self, task: str, client: str | None, now: int) -> Task | None:
        """Takes everything out that an ended task was about, and who was told of it. Its charges stay, with the ids,
        times and verdicts of its sends, and the digest and the idempotency key of its create. Returns the task as it
        was; one that has not ended stays as it is. None: no such task of this client (None: of any)."""

        def verb(tx: Transaction) -> Task | None:
            row = tx.one(
                "UPDATE tasks SET version = version WHERE id = :task AND expunged_at IS NULL"
                f" AND {rows.matching(client=client)} RETURNING {rows.columns(Task)}",
                task=task, client=client,
            )  # fmt: skip
            found = None if row is None else rows.read_task(row)
            if found is None or not found.ended:
                return found
            tx.run(
                "UPDATE tasks SET body = :nothing, headers = :nothing, metadata = NULL, outcome = NULL, passed = NULL,"
                " expunged_at = :now, updated_at = :now, version = version + 1 WHERE id = :task",
                task=task, now=now, nothing="{}",
            )  # fmt: skip
            delete_messages(tx, task)
            for statement in _SHELL:
                tx.run(statement, task=task)
            tx.run("UPDATE operator_events SET fields = :nothing WHERE subject = :task", task=task, nothing="{}")
            return found

        return await self._engine.write(verb)

    async def scrub(self) -> bool:
        """Leaves nothing on disk of what was deleted, in the file or in its log. False: a reader stood in the way."""
        return await self._engine.scrub()


def delete_messages(tx: Transaction, task: str) -> None:
    """Who was told of a task, and what."""
    for statement in _MESSAGES:
        tx.run(statement, task=task)
