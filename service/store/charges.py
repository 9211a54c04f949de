"""What sends cost, by their charges. A charge opens with its placement and is settled with its end, each in the
transaction that does it."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.messages import Report
from service.domain.ledger import Charge, Quote, Settle
from service.domain.tasks import Verdict
from service.store import rows
from service.store.engine import Engine, Transaction

PROMISED_AT = "coalesce(tasks.reopened_at, tasks.created_at)"
"""When a task was promised to be sent, and with it the money."""


class ChargeVerbs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def of_task(self, task: str) -> Mapping[str, Charge]:
        """By placement. A send that was not ours (a watched task) has none."""

        def verb(tx: Transaction) -> Mapping[str, Charge]:
            found = tx.all(f"SELECT {rows.columns(Charge)} FROM charges WHERE task = :task", task=task)
            return {row["placement"]: Charge(**row) for row in found}

        return await self._engine.read(verb)


def keep_quote(tx: Transaction, task: str, provider: str, price: Quote) -> None:
    """Keeps what a send of the task costs at the provider that it goes to. While the task waits to be sent, this much
    is reserved."""
    tx.run(
        f"INSERT INTO quotes (task, provider, {rows.columns(Quote)})"
        f" VALUES (:task, :provider, {rows.placeholders(Quote)}) ON CONFLICT (task) DO UPDATE SET provider = :provider,"
        " currency = :currency, resolution = :resolution, per_second = :per_second, estimate = :estimate",
        task=task, provider=provider, **rows.values(price),
    )  # fmt: skip


def open_charge(tx: Transaction, placement: str) -> None:
    """The charge of a placement that was just inserted to be sent, as it was quoted for its provider."""
    tx.run(
        "INSERT INTO charges (placement, task, client, provider, model, at, currency, resolution, per_second, estimate)"
        f" SELECT placements.id, tasks.id, tasks.client, placements.provider, tasks.model, {PROMISED_AT},"
        " coalesce(quotes.currency, ''), coalesce(quotes.resolution, ''), quotes.per_second, quotes.estimate"
        " FROM placements JOIN tasks ON tasks.id = placements.task LEFT JOIN quotes"
        " ON quotes.task = placements.task AND quotes.provider = placements.provider"
        " WHERE placements.id = :placement AND placements.verdict = 'sending'",
        placement=placement,
    )  # fmt: skip


def reopen_charge(tx: Transaction, placement: str) -> None:
    """The send may be billed after all."""
    tx.run("UPDATE charges SET amount = NULL WHERE placement = :placement", placement=placement)


def reopen_given_up(tx: Transaction, placement: str) -> None:
    """What an operator said of a send that was given up holds until the upstream says it."""
    tx.run(
        "UPDATE charges SET amount = NULL WHERE placement = :placement"
        " AND EXISTS (SELECT 1 FROM placements WHERE id = :placement AND verdict = 'unproven')",
        placement=placement,
    )


def may_be_billed(tx: Transaction, task: str, besides: str) -> bool:
    """Whether any other send of the task is, or may be."""
    sql = "SELECT 1 AS one FROM charges WHERE task = :task AND placement <> :besides AND coalesce(amount, 1) > 0"
    return tx.one(f"{sql} LIMIT 1", task=task, besides=besides) is not None


def settle_charge(tx: Transaction, placement: str, verdict: Verdict, outcome: Report | None, settle: Settle) -> None:
    """Settles the charge of a placement that ends, if it is open and its amount is known now."""
    row = tx.one(
        f"SELECT {rows.columns(Charge)} FROM charges WHERE placement = :placement AND amount IS NULL",
        placement=placement,
    )
    amount = None if row is None else settle(Charge(**row), verdict, outcome)
    if amount is not None:
        tx.run(
            "UPDATE charges SET amount = :amount WHERE placement = :placement AND amount IS NULL",
            placement=placement, amount=amount,
        )  # fmt: skip
