"""The verbs of a task's life. Each is one transaction; `now` is always given; the SQL stands beside the verb.

Every change of a task row compares the version that was read and adds one. So of a callback, a list and a look that
race, exactly one ends the task, and only it opens the deliveries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from service.store import rows
from service.store.engine import Engine, Transaction
from service.tasks import Delivery, Placement, Subscription, Task, TaskState, Verdict

Message = Callable[[Subscription], Delivery]
"""Makes the delivery that tells one subscription of a task's end."""


class TaskVerbs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def accept(self, task: Task, placement: Placement | None, subscriptions: Sequence[Subscription]) -> None:
        """Keeps a new task, its subscriptions and (if it is sent at once) its first placement."""

        def verb(tx: Transaction) -> None:
            _insert_task(tx, task)
            if placement is not None:
                _insert_placement(tx, placement)
            for subscription in subscriptions:
                tx.run(
                    f"INSERT INTO subscriptions ({rows.columns(Subscription)})"
                    f" VALUES ({rows.placeholders(Subscription)})",
                    **rows.values(subscription),
                )

        await self._engine.write(verb)

    async def accepted(self, placement: str, upstream_id: str, now: int, look_at: int) -> Task | None:
        """The upstream took the send. A callback that overtook its answer makes the look due now. None when the task
        had moved on already (adopted by its callback); the upstream's id is kept all the same."""

        def verb(tx: Transaction) -> Task | None:
            tx.run(
                "UPDATE placements SET verdict = 'accepted', upstream_id = :upstream_id, doubt_at = NULL,"
                " heard_at = :now, due_at = CASE WHEN due_at IS NULL THEN :look_at ELSE :now END"
                " WHERE id = :id AND verdict IN ('sending', 'in_doubt')",
                id=placement, upstream_id=upstream_id, now=now, look_at=look_at,
            )  # fmt: skip
            return _move(tx, placement, (TaskState.SUBMITTING, TaskState.IN_DOUBT), TaskState.QUEUED, now)

        return await self._engine.write(verb)

    async def deferred(self, placement: str, reason: str, now: int, due_at: int) -> Task | None:
        """Provably nothing was accepted: the task waits to be sent again."""

        def verb(tx: Transaction) -> Task | None:
            _close_placement(tx, placement, Verdict.NOT_ACCEPTED, reason)
            return _move(tx, placement, (TaskState.SUBMITTING,), TaskState.ACCEPTED, now, due_at=due_at)

        return await self._engine.write(verb)

    async def doubted(self, placement: str, reason: str, now: int, until: int) -> Task | None:
        """The send may have been accepted. It is never sent again; at `until` it is given up."""

        def verb(tx: Transaction) -> Task | None:
            tx.run(
                "UPDATE placements SET verdict = 'in_doubt', reason = :reason, doubt_at = :until"
                " WHERE id = :id AND verdict = 'sending'",
                id=placement, reason=reason, until=until,
            )  # fmt: skip
            return _move(tx, placement, (TaskState.SUBMITTING,), TaskState.IN_DOUBT, now)

        return await self._engine.write(verb)

    async def record(self, task: Task, verdict: Verdict, message: Message | None) -> bool:
        """Writes `task` if its row still has the version it was made from, and with an ended task its deliveries.
        False: somebody else was first, nothing was written."""

        def verb(tx: Transaction) -> bool:
            values = rows.task_values(replace(task, version=task.version + 1)) | {"was": task.version}
            if not tx.run(
                "UPDATE tasks SET state = :state, updated_at = :updated_at, finished_at = :finished_at,"
                " due_at = :due_at, outcome = :outcome, detector = :detector, version = :version"
                " WHERE id = :id AND version = :was",
                **{name: values[name] for name in _RECORDED},
            ):
                return False
            if task.ended:
                if task.placement is not None:
                    _close_placement(tx, task.placement, verdict, None)
                _open_deliveries(tx, task, message)
            return True

        return await self._engine.write(verb)

    async def claim_sends(self, now: int, doubt_at: int, limit: int, new_id: Callable[[], str]) -> list[Task]:
        """Takes tasks that are due to be sent: a new placement for each, and SUBMITTING, before anything is sent."""

        def verb(tx: Transaction) -> list[Task]:
            claimed = tx.all(
                f"UPDATE tasks SET state = 'SUBMITTING', due_at = NULL, updated_at = :now, version = version + 1"
                f" WHERE id IN (SELECT id FROM tasks WHERE state = 'ACCEPTED' AND due_at <= :now"
                f" ORDER BY due_at LIMIT :limit{tx.skip_locked}) RETURNING {rows.columns(Task)}",
                now=now, limit=limit,
            )  # fmt: skip
            return [_place(tx, rows.read_task(row), new_id(), now, doubt_at) for row in claimed]

        return await self._engine.write(verb)

    async def claim_doubts(self, now: int, lease: int, limit: int) -> list[Placement]:
        """Takes sends whose answer is overdue: `sending` ones (we died, or the answer never came) and `in_doubt` ones
        whose time for proof ran out."""
        return await self._claim("doubt_at", "verdict IN ('sending', 'in_doubt')", now, lease, limit, {})

    async def claim_looks(self, provider: str, now: int, lease: int, limit: int) -> list[Placement]:
        """Takes the placements of one provider that are due for a look."""
        where = "provider = :provider AND verdict IN ('accepted', 'in_doubt')"
        return await self._claim("due_at", where, now, lease, limit, {"provider": provider})

    async def looked(self, placement: str, due_at: int, now: int, *, heard: bool, empty: bool = False) -> None:
        """A look that changed nothing. `heard`: the upstream said something about the task."""

        def verb(tx: Transaction) -> None:
            tx.run(
                "UPDATE placements SET due_at = :due_at, looks = looks + 1, empty = empty + :empty,"
                " misses = CASE WHEN :heard = 1 THEN 0 ELSE misses + 1 END,"
                " heard_at = CASE WHEN :heard = 1 THEN :now ELSE heard_at END"
                " WHERE id = :id AND verdict IN ('accepted', 'in_doubt')",
                id=placement, due_at=due_at, now=now, heard=int(heard), empty=int(empty),
            )  # fmt: skip

        await self._engine.write(verb)

    async def void_leases(self, now: int) -> None:
        """At the start of an only server: what a dead one had claimed is due again, its open sends are doubtful."""

        def verb(tx: Transaction) -> None:
            tx.run("UPDATE placements SET doubt_at = :now WHERE verdict = 'sending'", now=now)
            tx.run(
                "UPDATE placements SET due_at = :now WHERE verdict = 'accepted' AND due_at > :now AND looks = 0"
                " AND heard_at IS NULL", now=now,
            )  # fmt: skip
            tx.run("UPDATE deliveries SET due_at = :now WHERE due_at > :now AND attempts = 0", now=now)

        await self._engine.write(verb)

    async def next_due(self, column: str, provider: str = "") -> int | None:
        """When the next row of a queue is due: "send", "look" (of one provider), "doubt" or "delivery"."""
        sql = _NEXT_DUE[column]

        def verb(tx: Transaction) -> int | None:
            row = tx.one(sql, **({"provider": provider} if ":provider" in sql else {}))
            return None if row is None else row["due"]

        return await self._engine.read(verb)

    async def _claim(
        self, column: str, where: str, now: int, lease: int, limit: int, values: Mapping[str, str]
    ) -> list[Placement]:
        def verb(tx: Transaction) -> list[Placement]:
            claimed = tx.all(
                f"UPDATE placements SET {column} = :lease WHERE id IN (SELECT id FROM placements"
                f" WHERE {where} AND {column} <= :now ORDER BY {column} LIMIT :limit{tx.skip_locked})"
                f" RETURNING {rows.columns(Placement)}",
                now=now, lease=lease, limit=limit, **values,
            )  # fmt: skip
            return [rows.read_placement(row) for row in claimed]

        return await self._engine.write(verb)


_RECORDED = (
    "id", "was", "state", "updated_at", "finished_at", "due_at", "outcome", "detector", "version",
)  # fmt: skip

_NEXT_DUE: Mapping[str, str] = {
    "send": "SELECT min(due_at) AS due FROM tasks WHERE due_at IS NOT NULL AND state = 'ACCEPTED'",
    "look": "SELECT min(due_at) AS due FROM placements WHERE due_at IS NOT NULL AND provider = :provider"
    " AND verdict IN ('accepted', 'in_doubt')",
    "doubt": "SELECT min(doubt_at) AS due FROM placements WHERE doubt_at IS NOT NULL",
    "delivery": "SELECT min(due_at) AS due FROM deliveries WHERE due_at IS NOT NULL",
}


def _insert_task(tx: Transaction, task: Task) -> None:
    tx.run(f"INSERT INTO tasks ({rows.columns(Task)}) VALUES ({rows.placeholders(Task)})", **rows.task_values(task))


def _insert_placement(tx: Transaction, placement: Placement) -> None:
    tx.run(
        f"INSERT INTO placements ({rows.columns(Placement)}) VALUES ({rows.placeholders(Placement)})",
        **rows.values(placement),
    )


def _place(tx: Transaction, task: Task, placement: str, now: int, doubt_at: int) -> Task:
    _insert_placement(tx, Placement(placement, task.id, task.provider, Verdict.SENDING, sent_at=now, doubt_at=doubt_at))
    tx.run("UPDATE tasks SET placement = :placement WHERE id = :id", placement=placement, id=task.id)
    return replace(task, placement=placement)


def _close_placement(tx: Transaction, placement: str, verdict: Verdict, reason: str | None) -> None:
    tx.run(
        "UPDATE placements SET verdict = :verdict, due_at = NULL, doubt_at = NULL,"
        " reason = CASE WHEN :reason = '' THEN reason ELSE :reason END WHERE id = :id",
        id=placement, verdict=verdict, reason=reason or "",
    )  # fmt: skip


def _move(
    tx: Transaction, placement: str, before: Sequence[TaskState], after: TaskState, now: int, due_at: int | None = None
) -> Task | None:
    """Moves the task of its current placement on, if it is still in one of the states `before`."""
    states = ", ".join(f"'{state}'" for state in before)
    row = tx.one(
        f"UPDATE tasks SET state = :after, updated_at = :now, due_at = :due_at, version = version + 1"
        f" WHERE placement = :placement AND state IN ({states}) RETURNING {rows.columns(Task)}",
        after=after, now=now, due_at=due_at, placement=placement,
    )  # fmt: skip
    return None if row is None else rows.read_task(row)


def _open_deliveries(tx: Transaction, task: Task, message: Message | None) -> None:
    if message is None:
        return
    found = tx.all(f"SELECT {rows.columns(Subscription)} FROM subscriptions WHERE task = :task", task=task.id)
    for row in found:
        insert_delivery(tx, message(rows.read_subscription(row)))


def insert_delivery(tx: Transaction, delivery: Delivery) -> None:
    tx.run(
        f"INSERT INTO deliveries ({rows.columns(Delivery)}) VALUES ({rows.placeholders(Delivery)})"
        " ON CONFLICT (subscription, type) DO NOTHING",
        **rows.values(delivery),
    )
