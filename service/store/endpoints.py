"""The verbs of endpoints: clients' standing receivers. `client` None means any client's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from service.domain.deliveries import DisabledBy, Endpoint, Sealed, receiver_of
from service.store import rows
from service.store.engine import Engine, Transaction
from service.store.lanes import reopen, shut
from service.store.sealed import endpoint_in, sealed_in
from service.store.secrets import retire

if TYPE_CHECKING:
    from service.store.lookups import Place

Change = Callable[[Endpoint], Endpoint]


class EndpointVerbs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(self, endpoint: Endpoint, most: int) -> bool:
        """Keeps a new one; a default takes the place of the client's earlier default. False if the client has `most`
        of them already."""

        def verb(tx: Transaction) -> bool:
            tx.lock(_lock(endpoint.client))
            count = tx.one("SELECT count(*) AS kept FROM endpoints WHERE client = :client", client=endpoint.client)
            if count is None or count["kept"] >= most:
                return False
            _make_room(tx, endpoint)
            tx.run(
                f"INSERT INTO endpoints ({rows.columns(Endpoint)}) VALUES ({rows.placeholders(Endpoint)})",
                **rows.endpoint_values(endpoint),
            )
            return True

        return await self._engine.write(verb)

    async def get(self, endpoint: str, client: str | None) -> Endpoint | None:
        return await self._engine.read(lambda tx: endpoint_in(tx, endpoint, client))

    async def sealed(self, client: str, endpoint: str | None, now: int) -> Sealed | None:
        """What says how a client's messages are sent to an endpoint, or (None) to bare URLs, at one moment. None: no
        such endpoint."""
        return await self._engine.read(lambda tx: sealed_in(tx, client, endpoint, now))

    async def default_of(self, client: str) -> Endpoint | None:
        def verb(tx: Transaction) -> Endpoint | None:
            sql = f"SELECT {rows.columns(Endpoint)} FROM endpoints WHERE client = :client AND is_default = 1"
            row = tx.one(sql, client=client)
            return None if row is None else rows.read_endpoint(row)

        return await self._engine.read(verb)

    async def recent(self, client: str | None, before: Place, limit: int) -> list[Endpoint]:
        """Newest first, those after the page that ended at `before`."""

        def verb(tx: Transaction) -> list[Endpoint]:
            found = tx.all(
                f"SELECT {rows.columns(Endpoint)} FROM endpoints WHERE {rows.matching(client=client)}"
                " AND (created_at, id) < (:before, :before_id) ORDER BY created_at DESC, id DESC LIMIT :limit",
                client=client, before=before[0], before_id=before[1], limit=limit,
            )  # fmt: skip
            return [rows.read_endpoint(row) for row in found]

        return await self._engine.read(verb)

    async def change(self, endpoint: str, client: str | None, change: Change) -> Endpoint | None:
        """The endpoint as it is now. What waits to be sent there follows it to another URL. None: no such endpoint."""

        def verb(tx: Transaction) -> Endpoint | None:
            return _changed(tx, endpoint, client, change)

        return await self._engine.write(verb)

    async def rotate(
        self, endpoint: str, client: str | None, secret: bytes, signing_key: bytes, now: int, until: int
    ) -> Endpoint | None:
        """A new secret and key, the old ones sign too before `until`. None: no such endpoint."""

        def verb(tx: Transaction) -> Endpoint | None:
            old: list[Endpoint] = []

            def change(was: Endpoint) -> Endpoint:
                old.append(was)
                return replace(was, secret=secret, signing_key=signing_key, updated_at=now)

            changed = _changed(tx, endpoint, client, change)
            for was in old:
                retire(tx, was.id, (was.secret, was.signing_key), now, until)
            return changed

        return await self._engine.write(verb)

    async def disable(
        self, endpoint: str, client: str | None, by: DisabledBy, now: int, url: str | None = None
    ) -> Endpoint | None:
        """Nothing more is sent there; what is to be sent is kept until it is enabled. With a `url` one that leads
        elsewhere by now stays as it is. None: no such endpoint."""

        def verb(tx: Transaction) -> Endpoint | None:
            def change(was: Endpoint) -> Endpoint:
                stays = was.disabled_at or url not in (None, was.url)
                return was if stays else replace(was, disabled_at=now, disabled_by=by, updated_at=now)

            disabled = _changed(tx, endpoint, client, change)
            if disabled is not None and disabled.disabled_at is not None:
                tx.run(f"UPDATE deliveries SET due_at = NULL WHERE {_WAITING}", id=endpoint)
                shut(tx, endpoint, receiver_of(disabled.url))
            return disabled

        return await self._engine.write(verb)

    async def enable(self, endpoint: str, client: str | None, now: int) -> Endpoint | None:
        """What was kept is due, each from the start of its schedule. None: no such endpoint."""

        def verb(tx: Transaction) -> Endpoint | None:
            def change(was: Endpoint) -> Endpoint:
                return replace(was, disabled_at=None, disabled_by=None, updated_at=now) if was.disabled_at else was

            enabled = _changed(tx, endpoint, client, change)
            if enabled is not None:
                sql = f"UPDATE deliveries SET due_at = :now, tries = 0 WHERE {_WAITING} AND due_at IS NULL"
                tx.run(sql, id=endpoint, now=now)
                reopen(tx, endpoint, now, receiver_of(enabled.url))
            return enabled

        return await self._engine.write(verb)

    async def delete(self, endpoint: str, client: str | None) -> bool:
        """It is gone with its secrets; what was still to be sent there is abandoned, what was sent stays readable.
        False: no such endpoint."""

        def verb(tx: Transaction) -> bool:
            sql = f"DELETE FROM endpoints WHERE id = :id AND {rows.matching(client=client)}"
            if not tx.run(sql, id=endpoint, client=client):
                return False
            tx.run("DELETE FROM retired_secrets WHERE owner = :id", id=endpoint)
            tx.run(f"UPDATE deliveries SET state = 'ABANDONED', due_at = NULL WHERE {_WAITING}", id=endpoint)
            tx.run(
                "DELETE FROM lanes WHERE id = :id"
                " AND NOT EXISTS (SELECT 1 FROM deliveries WHERE endpoint = :id AND claimed_at IS NOT NULL)",
                id=endpoint,
            )  # fmt: skip
            # It wakes what an attempt on its way leaves behind, which is abandoned then; also if it was shut.
            tx.run("UPDATE lanes SET paused_until = NULL, pause = NULL WHERE id = :id", id=endpoint)
            return True

        return await self._engine.write(verb)


_WAITING = "endpoint = :id AND state = 'PENDING' AND claimed_at IS NULL"
"""What is to be sent to an endpoint. An attempt that is on its way goes on, and its end is recorded."""


def hold_endpoint(tx: Transaction, endpoint: str) -> Endpoint | None:
    """It stays as it is until this transaction ends: the UPDATE that changes nothing locks its row."""
    row = tx.one(
        f"UPDATE endpoints SET updated_at = updated_at WHERE id = :id RETURNING {rows.columns(Endpoint)}", id=endpoint
    )
    return None if row is None else rows.read_endpoint(row)


def _changed(tx: Transaction, endpoint: str, client: str | None, change: Change) -> Endpoint | None:
    if (owner := endpoint_in(tx, endpoint, client)) is None:
        return None
    tx.lock(_lock(owner.client))
    was = endpoint_in(tx, endpoint, client)
    if was is None:  # it went in the meantime
        return None
    changed = change(was)
    if changed.is_default and not was.is_default:
        _make_room(tx, changed)
    assigned = ", ".join(f"{name} = :{name}" for name in rows.endpoint_values(changed) if name != "id")
    tx.run(f"UPDATE endpoints SET {assigned} WHERE id = :id", **rows.endpoint_values(changed))
    if changed.url != was.url:
        tx.run(
            "UPDATE deliveries SET url = :url, receiver = :receiver WHERE endpoint = :id AND state = 'PENDING'",
            id=was.id, url=changed.url, receiver=receiver_of(changed.url),
        )  # fmt: skip
        if changed.disabled_at is None:
            reopen(tx, was.id, changed.updated_at, receiver_of(changed.url))
    return changed


def _make_room(tx: Transaction, endpoint: Endpoint) -> None:
    """A client has one default at most."""
    if endpoint.is_default:
        tx.run("UPDATE endpoints SET is_default = 0 WHERE client = :client", client=endpoint.client)


def _lock(client: str) -> str:
    return f"endpoints {client}"
