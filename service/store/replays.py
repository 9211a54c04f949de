"""The verbs of a replay's life. Each is one transaction.

What is to be sent again is written down first, batch by batch, and then made due batch by batch. A batch moves the
replay's cursor in the same transaction, so whenever a server dies, the next one goes on with the delivery after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from service.domain.deliveries import Delivery, DeliveryState
from service.domain.replays import Replay, ReplayState, Selection, Skipped
from service.store import rows
from service.store.deliveries import send_again, unsendable
from service.store.engine import Engine, Row, Transaction
from service.store.lanes import hurry
from service.store.lookups import Place
from service.store.schema import LANE
from service.store.selection import Preview, matching, preview

BEGINNING: Place = (-1, "")


@dataclass(frozen=True, slots=True)
class Progress:
    """How the deliveries that were replayed stand: delivered, tried in vain (there may be attempts to come), or not yet
    tried. What has been deleted since is in none of them."""

    delivered: int
    failed_again: int
    waiting: int
    skipped: Mapping[Skipped, int]


class ReplayVerbs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def preview(self, selection: Selection, client: str | None, now: int) -> Preview:
        """What a replay of this client's deliveries (None: of any's) would send now."""
        return await self._engine.read(lambda tx: preview(tx, selection, client, now))

    async def begin(self, replay: Replay) -> None:
        def verb(tx: Transaction) -> None:
            tx.run(
                f"INSERT INTO replays ({rows.columns(Replay)}) VALUES ({rows.placeholders(Replay)})", **_values(replay)
            )

        await self._engine.write(verb)

    async def get(self, replay: str, client: str | None) -> Replay | None:
        """One of this client (None: of any)."""

        def verb(tx: Transaction) -> Replay | None:
            where = f"id = :id AND {rows.matching(client=client)}"
            row = tx.one(f"SELECT {rows.columns(Replay)} FROM replays WHERE {where}", id=replay, client=client)
            return None if row is None else _read(row)

        return await self._engine.read(verb)

    async def recent(self, client: str | None, before: Place, limit: int) -> list[Replay]:
        """Newest first, those after the page that ended at `before`."""

        def verb(tx: Transaction) -> list[Replay]:
            found = tx.all(
                f"SELECT {rows.columns(Replay)} FROM replays WHERE {rows.matching(client=client)}"
                " AND (created_at, id) < (:before, :before_id) ORDER BY created_at DESC, id DESC LIMIT :limit",
                client=client, before=before[0], before_id=before[1], limit=limit,
            )  # fmt: skip
            return [_read(row) for row in found]

        return await self._engine.read(verb)

    async def progress(self, replay: str) -> Progress:
        def verb(tx: Transaction) -> Progress:
            states = tx.one(
                "SELECT sum(CASE WHEN state = 'DELIVERED' THEN 1 ELSE 0 END) AS delivered,"
                " sum(CASE WHEN state = 'PENDING' AND tries = 0 THEN 1 ELSE 0 END) AS waiting, count(*) AS kept"
                " FROM replay_items JOIN deliveries ON deliveries.id = replay_items.sent WHERE replay = :id",
                id=replay,
            )
            skipped = tx.all(
                "SELECT skipped, count(*) AS times FROM replay_items WHERE replay = :id AND skipped IS NOT NULL"
                " GROUP BY skipped ORDER BY skipped",
                id=replay,
            )
            delivered, waiting, kept = (int(states[name] or 0) if states else 0 for name in _SUMS)
            reasons = {Skipped(row["skipped"]): row["times"] for row in skipped}
            return Progress(delivered, kept - delivered - waiting, waiting, reasons)

        return await self._engine.read(verb)

    async def claim(self, now: int, lease: int, limit: int) -> list[Replay]:
        """Takes replays that are due for their next batch; they are due again at `lease` if none is done by then."""

        def verb(tx: Transaction) -> list[Replay]:
            claimed = tx.all(
                "UPDATE replays SET due_at = :lease, claimed_at = :now WHERE id IN (SELECT id FROM replays"
                f" WHERE due_at <= :now ORDER BY due_at LIMIT :limit{tx.skip_locked}) RETURNING {rows.columns(Replay)}",
                now=now, lease=lease, limit=limit,
            )  # fmt: skip
            return [_read(row) for row in claimed]

        return await self._engine.write(verb)

    async def collect(self, replay: str, now: int, limit: int) -> Replay | None:
        """Writes the next `limit` deliveries of a replay down. None: it is not collecting (any more)."""

        def verb(tx: Transaction) -> Replay | None:
            held = _hold(tx, replay, ReplayState.COLLECTING)
            if held is None:
                return None
            where, values = matching(held.selection, held.client or None, held.created_at)
            found = tx.all(
                "INSERT INTO replay_items (replay, created_at, delivery) SELECT :replay, created_at, id FROM deliveries"
                f" WHERE {where} AND (created_at, id) > (:cursor_at, :cursor_id) ORDER BY created_at, id LIMIT :limit"
                " RETURNING created_at, delivery",
                replay=replay, cursor_at=held.cursor_at, cursor_id=held.cursor_id, limit=limit, **values,
            )  # fmt: skip
            _hurry_lanes(tx, held, now)
            matched = held.matched + len(found)
            if len(found) == limit:
                last = max((row["created_at"], row["delivery"]) for row in found)
                return _move(tx, replace(held, cursor_at=last[0], cursor_id=last[1], matched=matched, due_at=now))
            whole = replace(held, cursor_at=BEGINNING[0], cursor_id=BEGINNING[1], matched=matched, due_at=now)
            return _move(tx, replace(whole, state=ReplayState.RUNNING) if matched else _done(whole, now))

        return await self._engine.write(verb)

    async def release(self, replay: str, now: int, limit: int, due_at: int, new_id: Callable[[], str]) -> Replay | None:
        """Makes the next `limit` deliveries of a replay due now, and the batch after them due at `due_at`. None: it is
        not running (any more)."""

        def verb(tx: Transaction) -> Replay | None:
            held = _hold(tx, replay, ReplayState.RUNNING)
            if held is None:
                return None
            items = tx.all(
                "SELECT created_at, delivery FROM replay_items WHERE replay = :replay"
                " AND (created_at, delivery) > (:cursor_at, :cursor_id) ORDER BY created_at, delivery LIMIT :limit",
                replay=replay, cursor_at=held.cursor_at, cursor_id=held.cursor_id, limit=limit,
            )  # fmt: skip
            sent = sum(_release(tx, held, item, now, new_id) for item in items)
            counted = replace(held, replayed=held.replayed + sent, skipped=held.skipped + len(items) - sent)
            if items:
                counted = replace(counted, cursor_at=items[-1]["created_at"], cursor_id=items[-1]["delivery"])
            whole = counted.replayed + counted.skipped == counted.matched
            return _move(tx, _done(counted, now) if whole else replace(counted, due_at=due_at))

        return await self._engine.write(verb)

    async def cancel(self, replay: str, client: str | None, now: int) -> Replay | None:
        """What is not in line yet stays as it is; one that has ended too. None: no such replay of this client."""

        def verb(tx: Transaction) -> Replay | None:
            where = f"id = :id AND {rows.matching(client=client)}"
            tx.run(
                "UPDATE replays SET state = 'CANCELED', due_at = NULL, claimed_at = NULL, finished_at = :now"
                f" WHERE {where} AND state IN ('COLLECTING', 'RUNNING')",
                id=replay, client=client, now=now,
            )  # fmt: skip
            row = tx.one(f"SELECT {rows.columns(Replay)} FROM replays WHERE {where}", id=replay, client=client)
            return None if row is None else _read(row)

        return await self._engine.write(verb)


_SUMS = ("delivered", "waiting", "kept")


def _hold(tx: Transaction, replay: str, state: ReplayState) -> Replay | None:
    """Locks the row of a replay that is in this state: whoever cancels it comes before the batch or after it."""
    row = tx.one(
        f"UPDATE replays SET matched = matched WHERE id = :id AND state = :state RETURNING {rows.columns(Replay)}",
        id=replay, state=state,
    )  # fmt: skip
    return None if row is None else _read(row)


def _hurry_lanes(tx: Transaction, replay: Replay, now: int) -> None:
    """Who replays may know more than we do: the receivers of what was written down last are tried again at once. Later,
    while the replay runs, they fare like all others."""
    found = tx.all(
        f"SELECT DISTINCT {LANE} AS lane FROM replay_items JOIN deliveries ON deliveries.id = replay_items.delivery"
        " WHERE replay = :replay AND (replay_items.created_at, delivery) > (:cursor_at, :cursor_id)",
        replay=replay.id, cursor_at=replay.cursor_at, cursor_id=replay.cursor_id,
    )  # fmt: skip
    for lane in sorted(row["lane"] for row in found):
        hurry(tx, lane, now)


def _release(tx: Transaction, replay: Replay, item: Row, now: int, new_id: Callable[[], str]) -> bool:
    """Whether the delivery is in line now; if not, its item says why."""
    row = tx.one(f"SELECT {rows.columns(Delivery)} FROM deliveries WHERE id = :id", id=item["delivery"])
    found = None if row is None else rows.read_delivery(row)
    skipped = _unfit(tx, found, replay.selection)
    sent = send_again(tx, found, now, new_id if replay.new_id else None).id if found and not skipped else None
    tx.run(
        "UPDATE replay_items SET sent = :sent, skipped = :skipped WHERE replay = :replay AND delivery = :delivery"
        " AND created_at = :created_at",
        sent=sent, skipped=skipped, replay=replay.id, **item,
    )  # fmt: skip
    return sent is not None


def _unfit(tx: Transaction, delivery: Delivery | None, selection: Selection) -> Skipped | None:
    """Why a delivery that was chosen is not to be sent again; None: it is."""
    if delivery is None:
        return Skipped.DELETED
    if delivery.state is DeliveryState.PENDING and not delivery.tries:
        return Skipped.IN_LINE
    asked = DeliveryState.DELIVERED in (selection.states or (DeliveryState.DELIVERED,)) and not selection.failed
    if delivery.state is DeliveryState.DELIVERED and not asked:
        return Skipped.DELIVERED
    return unsendable(tx, delivery)


def _done(replay: Replay, now: int) -> Replay:
    return replace(replay, state=ReplayState.DONE, due_at=None, finished_at=now)


def _move(tx: Transaction, replay: Replay) -> Replay:
    moved = replace(replay, claimed_at=None)
    values = _values(moved)
    changes = ", ".join(f"{name} = :{name}" for name in _MOVED)
    tx.run(f"UPDATE replays SET {changes} WHERE id = :id", **{name: values[name] for name in ("id", *_MOVED)})
    return moved


_MOVED = (
    "state", "cursor_at", "cursor_id", "matched", "replayed", "skipped", "due_at", "claimed_at", "finished_at",
)  # fmt: skip


def _values(replay: Replay) -> dict[str, Any]:
    selection = rows.dump(rows.values(replay.selection))
    return rows.values(replay) | {"selection": selection, "new_id": int(replay.new_id)}


def _read(row: Row) -> Replay:
    told = rows.load(row["selection"])
    lists = {"states": tuple(map(DeliveryState, told["states"])), "types": tuple(told["types"])}
    selection = Selection(**{**told, **lists})
    return Replay(**{**row, "selection": selection, "new_id": bool(row["new_id"]), "state": ReplayState(row["state"])})
