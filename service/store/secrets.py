"""Secrets that were replaced and still sign beside the new one for a while. All are sealed; the owner is a client key
or an endpoint."""

from __future__ import annotations

from collections.abc import Sequence

from service.store.engine import Engine, Transaction


class SecretVerbs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def retired(self, owner: str, now: int) -> list[bytes]:
        """Those that still sign, the youngest first."""

        def verb(tx: Transaction) -> list[bytes]:
            found = tx.all(
                "SELECT secret FROM retired_secrets WHERE owner = :owner AND until > :now ORDER BY until DESC",
                owner=owner, now=now,
            )  # fmt: skip
            return [bytes(row["secret"]) for row in found]

        return await self._engine.read(verb)


def retire(tx: Transaction, owner: str, secrets: Sequence[bytes], now: int, until: int) -> None:
    """They sign before `until`; without an overlap those retired earlier are forgotten too. What signs no more is
    erased, whosever it was."""
    if until <= now:
        tx.run("DELETE FROM retired_secrets WHERE owner = :owner", owner=owner)
    else:
        for secret in secrets:
            tx.run(
                "INSERT INTO retired_secrets (owner, secret, until) VALUES (:owner, :secret, :until)",
                owner=owner, secret=secret, until=until,
            )  # fmt: skip
    tx.run("DELETE FROM retired_secrets WHERE until <= :now", now=now)
