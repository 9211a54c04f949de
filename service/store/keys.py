"""Client keys. A key is stored hashed, its webhook secret sealed."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.allowances import Allowance
from service.store import rows
from service.store.allowances import keep_allowance
from service.store.engine import Engine, Transaction
from service.store.secrets import retire


@dataclass(frozen=True, slots=True)
class Key:
    """A client key at rest: `hash` of the key itself, `secret` sealed by the vault."""

    id: str
    name: str
    hash: str
    secret: bytes
    created_at: int
    callback_url: str | None = None
    revoked_at: int | None = None


class KeyVerbs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(self, key: Key, allowance: Allowance | None = None) -> bool:
        """Keeps a key and, if it is not to be free, what it may do. False if that very key is there already."""

        def verb(tx: Transaction) -> bool:
            sql = f"INSERT INTO keys ({rows.columns(Key)}) VALUES ({rows.placeholders(Key)}) ON CONFLICT DO NOTHING"
            if tx.run(sql, **rows.values(key)) != 1:
                return False
            if allowance is not None:
                keep_allowance(tx, allowance)
            return True

        return await self._engine.write(verb)

    async def find(self, hashed: str) -> Key | None:
        """A key by its hash, revoked ones left out."""
        return await self._one("hash = :value AND revoked_at IS NULL", hashed)

    async def get(self, key: str) -> Key | None:
        return await self._one("id = :value", key)

    async def list(self) -> list[Key]:
        def verb(tx: Transaction) -> list[Key]:
            found = tx.all(f"SELECT {rows.columns(Key)} FROM keys ORDER BY created_at, id")
            return [Key(**row) for row in found]

        return await self._engine.read(verb)

    async def revoke(self, key: str, now: int) -> bool:
        """False if there is no such key or it was revoked before."""

        def verb(tx: Transaction) -> bool:
            sql = "UPDATE keys SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL"
            return tx.run(sql, id=key, now=now) == 1

        return await self._engine.write(verb)

    async def rotate(self, key: str, secret: bytes, now: int, until: int) -> bool:
        """A new webhook secret (sealed), the old one signs too before `until`. False if there is no such key, or it
        was revoked."""

        def verb(tx: Transaction) -> bool:
            tx.lock(f"keys {key}")
            was = tx.one("SELECT secret FROM keys WHERE id = :id AND revoked_at IS NULL", id=key)
            if was is None:
                return False
            tx.run("UPDATE keys SET secret = :secret WHERE id = :id", id=key, secret=secret)
            retire(tx, key, (bytes(was["secret"]),), now, until)
            return True

        return await self._engine.write(verb)

    async def any(self) -> bool:
        """Whether any key was ever made: then the server is not in open mode, even if all are revoked."""

        def verb(tx: Transaction) -> bool:
            return tx.one("SELECT id FROM keys LIMIT 1") is not None

        return await self._engine.read(verb)

    async def _one(self, where: str, value: str) -> Key | None:
        def verb(tx: Transaction) -> Key | None:
            row = tx.one(f"SELECT {rows.columns(Key)} FROM keys WHERE {where}", value=value)
            return None if row is None else Key(**row)

        return await self._engine.read(verb)
