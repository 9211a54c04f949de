"""What is deleted for its age, in batches. Nothing of a task that has not ended, of a message that is still to be
delivered, or of a send whose money is in doubt."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from service.store.engine import Engine, Transaction
from service.store.expunge import delete_messages
from service.store.lookups import Place

OPEN = "verdict IN ('sending', 'accepted', 'in_doubt', 'unproven')"
OPEN_SENDS = f"SELECT 1 FROM placements WHERE task = tasks.id AND {OPEN}"
MONEY_IN_DOUBT = "SELECT 1 FROM charges WHERE task = tasks.id AND amount IS NULL AND estimate IS NOT NULL"
UNDELIVERED = "SELECT 1 FROM deliveries WHERE task = tasks.id AND state = 'PENDING'"
OVER = f"NOT EXISTS ({OPEN_SENDS}) AND NOT EXISTS ({MONEY_IN_DOUBT}) AND NOT EXISTS ({UNDELIVERED})"

_BODIES = (
    "UPDATE deliveries SET body = :none WHERE id IN (SELECT id FROM deliveries WHERE length(body) > 0"
    " AND created_at < :before AND state <> 'PENDING' ORDER BY created_at, id LIMIT :limit)",
    "DELETE FROM callbacks WHERE (placement, digest) IN (SELECT placement, digest FROM callbacks JOIN placements"
    " ON placements.id = placement WHERE received_at < :before"
    f" AND NOT {OPEN} ORDER BY received_at LIMIT :limit)",
    "DELETE FROM events WHERE seq IN (SELECT seq FROM events JOIN tasks ON tasks.id = events.task WHERE at < :before"
    " AND finished_at IS NOT NULL ORDER BY at, seq LIMIT :limit)",
)
_ATTEMPTS = (
    "DELETE FROM attempts WHERE (delivery, number) IN (SELECT delivery, number FROM attempts JOIN deliveries"
    " ON deliveries.id = delivery WHERE started_at < :before AND state <> 'PENDING' ORDER BY started_at LIMIT :limit)",
    "DELETE FROM replay_items WHERE (replay, created_at, delivery) IN (SELECT replay, replay_items.created_at, delivery"
    " FROM replays JOIN replay_items ON replay = id WHERE finished_at < :before LIMIT :limit)",
    "DELETE FROM replays WHERE finished_at < :before"
    " AND NOT EXISTS (SELECT 1 FROM replay_items WHERE replay = replays.id)",
)
_TASK = (
    "DELETE FROM quotes WHERE task = :task",
    "DELETE FROM placements WHERE task = :task",
    "DELETE FROM tasks WHERE id = :task",
)


class RetentionVerbs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def prune_bodies(self, before: int, limit: int) -> int:
        """What was sent before that time and what providers had called back with, the log of events among it. Returns
        how many; fewer than `limit` when there is nothing left."""
        return await self._engine.write(_each(_BODIES, before, limit, none=b""))

    async def prune_attempts(self, before: int, limit: int) -> int:
        """The attempts that were begun before that time, and the replays that had ended. Returns how many."""
        return await self._engine.write(_each(_ATTEMPTS, before, limit))

    async def ended(self, before: int, after: Place, limit: int) -> list[Place]:
        """The next tasks that ended before that time and are over in every way, by their ends and ids."""

        def verb(tx: Transaction) -> list[Place]:
            found = tx.all(
                "SELECT finished_at, id FROM tasks WHERE finished_at < :before"
                f" AND (finished_at, id) > (:after, :after_id) AND {OVER} ORDER BY finished_at, id LIMIT :limit",
                before=before, after=after[0], after_id=after[1], limit=limit,
            )  # fmt: skip
            return [(row["finished_at"], row["id"]) for row in found]

        return await self._engine.read(verb)

    async def forget(self, tasks: Sequence[str]) -> int:
        """Deletes those of the tasks that are (still) over in every way, with all that belongs to them but their
        charges. Returns how many."""

        def verb(tx: Transaction) -> int:
            return sum(_forget(tx, task) for task in tasks)

        return await self._engine.write(verb)

    async def tidy(self, pages: int) -> int:
        """Gives free space of the file back, at most so many pages. Returns how many."""
        return await self._engine.tidy(pages)


def _each(statements: Sequence[str], before: int, limit: int, **values: bytes) -> Callable[[Transaction], int]:
    """Runs one after the other until there are `limit` rows."""

    def verb(tx: Transaction) -> int:
        count = 0
        for statement in statements:
            if count < limit:
                named = {"limit": limit - count} if ":limit" in statement else {}
                needed = {name: value for name, value in values.items() if f":{name}" in statement}
                count += tx.run(statement, before=before, **named, **needed)
        return count

    return verb


def _forget(tx: Transaction, task: str) -> int:
    if not tx.run(
        f"UPDATE tasks SET version = version WHERE id = :task AND finished_at IS NOT NULL AND {OVER}", task=task
    ):
        return 0
    delete_messages(tx, task)
    for statement in _TASK:
        tx.run(statement, task=task)
    return 1
