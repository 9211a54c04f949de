"""The log of what happened to tasks, in the order of its commits.

Who writes an event takes its number from the one row of `event_head` and keeps that row until its transaction ends. So
whoever has read up to a number will never find a new event below it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from service.domain.event_log import Event
from service.store import rows
from service.store.engine import Engine, Row, Transaction


@dataclass(frozen=True, slots=True)
class LogPage:
    """`after` is where to read on: everything up to there was looked at, also what was not asked for. `ended`: the one
    task that was asked for has ended, and nothing of it is left to read."""

    events: list[Event]
    after: int
    ended: bool = False


class EventLogVerbs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def page(
        self, after: int, limit: int, client: str | None = None, task: str = "", types: Collection[str] = ()
    ) -> LogPage:
        """The next events behind the place `after`, the oldest first: of a client, of a task, of some types; None, ""
        and none of them mean any."""
        of_types, names = rows.any_of("type", types)

        def verb(tx: Transaction) -> LogPage:
            ended = _ended(tx, task)  # before the log is read: an end brings its event along
            head = _head(tx)
            found = tx.all(
                f"SELECT {rows.columns(Event)} FROM events WHERE seq > :after AND seq <= :head"
                f" AND {rows.matching(client=client, task=task)} AND {of_types} ORDER BY seq LIMIT :limit",
                after=after, head=head, client=client, task=task, limit=limit, **names,
            )  # fmt: skip
            events = [_read(row) for row in found]
            full = len(events) == limit
            return LogPage(events, events[-1].seq if full else head, ended and not full)

        return await self._engine.read(verb)

    async def get(self, seq: int, client: str | None) -> Event | None:
        def verb(tx: Transaction) -> Event | None:
            row = tx.one(
                f"SELECT {rows.columns(Event)} FROM events WHERE seq = :seq AND {rows.matching(client=client)}",
                seq=seq, client=client,
            )  # fmt: skip
            return None if row is None else _read(row)

        return await self._engine.read(verb)

    async def head(self) -> int:
        """The place of the latest event, 0 before there is any."""
        return await self._engine.read(_head)

    async def gap(self, after: int) -> bool:
        """Whether something that stood behind the place `after` has been deleted for its age."""

        def verb(tx: Transaction) -> bool:
            row = tx.one("SELECT min(seq) AS seq FROM events")
            oldest = _head(tx) + 1 if row is None or row["seq"] is None else int(row["seq"])
            return after + 1 < oldest

        return await self._engine.read(verb)

    async def before(self, since: int) -> int:
        """The place behind which everything stands that happened at `since` or later."""

        def verb(tx: Transaction) -> int:
            row = tx.one("SELECT min(seq) AS seq FROM events WHERE at >= :since", since=since)
            return _head(tx) if row is None or row["seq"] is None else int(row["seq"]) - 1

        return await self._engine.read(verb)


def write_event(tx: Transaction, event: Event | None) -> None:
    """Part of the transaction that moves the task, and its last statement: until it ends all others wait for the head.
    What was told before stays as it was told."""
    if event is None:
        return
    head = tx.one(
        "UPDATE event_head SET seq = seq + 1"
        " WHERE NOT EXISTS (SELECT 1 FROM events WHERE task = :task AND type = :type) RETURNING seq",
        task=event.task, type=event.type,
    )  # fmt: skip
    if head is not None:
        tx.run(
            f"INSERT INTO events ({rows.columns(Event)}) VALUES ({rows.placeholders(Event)})",
            **rows.values(event) | {"seq": head["seq"]},
        )


def _head(tx: Transaction) -> int:
    row = tx.one("SELECT seq FROM event_head")
    assert row is not None, "the head is made with its table"
    return int(row["seq"])


def _ended(tx: Transaction, task: str) -> bool:
    row = tx.one("SELECT finished_at FROM tasks WHERE id = :id", id=task) if task else None
    return row is not None and row["finished_at"] is not None


def _read(row: Row) -> Event:
    return Event(**{**row, "body": bytes(row["body"])})
