"""What was spent, summed up by whatever tells sends apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from service.store import rows
from service.store.engine import Engine, Row, Transaction

DAY_MS = 24 * 3600 * 1000


class By(StrEnum):
    KEY = "key"
    MODEL = "model"
    PROVIDER = "provider"
    DAY = "day"


COLUMNS: Mapping[By, str] = {
    By.KEY: "charges.client",
    By.MODEL: "charges.model",
    By.PROVIDER: "charges.provider",
    By.DAY: f"charges.at / {DAY_MS}",
}
"""Days are those of UTC, of the submission; both engines divide integers to an integer."""

AT_WORK = "placements.verdict IN ('sending', 'accepted')"
SUMS = (
    "charges.currency AS currency, count(DISTINCT charges.task) AS tasks, sum(charges.amount) AS settled,"
    f" sum(CASE WHEN charges.amount IS NULL AND {AT_WORK} THEN charges.estimate END) AS running,"
    f" sum(CASE WHEN charges.amount IS NULL AND NOT {AT_WORK} THEN charges.estimate END) AS in_doubt,"
    " sum(CASE WHEN charges.amount IS NULL AND charges.estimate IS NULL THEN 1 ELSE 0 END) AS unpriced"
)


@dataclass(frozen=True, slots=True)
class Spent:
    """Micros of one currency. `settled` is what ended sends did cost, `running` and `in_doubt` what those cost at most
    that are at work, or of which nobody knows whether they were accepted and how they ended. `unpriced` counts sends
    that are not known to have cost nothing and have no price; those without any are under the currency ""."""

    of: Mapping[By, str]
    currency: str
    tasks: int
    settled: int
    running: int
    in_doubt: int
    unpriced: int


class CostVerbs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def spent(
        self, by: Sequence[By], client: str | None, since: int, until: int
    ) -> tuple[list[Spent], list[Spent]]:
        """Of what was submitted from `since` on and before `until`, by one client or (None) any: a row for each group
        and currency, and the totals of each currency."""

        def verb(tx: Transaction) -> tuple[list[Spent], list[Spent]]:
            return _spent(tx, by, client, since, until), _spent(tx, (), client, since, until)

        return await self._engine.read(verb)


def _spent(tx: Transaction, by: Sequence[By], client: str | None, since: int, until: int) -> list[Spent]:
    groups = [COLUMNS[each] for each in by]
    named = [f"{column} AS {each}_" for each, column in zip(by, groups, strict=True)]
    found = tx.all(
        f"SELECT {', '.join([*named, SUMS])} FROM charges LEFT JOIN placements ON placements.id = charges.placement"
        f" WHERE charges.at >= :since AND charges.at < :until AND {rows.matching(client=client)}"
        f" GROUP BY {', '.join([*groups, 'charges.currency'])} ORDER BY {', '.join([*groups, 'charges.currency'])}",
        since=since, until=until, client=client or "",
    )  # fmt: skip
    return [_read(row, by) for row in found]


def _read(row: Row, by: Sequence[By]) -> Spent:
    """A sum of nothing is null, and PostgreSQL's sums are decimals."""
    sums = {name: int(row[name] or 0) for name in ("tasks", "settled", "running", "in_doubt", "unpriced")}
    return Spent({each: _word(each, row[f"{each}_"]) for each in by}, row["currency"], **sums)


def _word(by: By, value: Any) -> str:
    if by is not By.DAY:
        return str(value)
    return datetime.fromtimestamp(value * DAY_MS / 1000, UTC).date().isoformat()
