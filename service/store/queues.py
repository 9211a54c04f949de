"""The queues as a whole: when their next row is due, and what a dead server had claimed.

Two are asked elsewhere: that of deliveries (`lanes`) depends on which receivers are busy, that of sends (`sends`)
on which accounts have room."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum

from service.store.engine import Engine, Transaction
from service.store.lanes import reckon_all
from service.store.placements import LOOKED_AT, accounts_of
from service.store.schema import LIVE


class Queue(StrEnum):
    LOOKS = "looks"
    DOUBTS = "doubts"
    REPLAYS = "replays"


_NEXT_DUE: Mapping[Queue, str] = {
    Queue.LOOKS: "SELECT min(due_at) AS due FROM placements WHERE due_at IS NOT NULL AND provider = :provider"
    f" AND {LOOKED_AT}",
    Queue.DOUBTS: "SELECT min(doubt_at) AS due FROM placements WHERE doubt_at IS NOT NULL",
    Queue.REPLAYS: "SELECT min(due_at) AS due FROM replays WHERE due_at IS NOT NULL",
}


class QueueVerbs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def next_due(self, queue: Queue, provider: str = "", accounts: Collection[str] = ()) -> int | None:
        """When the next row of a queue is due (looks: of one provider, of some of its accounts, or of all of the
        operator's). None: it is empty."""
        theirs, names = accounts_of(accounts) if queue is Queue.LOOKS else ("1 = 1", {})
        sql = f"{_NEXT_DUE[queue]} AND {theirs}"

        def verb(tx: Transaction) -> int | None:
            row = tx.one(sql, **names, **({"provider": provider} if ":provider" in sql else {}))
            return None if row is None else row["due"]

        return await self._engine.read(verb)

    async def void_leases(self, now: int) -> None:
        """At the start of an only server: what a dead one had claimed is due again, its open sends are doubtful,
        doubtful ones are looked for, and what was stalled is looked at once more: the start may be what mended it."""

        def verb(tx: Transaction) -> None:
            tx.run(f"UPDATE placements SET doubt_at = :now WHERE {LIVE} AND verdict <> 'accepted'", now=now)
            for table in ("placements", "deliveries", "replays"):
                claimed = "due_at IS NOT NULL AND claimed_at IS NOT NULL"  # there is an index of what is due
                tx.run(f"UPDATE {table} SET due_at = :now, claimed_at = NULL WHERE {claimed}", now=now)
            reckon_all(tx, now)
            tx.run(f"UPDATE placements SET due_at = :now WHERE due_at > :now AND misses > 0 AND {LOOKED_AT}", now=now)

        await self._engine.write(verb)
