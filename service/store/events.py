"""What the operator should know: one row for what happens again and again, with how often."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import uuid4

from service.store import rows
from service.store.engine import Engine, Transaction
from service.store.lookups import Place

SAME_MS = 3600 * 1000
"""How long the same kind of event about the same subject is one that goes on."""


@dataclass(frozen=True, slots=True)
class OperatorEvent:
    """`at` is when it began, `last_at` when it happened last, `times` how often by then."""

    id: str
    kind: str
    subject: str
    at: int
    last_at: int
    times: int
    fields: Mapping[str, str]


class OperatorEventVerbs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def note(
        self, kind: str, subject: str, now: int, fields: Mapping[str, str], since: int | None = None
    ) -> bool:
        """Keeps an operator event. False: it goes on, the row of its last hour (or of the time from `since` on) counts
        one more."""
        ongoing = now - SAME_MS + 1 if since is None else since

        def verb(tx: Transaction) -> bool:
            again = tx.run(
                "UPDATE operator_events SET times = times + 1, last_at = :now, fields = :fields"
                " WHERE kind = :kind AND subject = :subject AND last_at >= :since",
                kind=kind, subject=subject, now=now, since=ongoing, fields=rows.dump(dict(fields)),
            )  # fmt: skip
            if not again:
                tx.run(
                    "INSERT INTO operator_events (id, at, kind, subject, fields, times, last_at)"
                    " VALUES (:id, :now, :kind, :subject, :fields, 1, :now)",
                    id=str(uuid4()), now=now, kind=kind, subject=subject, fields=rows.dump(dict(fields)),
                )  # fmt: skip
            return not again

        return await self._engine.write(verb)

    async def recent(self, kind: str, since: int, before: Place, limit: int) -> list[OperatorEvent]:
        """Those that happened at or after `since`, the latest first, after the page that ended at `before`; an empty
        `kind` means any."""

        def verb(tx: Transaction) -> list[OperatorEvent]:
            found = tx.all(
                f"SELECT id, kind, subject, at, last_at, times, fields FROM operator_events"
                f" WHERE {rows.matching(kind=kind)} AND last_at >= :since AND (last_at, id) < (:before, :before_id)"
                " ORDER BY last_at DESC, id DESC LIMIT :limit",
                kind=kind, since=since, before=before[0], before_id=before[1], limit=limit,
            )  # fmt: skip
            return [OperatorEvent(**{**row, "fields": rows.load(row["fields"])}) for row in found]

        return await self._engine.read(verb)

    async def latest(self, kinds: Collection[str], subject: str) -> OperatorEvent | None:
        """The latest event about a subject that is of one of these kinds."""
        of_kind, names = rows.any_of("kind", kinds)

        def verb(tx: Transaction) -> OperatorEvent | None:
            row = tx.one(
                f"SELECT {rows.columns(OperatorEvent)} FROM operator_events WHERE subject = :subject AND {of_kind}"
                " ORDER BY last_at DESC LIMIT 1",
                subject=subject, **names,
            )  # fmt: skip
            return None if row is None else OperatorEvent(**{**row, "fields": rows.load(row["fields"])})

        return await self._engine.read(verb)
