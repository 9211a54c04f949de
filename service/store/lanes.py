"""The verbs of lanes: which are to be served, what is taken out of them, and how their receivers fare.

`lanes.next_at` is kept by every verb that makes a message due or not due, so that serving costs as much as what is
served, however many messages wait for receivers that are dead.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from service.domain.deliveries import Delivery, Sealed
from service.domain.lanes import FOREVER, Lane, Pause, Standing
from service.store import rows
from service.store.engine import Engine, Row, Transaction
from service.store.schema import LANE
from service.store.sealed import sealed_in

_COLUMNS = "id, receiver, standing, next_at, failures, failing_since, succeeded_at, paused_until, pause, warned_at"
_WISHES = ", ".join(
    f"(SELECT {wish} FROM endpoints WHERE endpoints.id = lanes.id) AS {name}"
    for wish, name in (("rate_per_second", "per_second"), ("concurrency", "at_once"))
)
_NOT_BEFORE = "CASE WHEN coalesce(lanes.paused_until, 0) > :now THEN lanes.paused_until ELSE :now END"
_RECKONED = f"CASE WHEN due < {_NOT_BEFORE} THEN {_NOT_BEFORE} ELSE due END"
"""When a lane is to be served next whose first message is `due`. What has waited long does not count as waiting since
then, but from now on: who has just been served lets others go first."""


Full = Mapping[Standing, Collection[str]]
"""The receivers that lanes of each standing may not be served for."""

NONE_FULL: Full = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Grant:
    """At most `count` messages of a lane; if there are more, it is served again at `again_at`."""

    lane: str
    count: int
    again_at: int


class LaneVerbs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def ready(
        self, now: int, room: Mapping[Standing, int], full: Full = NONE_FULL
    ) -> tuple[list[Lane], int | None]:
        """At most so many lanes of each standing that are to be served now, who has waited longest first; none whose
        receiver is `full`. If there are none, when the next one of these standings is (None: never)."""

        def verb(tx: Transaction) -> tuple[list[Lane], int | None]:
            found: list[Row] = []
            for standing, limit in room.items():
                others, receivers = rows.none_of("receiver", full.get(standing, ()))
                found += tx.all(
                    f"SELECT {_COLUMNS}, {_WISHES} FROM lanes WHERE standing = :standing AND next_at <= :now"
                    f" AND {others} ORDER BY next_at LIMIT :limit",
                    standing=standing, now=now, limit=limit, **receivers,
                )  # fmt: skip
            return [read_lane(row) for row in found], None if found else _next_at(tx, room, full)

        return await self._engine.read(verb)

    async def claim(self, grants: Sequence[Grant], now: int, lease: int) -> list[tuple[Delivery, Sealed | None]]:
        """Takes what is due out of these lanes, the oldest first, with what says how each is sent; it is due again at
        `lease` if nothing is recorded by then."""

        def verb(tx: Transaction) -> list[tuple[Delivery, Sealed | None]]:
            claimed: list[tuple[Delivery, Sealed | None]] = []
            for grant in sorted(grants, key=lambda grant: grant.lane):
                taken = _take(tx, grant, now, lease) if grant.count else []
                again_at = grant.again_at if len(taken) == grant.count else now
                reckon(tx, grant.lane, again_at)
                if taken:  # a lane has one client, and one endpoint or none
                    sealed = sealed_in(tx, taken[0].client, taken[0].endpoint, now)
                    claimed += [(message, sealed) for message in taken]
            return claimed

        return await self._engine.write(verb)

    async def several(self, lanes: Sequence[str]) -> Mapping[str, Lane]:
        """Lanes by their ids; one that has never been used is new."""

        def verb(tx: Transaction) -> dict[str, Lane]:
            found = ((lane, tx.one(f"SELECT {_COLUMNS} FROM lanes WHERE id = :id", id=lane)) for lane in lanes)
            return {lane: Lane(lane, "") if row is None else read_lane(row) for lane, row in found}

        return await self._engine.read(verb)

    async def warned(self, lane: str, now: int) -> None:
        """Somebody was told that nothing but failures happens."""
        await self._engine.write(
            lambda tx: tx.run("UPDATE lanes SET warned_at = :now WHERE id = :id", id=lane, now=now)
        )

    async def any_success(self, since: int) -> bool:
        """Whether any receiver has taken anything since then."""
        sql = "SELECT 1 AS one FROM lanes WHERE succeeded_at >= :since LIMIT 1"
        return await self._engine.read(lambda tx: tx.one(sql, since=since) is not None)

    async def give_up(self, lane: str, due_before: int, limit: int) -> int:
        """What was due before then and got no turn, since its receiver was down all the time, is exhausted: at most so
        many messages, how many is the answer."""

        def verb(tx: Transaction) -> int:
            given_up = tx.run(
                "UPDATE deliveries SET state = 'EXHAUSTED', due_at = NULL WHERE id IN (SELECT id FROM deliveries"
                f" WHERE {LANE} = :lane AND due_at < :before AND claimed_at IS NULL ORDER BY due_at LIMIT :limit)",
                lane=lane, before=due_before, limit=limit,
            )  # fmt: skip
            reckon(tx, lane, due_before)
            return given_up

        return await self._engine.write(verb)


def _next_at(tx: Transaction, standings: Collection[Standing], full: Full) -> int | None:
    found = []
    for standing in standings:
        others, receivers = rows.none_of("receiver", full.get(standing, ()))
        row = tx.one(
            f"SELECT min(next_at) AS due FROM lanes WHERE standing = :standing AND next_at IS NOT NULL AND {others}",
            standing=standing, **receivers,
        )  # fmt: skip
        found += [row["due"]] if row is not None and row["due"] is not None else []
    return min(found, default=None)


def free_lane(tx: Transaction, delivery: Delivery) -> Lane | None:
    """The lane of a message that is new and due, if it need not stand in line: its receiver is well, and there is
    nothing else for it."""
    _hold(tx, delivery.lane)
    row = tx.one(
        f"SELECT {_COLUMNS}, {_WISHES} FROM lanes WHERE id = :lane AND standing = :well"
        " AND coalesce(paused_until, 0) <= :now"
        f" AND NOT EXISTS (SELECT 1 FROM deliveries WHERE {LANE} = :lane AND due_at IS NOT NULL)",
        lane=delivery.lane, well=Standing.WELL, now=delivery.due_at,
    )  # fmt: skip
    return None if row is None else read_lane(row)


def _take(tx: Transaction, grant: Grant, now: int, lease: int) -> list[Delivery]:
    taken = tx.all(
        "UPDATE deliveries SET due_at = :lease, claimed_at = :now WHERE id IN (SELECT id FROM deliveries"
        f" WHERE {LANE} = :lane AND due_at <= :now ORDER BY due_at LIMIT :count{tx.skip_locked}) RETURNING"
        f" {rows.columns(Delivery)}",
        lane=grant.lane, count=grant.count, now=now, lease=lease,
    )  # fmt: skip
    return [rows.read_delivery(row) for row in taken]


def queue(tx: Transaction, delivery: Delivery) -> None:
    """A message that is due stands in its lane."""
    if delivery.due_at is None:
        return
    _hold(tx, delivery.lane)
    tx.run(
        "INSERT INTO lanes (id, receiver, standing, next_at, failures) VALUES (:id, :receiver, 'new', :due_at, 0)"
        " ON CONFLICT (id) DO UPDATE SET receiver = :receiver, next_at = CASE"
        " WHEN coalesce(lanes.paused_until, 0) > :due_at THEN lanes.paused_until"
        " WHEN coalesce(lanes.next_at, :due_at) < :due_at THEN lanes.next_at ELSE :due_at END",
        id=delivery.lane, receiver=delivery.receiver, due_at=delivery.due_at,
    )  # fmt: skip


def reckon(tx: Transaction, lane: str, now: int) -> None:
    """A lane is to be served when its first message is due, but not before `now` nor while it is paused."""
    _hold(tx, lane)
    tx.run(
        # The lane is a value here: SQLite uses an index on an expression for a value, but not for a column's.
        f"UPDATE lanes SET next_at = (SELECT {_RECKONED} FROM (SELECT min(due_at) AS due FROM deliveries"
        f" WHERE {LANE} = :lane AND due_at IS NOT NULL) AS first) WHERE id = :lane",
        lane=lane, now=now,
    )  # fmt: skip


def _hold(tx: Transaction, lane: str) -> None:
    """Where verbs race: what another one makes due is seen before `next_at` is reckoned, or comes after it. Before a
    lane's row is written, or two would wait for each other."""
    tx.lock(f"lane {lane}")


def reckon_all(tx: Transaction, now: int) -> None:
    tx.run("UPDATE lanes SET next_at = NULL")
    tx.run(
        f"UPDATE lanes SET next_at = {_RECKONED} FROM (SELECT {LANE} AS lane, min(due_at) AS due FROM deliveries"
        " WHERE due_at IS NOT NULL GROUP BY 1) AS firsts WHERE firsts.lane = lanes.id",
        now=now,
    )  # fmt: skip


def note_success(tx: Transaction, lane: str, standing: Standing, now: int) -> None:
    """Its receiver took a message: whatever failures there were are over."""
    _hold(tx, lane)
    disabled = f"pause = '{Pause.DISABLED}'"
    tx.run(
        "UPDATE lanes SET standing = :standing, failures = 0, failing_since = NULL, warned_at = NULL,"
        f" succeeded_at = :now, paused_until = CASE WHEN {disabled} THEN paused_until ELSE NULL END,"
        f" pause = CASE WHEN {disabled} THEN pause ELSE NULL END WHERE id = :lane",
        lane=lane, standing=standing, now=now,
    )  # fmt: skip
    reckon(tx, lane, now)


def note_failure(tx: Transaction, lane: str, now: int, change: Callable[[Lane], Lane]) -> Lane | None:
    """One more failure in a row; `change` says what follows for the lane. None: there is no such lane."""
    _hold(tx, lane)
    row = tx.one(
        "UPDATE lanes SET failures = failures + 1, failing_since = coalesce(failing_since, :now) WHERE id = :lane"
        f" RETURNING {_COLUMNS}",
        lane=lane, now=now,
    )  # fmt: skip
    if row is None:
        return None
    changed = change(read_lane(row))
    tx.run(
        "UPDATE lanes SET standing = :standing, paused_until = :until, pause = :pause WHERE id = :lane",
        lane=lane, standing=changed.standing, until=changed.paused_until, pause=changed.pause,
    )  # fmt: skip
    reckon(tx, lane, now)
    return changed


def shut(tx: Transaction, lane: str, receiver: str) -> None:
    """Nothing is attempted in it until it is opened; what waits and what comes stays."""
    tx.run(
        "INSERT INTO lanes (id, receiver, standing, failures, paused_until, pause)"
        " VALUES (:id, :receiver, 'new', 0, :forever, :pause) ON CONFLICT (id) DO UPDATE SET"
        " paused_until = :forever, pause = :pause, next_at = NULL",
        id=lane, receiver=receiver, forever=FOREVER, pause=Pause.DISABLED,
    )  # fmt: skip


def reopen(tx: Transaction, lane: str, now: int, receiver: str) -> None:
    """A lane begins anew, with no failures and no pause: its endpoint is enabled again, or leads elsewhere."""
    _hold(tx, lane)
    tx.run(
        "UPDATE lanes SET standing = 'new', failures = 0, failing_since = NULL, warned_at = NULL, paused_until = NULL,"
        " pause = NULL, receiver = :receiver WHERE id = :lane",
        lane=lane, receiver=receiver,
    )  # fmt: skip
    reckon(tx, lane, now)


def hurry(tx: Transaction, lane: str, now: int) -> None:
    """Somebody asks for an attempt now: an open circuit closes, for they may know more than we do. What the receiver
    itself asked for stays."""
    _hold(tx, lane)
    tx.run(
        "UPDATE lanes SET paused_until = NULL, pause = NULL, failures = 0 WHERE id = :lane AND pause = 'open'",
        lane=lane,
    )
    reckon(tx, lane, now)


def read_lane(row: Row) -> Lane:
    lane = Lane(**row)
    return replace(lane, standing=Standing(lane.standing), pause=Pause(lane.pause) if lane.pause else None)
