"""Who is told of a task, inside the transactions that move it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from service.domain.deliveries import Delivery, Subscription
from service.domain.lanes import Turn
from service.store import rows
from service.store.endpoints import hold_endpoint
from service.store.engine import Transaction
from service.store.lanes import free_lane, queue
from service.store.sealed import sealed_in

Message = Callable[[Subscription], Delivery]
"""Makes the delivery that tells one subscription what became of a task."""


def insert_subscription(tx: Transaction, subscription: Subscription) -> None:
    tx.run(
        f"INSERT INTO subscriptions ({rows.columns(Subscription)}) VALUES ({rows.placeholders(Subscription)})",
        **rows.subscription_values(subscription),
    )


def subscriptions_of(tx: Transaction, task: str) -> list[Subscription]:
    found = tx.all(
        f"SELECT {rows.columns(Subscription)} FROM subscriptions WHERE task = :task ORDER BY created_at, id", task=task
    )
    return [rows.read_subscription(row) for row in found]


def tell(
    tx: Transaction, subscription: Subscription, message: Message, lease: int | None = None
) -> Delivery | Turn | None:
    """Opens the delivery of a message, if the subscription wants it, and returns it. An endpoint is told as it is now:
    one that was deleted nothing, a disabled one when it is enabled. With a `lease` a message that need not stand in
    line is taken out at once, as a turn: it is due again then if nothing is recorded of it."""
    endpoint = hold_endpoint(tx, subscription.endpoint) if subscription.endpoint else None
    if subscription.endpoint and endpoint is None:
        return None
    current = subscription.at(endpoint) if endpoint else subscription
    delivery = message(current)
    if not current.wants(delivery.type):
        return None
    if endpoint is not None and endpoint.disabled_at is not None:
        return insert_delivery(tx, replace(delivery, due_at=None))
    lane = None if lease is None else free_lane(tx, delivery)
    if lane is None:
        return insert_delivery(tx, delivery)
    taken = insert_delivery(tx, replace(delivery, due_at=lease, claimed_at=delivery.due_at))
    if taken is None:
        return None
    return Turn(lane, taken, sealed_in(tx, taken.client, taken.endpoint, taken.created_at), at_once=True)


def insert_delivery(tx: Transaction, delivery: Delivery) -> Delivery | None:
    """None: this subscription was told of this already."""
    kept = tx.run(
        f"INSERT INTO deliveries ({rows.columns(Delivery)}) VALUES ({rows.placeholders(Delivery)})"
        " ON CONFLICT (subscription, type) WHERE replay_of IS NULL DO NOTHING",
        **rows.values(delivery),
    )
    if kept:
        queue(tx, delivery)
        return delivery
    return None
