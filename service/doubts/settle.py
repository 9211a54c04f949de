"""Settling: the operator says what a send did cost of which nothing more is heard, as the provider's bill shows it.

Until then its charge is open and counts as spent. What the provider itself says later overrides it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapters.messages import Category
from service.domain.ledger import Charge, decimal_of
from service.domain.tasks import Placement, Task, Verdict
from service.errors import Refused, refused
from service.logs import get_logger
from service.store import Store

log = get_logger("settle")

OPEN = frozenset({Verdict.SENDING, Verdict.ACCEPTED, Verdict.IN_DOUBT})
"""The sends of which something is to be heard yet: they settle by themselves."""


@dataclass(frozen=True, slots=True)
class Settled:
    placement: Placement
    charge: Charge

    @property
    def message(self) -> str:
        if not self.charge.amount:
            return "It is written off: nothing was billed."
        return f"It counts as billed with {decimal_of(self.charge.amount)} {self.charge.currency}."


class Settler:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def settle(self, task: Task, amount: int | None, placement: str = "") -> Settled:
        """`amount` is in micros, 0 writes the charge off, None is what was quoted. `placement` says which send, where
        several are open. Raises `Refused` (409): there is no such charge, or no price to take for it."""
        sends = await self._store.lookups.placements(task.id)
        charges = await self._store.charges.of_task(task.id)
        send = _meant(sends, charges, placement)
        charge = charges[send.id]
        wanted = charge.estimate if amount is None else amount
        if wanted is None:
            raise _refuse("the catalogue has no price for it; say the amount")
        if wanted and not charge.currency:
            raise _refuse("the catalogue has no price for it, and so no currency; it can only be written off")
        settled = await self._store.decisions.settle(send.id, wanted)
        if settled is None:
            raise _refuse("it has just been heard of")
        log.event("charge.settled", task=task.id, placement=send.id, provider=send.provider, micros=wanted)
        return Settled(send, settled)


def _meant(sends: Sequence[Placement], charges: Mapping[str, Charge], placement: str) -> Placement:
    unsettled = [send for send in sends if send.id in charges and charges[send.id].amount is None]
    given_up = [send for send in unsettled if send.verdict not in OPEN and placement in ("", send.id)]
    if not given_up:
        living = "its send may still be heard of and is settled by that" if unsettled else "none of its charges is open"
        raise _refuse("that is no open charge of this task" if placement else living)
    if len(given_up) > 1:
        raise _refuse(f"several charges are open; say the placement: {', '.join(send.id for send in given_up)}")
    return given_up[0]


def _refuse(why: str) -> Refused:
    return refused(409, Category.CONFLICT, f"Nothing was settled: {why}.", "not_settled")
