"""Whether a create repeats an earlier one, which is paid for already. Inside the transaction that would keep it."""

from __future__ import annotations

from collections.abc import Callable

from adapters.messages import Category
from service.domain.tasks import Task
from service.errors import refused
from service.store import rows
from service.store.engine import Row, Transaction

KEYS_KEPT_MS = 48 * 3600 * 1000
TWINS_MS = 10 * 60 * 1000
"""How long an identical create counts as a retry of one whose answer was lost."""


EXPUNGED = (
    "This repeats a create whose task was expunged, so nothing was sent. If you want another video, use another"
    " Idempotency-Key, or without one try again in a while."
)


def repeated(
    tx: Transaction, task: Task, waits: Callable[[str], bool], twin_ms: int, answered_twin_ms: int
) -> Task | None:
    """The earlier task that this create repeats: it has the same idempotency key, or the same digest as one of the last
    `twin_ms` that was never answered and for whose answer nobody `waits`, or as any one of the last
    `answered_twin_ms`. Raises `Refused` (422) if that one was expunged."""
    return _of_key(tx, task) if task.idempotency_key else _twin(tx, task, waits, twin_ms, answered_twin_ms)


def _of_key(tx: Transaction, task: Task) -> Task | None:
    """The task that was created under this idempotency key; keys are kept for two days."""
    scope = {"client": task.client, "path": task.path, "key": task.idempotency_key}
    where = "client = :client AND path = :path AND idempotency_key = :key"
    since = task.created_at - KEYS_KEPT_MS
    tx.run(f"UPDATE tasks SET idempotency_key = NULL WHERE {where} AND created_at <= :since", since=since, **scope)
    row = tx.one(f"SELECT {_COLUMNS} FROM tasks WHERE {where}", **scope)
    return None if row is None else _read(row)


def _twin(
    tx: Transaction, task: Task, waits: Callable[[str], bool], twin_ms: int, answered_twin_ms: int
) -> Task | None:
    now = task.created_at
    found = tx.all(
        f"SELECT {_COLUMNS} FROM tasks WHERE client = :client AND path = :path AND digest = :digest"
        " AND (created_at > :all_since OR (answered_at IS NULL AND created_at > :since))",
        client=task.client, path=task.path, digest=task.digest or "", since=now - twin_ms,
        all_since=now - answered_twin_ms,
    )  # fmt: skip
    # Sorted here: for an ORDER BY, SQLite would go through all tasks of the client instead of the index of digests.
    twins = sorted(found, key=lambda row: (row["created_at"], row["id"]))
    repeated = (row for row in twins if row["created_at"] > now - answered_twin_ms or not waits(row["id"]))
    row = next(repeated, None)
    return None if row is None else _read(row)


_COLUMNS = f"{rows.columns(Task)}, expunged_at"


def _read(row: Row) -> Task:
    """Raises `Refused` for a task that was expunged: it was paid for, but there is nothing left to answer with."""
    values = dict(row)
    if values.pop("expunged_at") is not None:
        raise refused(422, Category.INVALID_REQUEST, EXPUNGED, "expunged")
    return rows.read_task(values)
