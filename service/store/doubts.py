"""The verbs of sends in doubt: waited for, proven, or left to a person. Each is one transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from service.domain.tasks import Placement, Task
from service.store import rows
from service.store.charges import may_be_billed, reopen_charge, reopen_given_up
from service.store.engine import Engine, Transaction
from service.store.placements import OF_A_KNOWN_TASK
from service.store.schema import UNNAMED

IDS_AT_ONCE = 500
DOUBTFUL = "verdict IN ('in_doubt', 'unproven')"
DENIED = f"verdict IN ('not_accepted', 'refused') AND {OF_A_KNOWN_TASK}"
TASK_OF = "id = (SELECT task FROM placements WHERE id = :id)"


@dataclass(frozen=True, slots=True)
class Overruled:
    """A task one of whose sends was accepted although the provider had said no. `twice`: another one may be billed,
    too."""

    task: Task
    twice: bool


class DoubtVerbs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def claim(self, now: int, lease: int, limit: int) -> list[Placement]:
        """Takes sends whose answer is overdue (`sending`: we died, or it never came) and doubtful ones that are due."""

        def verb(tx: Transaction) -> list[Placement]:
            claimed = tx.all(
                "UPDATE placements SET doubt_at = :lease WHERE id IN (SELECT id FROM placements"
                " WHERE doubt_at <= :now AND verdict IN ('sending', 'in_doubt')"
                f" ORDER BY doubt_at LIMIT :limit{tx.skip_locked}) RETURNING {rows.columns(Placement)}",
                now=now, lease=lease, limit=limit,
            )  # fmt: skip
            return [rows.read_placement(row) for row in claimed]

        return await self._engine.write(verb)

    async def again(self, placements: Collection[str], due_at: int) -> None:
        """They are still in doubt and due again at `due_at`."""

        def verb(tx: Transaction) -> None:
            for some in _parts(list(placements)):
                these, names = rows.any_of("id", some)
                sql = f"UPDATE placements SET doubt_at = :due_at WHERE verdict = 'in_doubt' AND {these}"
                tx.run(sql, due_at=due_at, **names)

        await self._engine.write(verb)

    async def adopted(self, placement: str, upstream_id: str, now: int, look_at: int) -> Task | None:
        """A doubtful (or given up) send is proven to be the upstream's task of this id. Returns its task, which goes on
        by this send if it was in doubt or waited to be sent. None, and nothing is written, if the id belongs to another
        send to the provider, or this one is not in doubt any more."""

        def verb(tx: Transaction) -> Task | None:
            return _proven(tx, DOUBTFUL, placement, upstream_id, now, look_at)

        return await self._engine.write(verb)

    async def overruled(self, placement: str, upstream_id: str, now: int) -> Overruled | None:
        """The provider's own record proves that it accepted a send to which it had said no. Its charge is open again,
        and its task goes on by it if it waited to be sent or was in doubt: then nothing else is sent. None, and nothing
        is written, if the id belongs to another send to the provider, or there was no such no."""

        def verb(tx: Transaction) -> Overruled | None:
            task = _proven(tx, DENIED, placement, upstream_id, now, now)
            if task is None:
                return None
            tx.run("UPDATE placements SET denied = 1 WHERE id = :id", id=placement)
            reopen_charge(tx, placement)
            return Overruled(task, may_be_billed(tx, task.id, besides=placement))

        return await self._engine.write(verb)

    async def denied(self, placements: Collection[str]) -> list[Placement]:
        """Those of the sends to which the provider said no."""

        def verb(tx: Transaction) -> list[Placement]:
            found: list[Placement] = []
            for some in _parts(list(placements)):
                these, names = rows.any_of("id", some)
                sql = f"SELECT {rows.columns(Placement)} FROM placements WHERE {DENIED} AND {these}"
                found += [rows.read_placement(row) for row in tx.all(sql, **names)]
            return found

        return await self._engine.read(verb)

    async def left(self, placement: str) -> None:
        """A doubtful send whose task waits for another one is not asked for any more; a callback may still prove it."""

        def verb(tx: Transaction) -> None:
            tx.run(
                "UPDATE placements SET verdict = 'unproven', doubt_at = NULL WHERE id = :id AND verdict = 'in_doubt'"
                " AND NOT EXISTS (SELECT 1 FROM tasks"
                " WHERE tasks.id = placements.task AND tasks.placement = :id AND tasks.state = 'IN_DOUBT')",
                id=placement,
            )  # fmt: skip

        await self._engine.write(verb)

    async def unnamed(self, provider: str, since: int, until: int) -> list[Placement]:
        """The sends of that time which the provider may have accepted under an id that we do not know."""

        def verb(tx: Transaction) -> list[Placement]:
            found = tx.all(
                f"SELECT {rows.columns(Placement)} FROM placements WHERE provider = :provider AND {UNNAMED}"
                " AND sent_at <= :until AND (lost_at IS NULL OR lost_at >= :since) ORDER BY sent_at, id",
                provider=provider, since=since, until=until,
            )  # fmt: skip
            return [rows.read_placement(row) for row in found]

        return await self._engine.read(verb)

    async def strangers(self, provider: str, upstream_ids: Collection[str]) -> set[str]:
        """Those of the ids under which the provider has accepted nothing that we know to be sent by us; somebody may
        watch one of them, and it is the lost one all the same."""

        def verb(tx: Transaction) -> set[str]:
            known: set[str] = set()
            for some in _parts(list(upstream_ids)):
                these, names = rows.any_of("upstream_id", some)
                sql = f"SELECT upstream_id FROM placements WHERE provider = :provider AND watched = 0 AND {these}"
                known |= {row["upstream_id"] for row in tx.all(sql, provider=provider, **names)}
            return set(upstream_ids) - known

        return await self._engine.read(verb)


def hold(tx: Transaction, placement: str) -> None:
    """Locks the row of a send's task. Everybody writes it before the send's own: nobody waits in a circle."""
    tx.run(f"UPDATE tasks SET version = version WHERE {TASK_OF}", id=placement)


def _proven(tx: Transaction, unproven: str, placement: str, upstream_id: str, now: int, look_at: int) -> Task | None:
    tx.lock(f"upstream.{upstream_id}")
    hold(tx, placement)
    reopen_given_up(tx, placement)
    taken = tx.one(
        "UPDATE placements SET verdict = 'accepted', upstream_id = :upstream_id, doubt_at = NULL,"
        " claimed_at = NULL, heard_at = :now, due_at = :look_at, misses = 0"
        f" WHERE id = :id AND {unproven} AND upstream_id IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM placements AS other WHERE other.upstream_id = :upstream_id"
        " AND other.provider = placements.provider AND other.watched = 0) RETURNING task",
        id=placement, upstream_id=upstream_id, now=now, look_at=look_at,
    )  # fmt: skip
    if taken is None:
        return None
    go_on_or_warn(tx, placement, now)
    row = tx.one(f"SELECT {rows.columns(Task)} FROM tasks WHERE id = :id", id=taken["task"])
    return None if row is None else rows.read_task(row)


AT_WORK = (
    "SELECT id FROM placements WHERE task = tasks.id AND verdict = 'accepted' AND heard_at >= coalesce(reopened_at, 0)"
)
"""The sends of a task (in a statement about `tasks`) that were proven to be accepted, also since it was sent again."""


def go_on_by_any(tx: Transaction, task: str, now: int) -> Task | None:
    """A task that begins to wait goes on by a send of it that is at work, if there is one."""
    row = tx.one(f"SELECT ({AT_WORK} ORDER BY sent_at DESC LIMIT 1) AS id FROM tasks WHERE id = :task", task=task)
    return go_on(tx, row["id"], now) if row and row["id"] else None


def go_on(tx: Transaction, placement: str, now: int) -> Task | None:
    """The task of a send that its upstream has accepted goes on by it: it is in doubt no more, and is not sent once
    more if it waits for that (an operator had it sent again). None: it had gone on before."""
    row = tx.one(
        "UPDATE tasks SET state = 'QUEUED', placement = :placement, due_at = NULL, updated_at = :now,"
        " provider = (SELECT provider FROM placements WHERE id = :placement), version = version + 1"
        " WHERE id = (SELECT task FROM placements WHERE id = :placement AND verdict = 'accepted')"
        " AND (state IN ('ACCEPTED', 'IN_DOUBT') OR (state = 'SUBMITTING' AND placement = :placement))"
        f" RETURNING {rows.columns(Task)}",
        placement=placement, now=now,
    )  # fmt: skip
    return None if row is None else rows.read_task(row)


def go_on_or_warn(tx: Transaction, placement: str, now: int) -> Task | None:
    """As `go_on`; a task that does not move has another version all the same: who read it before, and decides by the
    sends that it had then, has to read it again."""
    moved = go_on(tx, placement, now)
    if moved is None:
        tx.run(f"UPDATE tasks SET version = version + 1 WHERE {TASK_OF}", id=placement)
    return moved


def _parts(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + IDS_AT_ONCE] for start in range(0, len(ids), IDS_AT_ONCE)]
