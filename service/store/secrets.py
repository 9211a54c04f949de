"""Secrets that were replaced and still sign beside the new one for a while. All are sealed; the owner is a client key
or an endpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from service.store.engine import Engine, Row, Transaction

SEALED = (
    ("keys", "id", "secret"),
    ("endpoints", "id", "secret"),
    ("endpoints", "id", "signing_key"),
    ("endpoints", "id", "headers"),
    ("retired_secrets", "owner", "secret"),
    ("placements", "id", "credential"),
)
"""Every column that the vault seals, and the one that finds its row."""


class SecretVerbs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def retired(self, owner: str, now: int) -> list[bytes]:
        """Those that still sign, the youngest first."""

        return await self._engine.read(lambda tx: retired_in(tx, owner, now))

    async def erase(self, now: int) -> int:
        """Those that sign no more."""
        return await self._engine.write(lambda tx: tx.run("DELETE FROM retired_secrets WHERE until <= :now", now=now))

    async def reseal(self, reseal: Callable[[bytes], bytes | None]) -> tuple[int, int]:
        """Puts what `reseal` makes of it in the place of every sealed text. How many that were, and how many could not
        be opened (`reseal` gave None); those stay as they are."""

        def verb(tx: Transaction) -> tuple[int, int]:
            done = []
            for table, owner, column in SEALED:
                sql = f"SELECT {owner} AS owner, {column} AS sealed FROM {table} WHERE {column} IS NOT NULL"
                done += [_reseal(tx, table, owner, column, row, reseal) for row in tx.all(sql)]
            return sum(done), len(done) - sum(done)

        return await self._engine.write(verb)


def of_key(tx: Transaction, key: str, now: int) -> tuple[bytes, ...]:
    """All that sign for a client key: its secret, and replaced ones. Empty: no such key."""
    row = tx.one("SELECT secret FROM keys WHERE id = :id", id=key)
    return () if row is None else (bytes(row["secret"]), *retired_in(tx, key, now))


def retired_in(tx: Transaction, owner: str, now: int) -> list[bytes]:
    found = tx.all(
        "SELECT secret FROM retired_secrets WHERE owner = :owner AND until > :now ORDER BY until DESC",
        owner=owner, now=now,
    )  # fmt: skip
    return [bytes(row["secret"]) for row in found]


def _reseal(
    tx: Transaction, table: str, owner: str, column: str, row: Row, reseal: Callable[[bytes], bytes | None]
) -> bool:
    fresh = reseal(bytes(row["sealed"]))
    if fresh is None:
        return False
    sql = f"UPDATE {table} SET {column} = :fresh WHERE {owner} = :owner AND {column} = :sealed"
    tx.run(sql, fresh=fresh, owner=row["owner"], sealed=row["sealed"])
    return True


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
