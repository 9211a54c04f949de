"""The verbs of a delivery's life, and of replay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from service.domain.deliveries import Attempt, Delivery, DeliveryState, receiver_of
from service.domain.lanes import Lane
from service.domain.replays import Skipped
from service.domain.tell import renamed
from service.store import rows
from service.store.engine import Engine, Transaction
from service.store.lanes import hurry, queue, reckon
from service.store.lookups import Place
from service.store.sealed import endpoint_in
from service.store.subscriptions import insert_delivery

LaneNote = Callable[[Transaction, str], Lane | None]
"""What is written of a lane with an attempt: one of `service.store.lanes.note_*`, or `reckon`."""

_OVER = ", ".join(
    f"{column} = CASE WHEN due_at = :lease THEN {value} ELSE {column} END"
    for column, value in {
        "state": ":state",
        "tries": "tries + :spent",
        "due_at": ":next_at",
        "claimed_at": "NULL",
        "delivered_at": ":delivered_at",
    }.items()
)
"""An attempt's end, if the delivery is still as it was claimed."""


class DeliveryVerbs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def attempted(
        self,
        claimed: Delivery,
        attempt: Attempt,
        state: DeliveryState,
        delivered_at: int | None,
        note: LaneNote | None = None,
        *,
        spent: bool = True,
    ) -> tuple[Attempt, Lane | None]:
        """Records one attempt, under the next number, and what it made of its delivery; `attempt.next_at` is when the
        next one is due. A replay that came during the attempt has begun the schedule anew; it stays so. `note` writes
        what it says of the receiver, unless the endpoint leads to another one by now; returned is the lane as a failure
        left it. `spent` is whether it used up a try of the schedule."""

        def verb(tx: Transaction) -> tuple[Attempt, Lane | None]:
            row = tx.one(
                f"UPDATE deliveries SET attempts = attempts + 1, {_OVER} WHERE id = :id RETURNING attempts, url",
                id=claimed.id, lease=claimed.due_at, state=state, next_at=attempt.next_at, delivered_at=delivered_at,
                spent=int(spent),
            )  # fmt: skip
            numbered = replace(attempt, number=row["attempts"]) if row else attempt
            if row is not None:  # its task was not expunged during the attempt
                tx.run(
                    f"INSERT INTO attempts ({rows.columns(Attempt)}) VALUES ({rows.placeholders(Attempt)})",
                    **rows.attempt_values(numbered),
                )
            moved = row is not None and row["url"] != claimed.url
            if moved or (note is None and attempt.next_at is not None):
                reckon(tx, claimed.lane, attempt.started_at)
            return numbered, note(tx, claimed.lane) if note and not moved else None

        return await self._engine.write(verb)

    async def release(self, claimed: Delivery, now: int) -> None:
        """It was taken out and is not attempted: it is due."""

        def verb(tx: Transaction) -> None:
            tx.run(
                "UPDATE deliveries SET due_at = :now, claimed_at = NULL WHERE id = :id AND due_at = :lease",
                id=claimed.id, lease=claimed.due_at, now=now,
            )  # fmt: skip
            reckon(tx, claimed.lane, now)

        await self._engine.write(verb)

    async def park(self, claimed: Delivery) -> None:
        """It waits until its endpoint is enabled. A replay that came meanwhile has made it due; it stays so."""

        def verb(tx: Transaction) -> None:
            tx.run(
                "UPDATE deliveries SET due_at = NULL, claimed_at = NULL WHERE id = :id AND due_at = :lease"
                " AND EXISTS (SELECT id FROM endpoints WHERE id = deliveries.endpoint AND disabled_at IS NOT NULL)",
                id=claimed.id, lease=claimed.due_at,
            )  # fmt: skip

        await self._engine.write(verb)

    async def replay(
        self, delivery: str, client: str | None, now: int, new_id: Callable[[], str] | None = None
    ) -> Delivery | Skipped | None:
        """Sends a delivery again from the start of its schedule, with the same id and body, or as another delivery with
        a `new_id`; or says why it cannot be sent. None: no such delivery of this client (None: of any)."""

        def verb(tx: Transaction) -> Delivery | Skipped | None:
            row = tx.one(
                f"SELECT {rows.columns(Delivery)} FROM deliveries WHERE id = :id AND {rows.matching(client=client)}",
                id=delivery, client=client,
            )  # fmt: skip
            if row is None:
                return None
            found = rows.read_delivery(row)
            reason = unsendable(tx, found)
            if reason is not None:
                return reason
            again = send_again(tx, found, now, new_id)
            hurry(tx, again.lane, now)
            return again

        return await self._engine.write(verb)

    async def get(self, delivery: str, client: str | None) -> Delivery | None:
        def verb(tx: Transaction) -> Delivery | None:
            row = tx.one(
                f"SELECT {rows.columns(Delivery)} FROM deliveries WHERE id = :id AND {rows.matching(client=client)}",
                id=delivery, client=client,
            )  # fmt: skip
            return None if row is None else rows.read_delivery(row)

        return await self._engine.read(verb)

    async def recent(self, client: str | None, task: str, state: str, before: Place, limit: int) -> list[Delivery]:
        """Newest first, those after the page that ended at `before`; empty `task` and `state` mean any."""

        def verb(tx: Transaction) -> list[Delivery]:
            found = tx.all(
                f"SELECT {rows.columns(Delivery)} FROM deliveries"
                f" WHERE {rows.matching(client=client, task=task, state=state)}"
                " AND (created_at, id) < (:before, :before_id) ORDER BY created_at DESC, id DESC LIMIT :limit",
                client=client, task=task, state=state, before=before[0], before_id=before[1], limit=limit,
            )  # fmt: skip
            return [rows.read_delivery(row) for row in found]

        return await self._engine.read(verb)

    async def attempts(self, delivery: str) -> list[Attempt]:
        def verb(tx: Transaction) -> list[Attempt]:
            found = tx.all(
                f"SELECT {rows.columns(Attempt)} FROM attempts WHERE delivery = :delivery ORDER BY number",
                delivery=delivery,
            )
            return [rows.read_attempt(row) for row in found]

        return await self._engine.read(verb)


def unsendable(tx: Transaction, delivery: Delivery) -> Skipped | None:
    """Why a delivery cannot be sent again; None: it can."""
    if not delivery.body:
        return Skipped.PRUNED
    if delivery.endpoint is None:
        return None
    endpoint = endpoint_in(tx, delivery.endpoint)
    if endpoint is None:
        return Skipped.ENDPOINT_DELETED
    return Skipped.ENDPOINT_DISABLED if endpoint.disabled_at is not None else None


def send_again(tx: Transaction, delivery: Delivery, now: int, new_id: Callable[[], str] | None) -> Delivery:
    """From the start of its schedule, with the same id and body, to where its endpoint is now; or, with a `new_id`, as
    a delivery of its own that stands for the earlier one: that is not tried any more."""
    endpoint = endpoint_in(tx, delivery.endpoint) if delivery.endpoint else None
    url = endpoint.url if endpoint else delivery.url
    aimed = replace(delivery, url=url, receiver=receiver_of(url), state=DeliveryState.PENDING, due_at=now, tries=0)
    if new_id is None:
        tx.run(
            "UPDATE deliveries SET url = :url, receiver = :receiver"
            " WHERE id = :id AND (url <> :url OR receiver <> :receiver)",
            id=aimed.id, url=url, receiver=aimed.receiver,
        )  # fmt: skip
        make_due(tx, [aimed], now)
        return replace(aimed, claimed_at=None)
    tx.run(
        "UPDATE deliveries SET state = 'EXHAUSTED', due_at = NULL, claimed_at = NULL"
        " WHERE id = :id AND state = 'PENDING'",
        id=delivery.id,
    )
    id_ = new_id()
    body = renamed(delivery.body, delivery.content_type, id_)
    again = replace(
        aimed, id=id_, body=body, created_at=now, attempts=0, claimed_at=None, delivered_at=None, replay_of=delivery.id
    )
    insert_delivery(tx, again)
    return again


def make_due(tx: Transaction, deliveries: Sequence[Delivery], now: int) -> None:
    """The one way in which deliveries that were tried become due again: now, from the start of their schedule."""
    for delivery in deliveries:
        tx.run(
            "UPDATE deliveries SET state = 'PENDING', due_at = :now, claimed_at = NULL, tries = 0 WHERE id = :id",
            id=delivery.id, now=now,
        )  # fmt: skip
        queue(tx, replace(delivery, due_at=now))
