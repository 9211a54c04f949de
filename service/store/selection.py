"""Which deliveries a replay is about: the condition, and a look at them before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from service.domain.deliveries import Delivery
from service.domain.replays import Selection
from service.store import rows
from service.store.engine import Transaction

SAMPLE = 5
FAILED = "state IN ('EXHAUSTED', 'ABANDONED', 'PENDING')"
TRIED = "NOT (state = 'PENDING' AND tries = 0)"
"""What waits for its first attempt is in line anyway."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a replay would send. `oldest` and `newest` are when deliveries were made; `sample` the newest few."""

    matched: int
    oldest: int | None
    newest: int | None
    sample: Sequence[Delivery]


def matching(selection: Selection, client: str | None, now: int) -> tuple[str, dict[str, Any]]:
    """The condition that a delivery is one of those, and made by `now`; and the values of its placeholders."""
    types, names = rows.any_of("type", selection.types)
    conditions = [
        rows.matching(client=client, task=selection.task, endpoint=selection.endpoint),
        rows.one_of("state", selection.states), types, TRIED,
        "created_at >= :since AND created_at < :until AND created_at <= :created_at",
        *([FAILED] if selection.failed else []),
    ]  # fmt: skip
    named = {"client": client, "task": selection.task, "endpoint": selection.endpoint}
    given = {name: value for name, value in named.items() if value}
    times = {"since": selection.since, "until": selection.until, "created_at": now}
    return " AND ".join(conditions), times | given | names


def preview(tx: Transaction, selection: Selection, client: str | None, now: int) -> Preview:
    where, values = matching(selection, client, now)
    found = tx.one(
        "SELECT count(*) AS matched, min(created_at) AS oldest, max(created_at) AS newest FROM deliveries"
        f" WHERE {where}",
        **values,
    )
    assert found is not None, "a count is a row"
    sample = tx.all(
        f"SELECT {rows.columns(Delivery)} FROM deliveries WHERE {where} ORDER BY created_at DESC, id DESC LIMIT :most",
        most=SAMPLE, **values,
    )  # fmt: skip
    return Preview(**found, sample=[rows.read_delivery(row) for row in sample])
