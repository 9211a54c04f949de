"""The verbs of a task that is to be sent: it waits for room, leaves, goes elsewhere, waits again. Each is one
transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from adapters.messages import Report
from service.domain.ledger import UNPRICED, Quote, Settle
from service.domain.tasks import Placement, Task, Verdict
from service.store import rows
from service.store.allowances import reserve
from service.store.doubts import AT_WORK, go_on_by_any, hold
from service.store.engine import Engine, Transaction
from service.store.room import Line, Room, Seat, heads, lock_sends, seated
from service.store.tasks import CURRENT, close_placement, deny_placement, insert_placement

WAITED_FOR = f"{CURRENT} AND state IN ('SUBMITTING', 'IN_DOUBT')"
"""The task of a send, as long as nothing is known of what became of that."""

Placed = tuple[Task, Placement]
"""A task that is SUBMITTING, and the send that does it."""


@dataclass(frozen=True, slots=True)
class Road:
    """A provider that a task may go to: who is free there, and what it would cost."""

    provider: str
    seats: Sequence[Seat]
    price: Quote = UNPRICED


NewId = Callable[[], str]


class SendVerbs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def claim(
        self, provider: str, seats: Sequence[Seat], now: int, doubt_at: int, limit: int, new_id: NewId
    ) -> list[Placed]:
        """Takes tasks that are due to be sent to a provider, as many as have room there: a new placement for each, and
        SUBMITTING, before anything is sent."""

        def verb(tx: Transaction) -> list[Placed]:
            lock_sends(tx, [provider])
            room, line = Room(tx, provider, seats), Line(tx, provider, now, limit)
            placed: list[Placed] = []
            while len(placed) < limit and (task := line.next()) is not None:
                account = room.take()
                if account is None:
                    break
                placement = Placement(
                    new_id(), task, provider, Verdict.SENDING, now, doubt_at=doubt_at, account=account
                )
                row = tx.one(
                    "UPDATE tasks SET state = 'SUBMITTING', due_at = NULL, placement = :placement, updated_at = :now,"
                    " version = version + 1 WHERE id = :id AND state = 'ACCEPTED'"
                    f" RETURNING {rows.columns(Task)}",
                    id=task, placement=placement.id, now=now,
                )  # fmt: skip
                if row is not None:  # it was not canceled in the meantime
                    insert_placement(tx, placement)
                    placed.append((rows.read_task(row), placement))
            return placed

        return await self._engine.write(verb)

    async def elsewhere(
        self,
        sent: Placed,
        verdict: Verdict,
        reason: str,
        roads: Sequence[Road],
        now: int,
        doubt_at: int,
        new_id: NewId,
    ) -> Placed | None:
        """Of `sent` provably nothing was accepted: it is closed, and the task leaves again by the first of `roads` that
        has room. None: none has, or the task has moved on. Raises `Limited` if its client's budgets have no room. In
        both cases nothing has changed."""
        task, before = sent
        at = max(now, before.sent_at + 1)  # sends of one task are told in the order of their times

        def verb(tx: Transaction) -> Placed | None:
            lock_sends(tx, [road.provider for road in roads])
            for number, road in enumerate(roads):
                account = seated(tx, road.provider, road.seats, now)
                if account is not None:
                    leaving = Placement(new_id(), task.id, road.provider, Verdict.SENDING, at, doubt_at=doubt_at)
                    passed = (*task.passed, *(each.provider for each in roads[:number]), task.provider)
                    moved = _moved(tx, before, replace(leaving, account=account), passed)
                    if moved is not None:
                        deny_placement(tx, before.id, verdict, reason)
                        reserve(tx, moved[0], road.price)
                        insert_placement(tx, moved[1])
                    return moved
            return None

        return await self._engine.write(verb)

    async def deferred(
        self,
        placement: str,
        reason: str,
        now: int,
        due_at: int,
        road: Road | None = None,
        verdict: Verdict = Verdict.NOT_ACCEPTED,
    ) -> Task | None:
        """Provably nothing was accepted: the task waits to be sent again, on another `road` or where it was, and all
        that it was passed by are candidates again; but it goes on by an earlier send that has been proven since. None
        when it does not wait for this send any more; it stays what it is then. Raises `Limited` if its client's budgets
        have no room for the other road; then nothing has changed."""

        def verb(tx: Transaction) -> Task | None:
            row = tx.one(
                "UPDATE tasks SET state = 'ACCEPTED', due_at = :due_at, passed = NULL, updated_at = :now,"
                " provider = CASE WHEN :provider = '' THEN provider ELSE :provider END, version = version + 1"
                f" WHERE {WAITED_FOR} RETURNING {rows.columns(Task)}",
                placement=placement, due_at=due_at, now=now, provider=road.provider if road else "",
            )  # fmt: skip
            deny_placement(tx, placement, verdict, reason)
            if row is None:
                return None
            deferred = rows.read_task(row)
            if (goes_on := go_on_by_any(tx, deferred.id, now)) is not None:
                return goes_on
            if road is not None:
                reserve(tx, deferred, road.price)
            return deferred

        return await self._engine.write(verb)

    async def went_on(self, placement: str, reason: str, now: int, verdict: Verdict = Verdict.REFUSED) -> Task | None:
        """Nobody takes a task that waits for this send: it goes on by an earlier one that has been proven since. None:
        there is none, and nothing has changed."""

        def verb(tx: Transaction) -> Task | None:
            hold(tx, placement)
            row = tx.one(
                "UPDATE tasks SET state = 'ACCEPTED', updated_at = :now, version = version + 1"
                f" WHERE {WAITED_FOR} AND EXISTS ({AT_WORK}) RETURNING id",
                placement=placement, now=now,
            )  # fmt: skip
            if row is None:
                return None
            deny_placement(tx, placement, verdict, reason)
            return go_on_by_any(tx, row["id"], now)

        return await self._engine.write(verb)

    async def denied(self, placement: str, reason: str, verdict: Verdict) -> None:
        """Provably nothing was accepted of a send that its task does not wait for any more."""
        await self._engine.write(lambda tx: deny_placement(tx, placement, verdict, reason))

    async def stranded(self, provider: str, after: str, limit: int) -> list[Task]:
        """The tasks that wait to be sent to a provider, due or not, by their ids; those that come `after` one."""

        def verb(tx: Transaction) -> list[Task]:
            found = tx.all(
                f"SELECT {rows.columns(Task)} FROM tasks WHERE provider = :provider AND state = 'ACCEPTED'"
                " AND id > :after ORDER BY id LIMIT :limit",
                provider=provider, after=after, limit=limit,
            )  # fmt: skip
            return [rows.read_task(row) for row in found]

        return await self._engine.read(verb)

    async def rerouted(self, task: Task, road: Road, now: int) -> bool:
        """A task that waits to be sent waits for another provider from now on. False: it has moved on. Raises `Limited`
        if its client's budgets have no room for that; then nothing has changed."""

        def verb(tx: Transaction) -> bool:
            if not tx.run(
                "UPDATE tasks SET provider = :provider, passed = NULL, due_at = :now, updated_at = :now,"
                " version = version + 1 WHERE id = :id AND version = :version AND state = 'ACCEPTED'",
                id=task.id, version=task.version, provider=road.provider, now=now,
            ):  # fmt: skip
                return False
            reserve(tx, replace(task, provider=road.provider), road.price)
            return True

        return await self._engine.write(verb)

    async def again(self, task: Task, road: Road, outcome: Report | None, settle: Settle) -> bool:
        """Writes a task that failed and waits to be sent once more, on `road`, if its row still has the version it was
        made from; its send ends with `outcome` and what it cost. False: somebody else was first. Raises `Limited` if
        its client's budgets have no room. In both cases nothing was written."""
        values = rows.task_values(task)

        def verb(tx: Transaction) -> bool:
            if not tx.run(
                "UPDATE tasks SET state = :state, provider = :provider, passed = :passed, due_at = :due_at,"
                " updated_at = :updated_at, outcome = :outcome, detector = :detector, version = version + 1"
                f" WHERE id = :id AND version = :version AND NOT EXISTS ({AT_WORK} AND placements.id <> :placement)",
                **{name: values[name] for name in _AGAIN},
            ):
                return False
            reason = f"failed: {outcome.failure.code}" if outcome and outcome.failure else None
            close_placement(tx, task.placement or "", Verdict.ENDED, reason, outcome, settle)
            reserve(tx, task, road.price)
            return True

        return await self._engine.write(verb)

    async def waiting(self, provider: str, seats: Sequence[Seat]) -> tuple[int | None, frozenset[str]]:
        """When the first task that waits for a provider is due (None: none waits), and the accounts that have room."""

        def verb(tx: Transaction) -> tuple[int | None, frozenset[str]]:
            due = min((due for _, due in heads(tx, provider)), default=None)
            return due, frozenset() if due is None else Room(tx, provider, seats).open

        return await self._engine.read(verb)


_AGAIN = ("id", "state", "provider", "placement", "passed", "due_at", "updated_at", "outcome", "detector", "version")


def _moved(tx: Transaction, before: Placement, leaving: Placement, passed: Sequence[str]) -> Placed | None:
    hold(tx, before.id)  # what is proven of an earlier send until then is seen
    by = list(dict.fromkeys(provider for provider in passed if provider != leaving.provider))
    row = tx.one(
        "UPDATE tasks SET provider = :provider, placement = :leaving, passed = :passed, updated_at = :now,"
        f" version = version + 1 WHERE {CURRENT} AND state = 'SUBMITTING' AND NOT EXISTS ({AT_WORK})"
        f" RETURNING {rows.columns(Task)}",
        provider=leaving.provider, leaving=leaving.id, passed=rows.dump(by), now=leaving.sent_at, placement=before.id,
    )  # fmt: skip
    return None if row is None else (rows.read_task(row), leaving)
