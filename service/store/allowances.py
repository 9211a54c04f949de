"""The allowances of client keys, and what is spent of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.domain.allowances import UNLIMITED, Allowance, Budget, Limited, Period, Shortage, Standing
from service.domain.ledger import Quote
from service.domain.tasks import Task
from service.store import rows
from service.store.charges import PROMISED_AT, keep_quote
from service.store.engine import Engine, Row, Transaction


class AllowanceVerbs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def all(self) -> Mapping[str, Allowance]:
        """By client; those without one may do anything but watch."""

        def verb(tx: Transaction) -> Mapping[str, Allowance]:
            found = tx.all(f"SELECT {rows.columns(Allowance)} FROM allowances ORDER BY client")
            return {row["client"]: _read(row) for row in found}

        return await self._engine.read(verb)

    async def of(self, client: str) -> Allowance:
        def verb(tx: Transaction) -> Allowance:
            row = tx.one(f"SELECT {rows.columns(Allowance)} FROM allowances WHERE client = :client", client=client)
            return _read(row) if row else Allowance(client)

        return await self._engine.read(verb)

    async def keep(self, allowance: Allowance) -> None:
        """In the place of what the client was allowed before; one that says nothing is none."""
        await self._engine.write(lambda tx: keep_allowance(tx, allowance))

    async def standing(self, client: str, now: int, moving: Task | None = None) -> Standing:
        """What is allowed and spent now. For a task that is `moving` to another provider: of the time when it was
        promised, without what is reserved for it and without its current placement, where nothing was accepted."""

        def verb(tx: Transaction) -> Standing:
            row = tx.one(f"SELECT {rows.columns(Allowance)} FROM allowances WHERE client = :client", client=client)
            if row is None:
                return UNLIMITED
            if moving is None:
                return _standing(tx, _read(row), now)
            return _standing(tx, _read(row), _promised_at(moving), moving.id, moving.placement)

        return await self._engine.read(verb)


def keep_allowance(tx: Transaction, allowance: Allowance) -> None:
    tx.run("DELETE FROM allowances WHERE client = :client", client=allowance.client)
    if allowance != Allowance(allowance.client):
        tx.run(
            f"INSERT INTO allowances ({rows.columns(Allowance)}) VALUES ({rows.placeholders(Allowance)})",
            **_values(allowance),
        )


def shortage(tx: Transaction, task: Task, price: Quote, placement: str = "") -> Shortage | None:
    """Why the budgets of its client have no room for a send of `task` at this price. Not counted are what is reserved
    for it, and the charge of a `placement` of which nothing was accepted.

    The UPDATE that changes nothing locks the allowance: what two transactions spend at once cannot exceed it."""
    row = tx.one(
        f"UPDATE allowances SET watch = watch WHERE client = :client RETURNING {rows.columns(Allowance)}",
        client=task.client,
    )
    return _standing(tx, _read(row), _promised_at(task), task.id, placement).short_of(price) if row else None


def reserve(tx: Transaction, task: Task, price: Quote) -> None:
    """Keeps what a send of `task` costs at its provider, if its client may spend as much: before its placement, or
    when it goes to another provider after its last placement was closed. Raises `Limited`."""
    if short := shortage(tx, task, price):
        raise Limited(short.limit, f"{short.reason}.", short.budget)
    keep_quote(tx, task.id, task.provider, price)


def _promised_at(task: Task) -> int:
    """As `PROMISED_AT` has it. A task never takes money of a later time than it was accepted in."""
    return task.created_at if task.reopened_at is None else task.reopened_at


def _standing(
    tx: Transaction, allowance: Allowance, now: int, task: str | None = None, placement: str | None = None
) -> Standing:
    """Without what is reserved for `task`, and without the charge of `placement`."""
    spent = (_spent(tx, allowance.client, each, now, task or "", placement or "") for each in allowance.budgets)
    return Standing(allowance, tuple(spent))


def _spent(tx: Transaction, client: str, budget: Budget, now: int, task: str, placement: str) -> int:
    span = dict(zip(("since", "until"), budget.period.span(now), strict=True))
    paid = "coalesce(amount, estimate)"
    within = "client = :client AND currency = :currency AND at >= :since AND at < :until"
    charged = tx.one(  # from an index alone, whatever was spent
        f"SELECT sum({paid}) AS micros FROM charges WHERE {within}", client=client, currency=budget.currency, **span
    )
    moving = tx.one(
        f"SELECT -{paid} AS micros FROM charges WHERE placement = :placement AND {within}",
        client=client, currency=budget.currency, placement=placement, **span,
    )  # fmt: skip
    waiting = tx.one(
        "SELECT sum(quotes.estimate) AS micros FROM tasks JOIN quotes ON quotes.task = tasks.id"
        " AND quotes.provider = tasks.provider WHERE tasks.client = :client AND tasks.state = 'ACCEPTED'"
        " AND quotes.currency = :currency AND tasks.id <> :task"
        f" AND {PROMISED_AT} >= :since AND {PROMISED_AT} < :until",
        client=client, currency=budget.currency, task=task, **span,
    )  # fmt: skip
    return sum(int(row["micros"] or 0) for row in (charged, moving, waiting) if row)


def _read(row: Row) -> Allowance:
    lists = {
        name: None if (found := rows.load(row[name])) is None else tuple(found) for name in ("providers", "models")
    }
    budgets = tuple(Budget(**{**each, "period": Period(each["period"])}) for each in rows.load(row["budgets"]))
    return Allowance(row["client"], **lists, watch=bool(row["watch"]), budgets=budgets)


def _values(allowance: Allowance) -> dict[str, Any]:
    lists = {"providers": allowance.providers, "models": allowance.models}
    return {
        "client": allowance.client,
        "watch": int(allowance.watch),
        "budgets": rows.dump([rows.values(budget) for budget in allowance.budgets]),
        **{name: None if each is None else rows.dump(list(each)) for name, each in lists.items()},
    }
