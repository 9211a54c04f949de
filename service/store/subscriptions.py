"""Who is told of a task, inside the transactions that move it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from service.domain.deliveries import Delivery, Subscription
from service.store import rows
from service.store.endpoints import hold_endpoint
from service.store.engine import Transaction
from service.store.lanes import queue

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


def tell(tx: Transaction, subscription: Subscription, message: Message) -> None:
    """Opens the delivery of a message, if the subscription wants it. An endpoint is told as it is now: one that was
    deleted nothing, a disabled one when it is enabled."""
    endpoint = hold_endpoint(tx, subscription.endpoint) if subscription.endpoint else None
    if subscription.endpoint and endpoint is None:
        return
    current = subscription.at(endpoint) if endpoint else subscription
    delivery = message(current)
    if not current.wants(delivery.type):
        return
    waits = endpoint is not None and endpoint.disabled_at is not None
    insert_delivery(tx, replace(delivery, due_at=None) if waits else delivery)


def insert_delivery(tx: Transaction, delivery: Delivery) -> None:
    kept = tx.run(
        f"INSERT INTO deliveries ({rows.columns(Delivery)}) VALUES ({rows.placeholders(Delivery)})"
        " ON CONFLICT (subscription, type) WHERE replay_of IS NULL DO NOTHING",
        **rows.values(delivery),
    )
    if kept:
        queue(tx, delivery)
