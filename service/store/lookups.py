"""Reading tasks back. Nothing here writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from adapters.messages import Listing
from service.domain.deliveries import Subscription
from service.domain.tasks import Placement, Task, TaskState
from service.store import rows
from service.store.engine import Engine, Transaction
from service.store.schema import AT_WORK, LIVE, WAITING
from service.store.subscriptions import subscriptions_of

Place = tuple[int, str]
"""Where a page of a list ended: the creation and the id of its last row. The id tells rows of one millisecond apart."""

KEPT = "expunged_at IS NULL"
"""Of a task that was expunged only what money needs is left: to everybody it is unknown."""

Listed = tuple[list[Task], int]
"""The tasks of one page, and how many there are on all pages."""

NEWEST: Place = (2**62, "")


class Lookups:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def task(self, task: str, client: str | None = None) -> Task | None:
        """A task of one client (None: of any)."""
        found = await self.tasks_by_id([task], client)
        return found[0] if found else None

    async def tasks_by_id(self, tasks: Sequence[str], client: str | None) -> list[Task]:
        mine = f"{rows.matching(client=client)} AND {KEPT}"

        def verb(tx: Transaction) -> list[Task]:
            found = (
                tx.one(
                    f"SELECT {rows.columns(Task)} FROM tasks WHERE id = :id AND {mine}",
                    id=task, client=client,
                )
                for task in tasks
            )  # fmt: skip
            return [rows.read_task(row) for row in found if row is not None]

        return await self._engine.read(verb)

    async def tasks(self, client: str | None, state: str, before: Place, limit: int) -> list[Task]:
        """Newest first, those after the page that ended at `before`; an empty `state` means any."""

        def verb(tx: Transaction) -> list[Task]:
            found = tx.all(
                f"SELECT {rows.columns(Task)} FROM tasks WHERE {rows.matching(client=client, state=state)} AND {KEPT}"
                " AND (created_at, id) < (:before, :before_id) ORDER BY created_at DESC, id DESC LIMIT :limit",
                client=client, state=state, before=before[0], before_id=before[1], limit=limit,
            )  # fmt: skip
            return [rows.read_task(row) for row in found]

        return await self._engine.read(verb)

    async def listing(self, listing: Listing, states: Collection[TaskState], client: str | None) -> Listed:
        """One page of what the filters match, newest first, and how many match altogether; no `states` mean any."""
        where = " AND ".join(
            (
                rows.matching(client=client, model=listing.model, id=listing.task_id, service=listing.service),
                rows.one_of("state", states),
                KEPT,
                "created_at >= :since AND created_at <= :until",
            )
        )
        values = {
            "client": client, "model": listing.model, "id": listing.task_id, "service": listing.service,
            "since": listing.since or 0, "until": NEWEST[0] if listing.until is None else listing.until,
        }  # fmt: skip

        def verb(tx: Transaction) -> Listed:
            found = tx.all(
                f"SELECT {rows.columns(Task)} FROM tasks WHERE {where}"
                " ORDER BY created_at DESC, id DESC LIMIT :limit OFFSET :offset",
                limit=listing.limit, offset=listing.offset, **values,
            )  # fmt: skip
            count = tx.one(f"SELECT count(*) AS total FROM tasks WHERE {where}", **values)
            return [rows.read_task(row) for row in found], count["total"] if count else 0

        return await self._engine.read(verb)

    async def unfinished(self) -> dict[str, int]:
        """How many tasks of each provider have not ended."""

        def verb(tx: Transaction) -> dict[str, int]:
            counts: Counter[str] = Counter()
            for these in (WAITING, AT_WORK):
                found = tx.all(f"SELECT provider, count(*) AS tasks FROM tasks WHERE {these} GROUP BY provider")
                counts.update({row["provider"]: row["tasks"] for row in found})
            return dict(counts)

        return await self._engine.read(verb)

    async def at_work(self) -> dict[tuple[str, str], int]:
        """How many sends that may be at work each of the operator's accounts has, by provider and name."""

        def verb(tx: Transaction) -> dict[tuple[str, str], int]:
            found = tx.all(
                f"SELECT provider, account, count(*) AS sends FROM placements WHERE {LIVE} AND credential IS NULL"
                " GROUP BY provider, account"
            )
            return {(row["provider"], row["account"]): row["sends"] for row in found}

        return await self._engine.read(verb)

    async def placements(self, task: str) -> list[Placement]:
        def verb(tx: Transaction) -> list[Placement]:
            found = tx.all(
                f"SELECT {rows.columns(Placement)} FROM placements WHERE task = :task ORDER BY sent_at, id", task=task
            )
            return [rows.read_placement(row) for row in found]

        return await self._engine.read(verb)

    async def placement(self, placement: str) -> Placement | None:
        def verb(tx: Transaction) -> Placement | None:
            row = tx.one(f"SELECT {rows.columns(Placement)} FROM placements WHERE id = :id", id=placement)
            return None if row is None else rows.read_placement(row)

        return await self._engine.read(verb)

    async def placement_of(self, provider: str, upstream_id: str) -> Placement | None:
        """The send that an upstream id belongs to; else whoever watches it."""

        def verb(tx: Transaction) -> Placement | None:
            sql = f"SELECT {rows.columns(Placement)} FROM placements WHERE provider = :provider AND upstream_id = :id"
            row = tx.one(f"{sql} ORDER BY watched LIMIT 1", provider=provider, id=upstream_id)
            return None if row is None else rows.read_placement(row)

        return await self._engine.read(verb)

    async def subscriptions(self, task: str) -> list[Subscription]:
        return await self._engine.read(lambda tx: subscriptions_of(tx, task))
