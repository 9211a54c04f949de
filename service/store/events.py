"""What the operator should know: one row for what happens again and again, with how often."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4

from service.store import rows
from service.store.engine import Engine, Transaction

SAME_MS = 3600 * 1000
"""How long the same kind of event about the same subject is one that goes on."""


class OperatorEventVerbs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def note(self, kind: str, subject: str, now: int, fields: Mapping[str, str]) -> bool:
        """Keeps an operator event. False: it goes on, the row of its last hour counts one more."""

        def verb(tx: Transaction) -> bool:
            again = tx.run(
                "UPDATE operator_events SET times = times + 1, last_at = :now, fields = :fields"
                " WHERE kind = :kind AND subject = :subject AND last_at > :since",
                kind=kind, subject=subject, now=now, since=now - SAME_MS, fields=rows.dump(dict(fields)),
            )  # fmt: skip
            if not again:
                tx.run(
                    "INSERT INTO operator_events (id, at, kind, subject, fields, times, last_at)"
                    " VALUES (:id, :now, :kind, :subject, :fields, 1, :now)",
                    id=str(uuid4()), now=now, kind=kind, subject=subject, fields=rows.dump(dict(fields)),
                )  # fmt: skip
            return not again

        return await self._engine.write(verb)
