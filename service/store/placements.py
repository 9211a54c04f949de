"""The verbs of a send that has left the house: looks and callbacks. Each is one transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from adapters.messages import Report
from service.domain.ledger import Settle, settled
from service.domain.tasks import Placement, Verdict
from service.store import rows
from service.store.charges import reopen_given_up, settle_charge
from service.store.engine import Engine, Transaction

LOOKED_AT = "verdict IN ('accepted', 'in_doubt', 'unproven', 'not_accepted', 'refused')"
"""The sends of which something may still be heard; where there was a no, only if a callback makes a look due."""

OF_A_KNOWN_TASK = "NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.id = placements.task AND tasks.expunged_at IS NOT NULL)"
"""Of an expunged task nothing is heard any more."""

CALLBACKS_KEPT = 16
"""Distinct bodies kept of one placement's callbacks: a leaked token cannot fill the disk."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A send that its upstream works on, by its ids and when it was sent."""

    id: str
    upstream_id: str
    sent_at: int


class PlacementVerbs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def claim_looks(
        self,
        provider: str,
        now: int,
        lease: int,
        limit: int,
        accounts: Collection[str] = (),
        *,
        hinted: bool = False,
    ) -> list[Placement]:
        """Takes the placements of one provider that are due for a look; with `accounts` only theirs, else those that
        need no watcher's key. `hinted`: only those of which something says that they have ended.

        Those come first in any case, then what may be done by now, then what is too young for that."""
        change = "due_at = :lease, claimed_at = :now"
        theirs, names = accounts_of(accounts)
        only = " AND hinted_by IS NOT NULL" if hinted else ""
        where = f"provider = :provider AND due_at <= :now{only} AND {LOOKED_AT} AND {theirs}"
        order = (
            "CASE WHEN hinted_by IS NOT NULL THEN 0 WHEN coalesce(expected_at, 0) <= :now THEN 1 ELSE 2 END, due_at, id"
        )
        return await self._claim(change, where, order, provider=provider, now=now, lease=lease, limit=limit, **names)

    async def put_back(self, placement: Placement, due_at: int) -> None:
        """A look that could not be made for a reason that is not the task's; what hinted at it still does."""

        def verb(tx: Transaction) -> None:
            tx.run(
                "UPDATE placements SET claimed_at = NULL,"
                " due_at = CASE WHEN due_at = :lease THEN :due_at ELSE due_at END"
                f" WHERE id = :id AND {LOOKED_AT}",
                id=placement.id, lease=placement.due_at, due_at=due_at,
            )  # fmt: skip

        await self._engine.write(verb)

    async def wake(self, provider: str, at: int, accounts: Collection[str] = ()) -> int:
        """The upstream is heard again: what is stalled is due at `at`, unless it is sooner. Returns how many were."""
        theirs, names = accounts_of(accounts)

        def verb(tx: Transaction) -> int:
            return tx.run(
                "UPDATE placements SET due_at = :at WHERE provider = :provider AND due_at > :at AND misses > 0"
                f" AND claimed_at IS NULL AND {LOOKED_AT} AND {theirs}",
                provider=provider, at=at, **names,
            )  # fmt: skip

        return await self._engine.write(verb)

    async def scout(self, provider: str, now: int, accounts: Collection[str] = ()) -> None:
        """Of what is stalled, that which is due first is due now."""
        theirs, names = accounts_of(accounts)

        def verb(tx: Transaction) -> None:
            tx.run(
                "UPDATE placements SET due_at = :now WHERE due_at > :now AND id = (SELECT id FROM placements"
                " WHERE provider = :provider AND verdict = 'accepted' AND misses > 0 AND claimed_at IS NULL"
                f" AND due_at IS NOT NULL AND {theirs} ORDER BY due_at, id LIMIT 1)",
                provider=provider, now=now, **names,
            )  # fmt: skip

        await self._engine.write(verb)

    async def waiting(self, provider: str, accounts: Collection[str] = ()) -> int:
        """How many sends an upstream has taken and has not said the end of."""
        theirs, names = accounts_of(accounts)

        def verb(tx: Transaction) -> int:
            sql = "SELECT count(*) AS sends FROM placements WHERE provider = :provider AND verdict = 'accepted'"
            row = tx.one(f"{sql} AND due_at IS NOT NULL AND {theirs}", provider=provider, **names)
            return row["sends"] if row else 0

        return await self._engine.read(verb)

    async def looked(
        self,
        placement: Placement,
        due_at: int | None,
        now: int,
        *,
        heard: bool,
        empty: bool = False,
        reason: str | None = None,
        given_up: bool = False,
    ) -> None:
        """A look that changed nothing. `heard`: the upstream said something about the task. `given_up`: its word is
        not expected any more, but still welcome. `reason`: "" for none, None leaves it. A callback that came
        during the look has made the next one due already; it stays so."""
        told = placement.reason if reason is None else reason or None

        def verb(tx: Transaction) -> None:
            tx.run(
                "UPDATE placements SET looks = looks + 1, empty = empty + :empty, claimed_at = NULL,"
                " hinted_by = CASE WHEN due_at = :lease THEN NULL ELSE hinted_by END,"
                " due_at = CASE WHEN due_at = :lease THEN :due_at ELSE due_at END,"
                " misses = CASE WHEN :heard = 1 THEN 0 ELSE misses + 1 END,"
                " heard_at = CASE WHEN :heard = 1 THEN :now ELSE heard_at END, reason = :reason,"
                " verdict = CASE WHEN :given_up = 1 THEN 'unproven' ELSE verdict END"
                f" WHERE id = :id AND {LOOKED_AT}",
                id=placement.id, lease=placement.due_at, due_at=due_at, now=now, heard=int(heard), empty=int(empty),
                reason=told, given_up=int(given_up),
            )  # fmt: skip

        await self._engine.write(verb)

    async def closed(self, placement: str, outcome: Report, settle: Settle = settled) -> None:
        """The upstream's last word was heard and changed nothing for the task; it is kept, and what it cost."""

        def verb(tx: Transaction) -> None:
            reopen_given_up(tx, placement)
            tx.run(
                "UPDATE placements SET verdict = 'ended', due_at = NULL, claimed_at = NULL, outcome = :outcome,"
                " credential = NULL WHERE id = :id"
                " AND NOT EXISTS (SELECT 1 FROM tasks WHERE id = placements.task AND expunged_at IS NOT NULL)",
                id=placement, outcome=rows.dump_report(replace(outcome, request=None, callback_url=None)),
            )  # fmt: skip
            settle_charge(tx, placement, Verdict.ENDED, outcome, settle)

        await self._engine.write(verb)

    async def keep_callback(
        self, placement: str, digest: str, body: bytes, upstream_id: str | None, now: int, by: str = "callback"
    ) -> Placement | None:
        """Keeps the raw body of an upstream's callback and makes a look due now. At most `CALLBACKS_KEPT` distinct
        bodies a placement, none after its end. None: nothing was done (unknown placement, ended, or a duplicate)."""

        def verb(tx: Transaction) -> Placement | None:
            kept = tx.run(
                "INSERT INTO callbacks (placement, digest, body, upstream_id, received_at)"
                " SELECT id, :digest, :body, :upstream_id, :now FROM placements WHERE id = :id"
                f" AND verdict <> 'ended' AND {OF_A_KNOWN_TASK}"
                " AND (SELECT count(*) FROM callbacks WHERE placement = :id) < :most"
                " ON CONFLICT (placement, digest) DO NOTHING",
                id=placement, digest=digest, body=body, upstream_id=upstream_id, now=now, most=CALLBACKS_KEPT,
            )  # fmt: skip
            if not kept:
                return None
            row = tx.one(
                "UPDATE placements SET due_at = :now, hinted_by = :by WHERE id = :id"
                f" RETURNING {rows.columns(Placement)}",
                id=placement, now=now, by=by,
            )  # fmt: skip
            return None if row is None else rows.read_placement(row)

        return await self._engine.write(verb)

    async def watched(self, provider: str, accounts: Collection[str] = ()) -> list[Watched]:
        """What runs at a provider, or at some of its accounts, as far as is known here; watchers' own keys left out."""
        theirs, names = rows.any_of("account", accounts)

        def verb(tx: Transaction) -> list[Watched]:
            found = tx.all(
                "SELECT id, upstream_id, sent_at FROM placements WHERE provider = :provider AND verdict = 'accepted'"
                f" AND credential IS NULL AND upstream_id IS NOT NULL AND {theirs}",
                provider=provider, **names,
            )  # fmt: skip
            return [Watched(**row) for row in found]

        return await self._engine.read(verb)

    async def sent_before(
        self, provider: str, before: int, limit: int, accounts: Collection[str] = ()
    ) -> list[Placement]:
        """What a provider took so long ago and has not said the end of: the oldest ones, of some accounts or of all,
        with watchers' keys too."""
        theirs, names = rows.any_of("account", accounts) if accounts else ("1 = 1", {})

        def verb(tx: Transaction) -> list[Placement]:
            found = tx.all(
                f"SELECT {rows.columns(Placement)} FROM placements WHERE provider = :provider AND verdict = 'accepted'"
                f" AND sent_at < :before AND {theirs} ORDER BY sent_at LIMIT :limit",
                provider=provider, before=before, limit=limit, **names,
            )  # fmt: skip
            return [rows.read_placement(row) for row in found]

        return await self._engine.read(verb)

    async def hint(self, placements: Sequence[str], by: str | None, now: int) -> None:
        """A look is due now, because something says that these have ended (`by`), or that it will not say so any more
        (None). Those that are being looked at are left alone, and those that are stalled, which slow down by themselves
        and are woken when their account is heard. Who hinted first is who is remembered."""

        def verb(tx: Transaction) -> None:
            for placement in placements:
                tx.run(
                    "UPDATE placements SET due_at = CASE WHEN due_at > :now THEN :now ELSE due_at END, hinted_by = :by"
                    " WHERE id = :id AND verdict = 'accepted' AND claimed_at IS NULL AND due_at IS NOT NULL"
                    " AND hinted_by IS NULL AND misses = 0",
                    id=placement, by=by, now=now,
                )  # fmt: skip

        await self._engine.write(verb)

    async def called_back(self, placement: str) -> bool:
        """Whether the upstream has called back for this placement."""

        def verb(tx: Transaction) -> bool:
            sql = "SELECT placement FROM callbacks WHERE placement = :id LIMIT 1"
            return tx.one(sql, id=placement) is not None

        return await self._engine.read(verb)

    async def hinted_ids(self, placement: str) -> list[str]:
        """The upstream ids that callbacks of a placement named, latest first, without ids of other sends."""

        def verb(tx: Transaction) -> list[str]:
            found = tx.all(
                "SELECT upstream_id, max(received_at) AS at FROM callbacks WHERE placement = :id"
                " AND upstream_id IS NOT NULL AND upstream_id NOT IN (SELECT upstream_id FROM placements"
                " WHERE watched = 0 AND upstream_id IS NOT NULL"
                " AND provider = (SELECT provider FROM placements WHERE id = :id))"
                " GROUP BY upstream_id ORDER BY at DESC",
                id=placement,
            )  # fmt: skip
            return [row["upstream_id"] for row in found]

        return await self._engine.read(verb)

    async def _claim(self, change: str, where: str, order: str, **values: int | str) -> list[Placement]:
        def verb(tx: Transaction) -> list[Placement]:
            claimed = tx.all(
                f"UPDATE placements SET {change} WHERE id IN (SELECT id FROM placements WHERE {where}"
                f" ORDER BY {order} LIMIT :limit{tx.skip_locked}) RETURNING {rows.columns(Placement)}",
                **values,
            )
            return [rows.read_placement(row) for row in claimed]

        return await self._engine.write(verb)


def accounts_of(accounts: Collection[str]) -> tuple[str, dict[str, str]]:
    """The condition that a placement is one of these accounts', and the values of its placeholders; without `accounts`
    that it is of one of the operator's."""
    return rows.any_of("account", accounts) if accounts else ("credential IS NULL", {})
