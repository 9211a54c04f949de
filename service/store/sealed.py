"""What says how a delivery is sent, read inside of the transactions that take it out."""

from __future__ import annotations

from service.domain.deliveries import Endpoint, Sealed
from service.store import rows
from service.store.engine import Transaction
from service.store.secrets import of_key, retired_in


def sealed_in(tx: Transaction, client: str, endpoint: str | None, now: int) -> Sealed | None:
    """Of a client's messages to an endpoint, whosever it is, or (None) to bare URLs. None: no such endpoint."""
    if endpoint is None:
        return Sealed(of_key(tx, client, now))
    found = endpoint_in(tx, endpoint)
    if found is None:
        return None
    return Sealed((found.secret, found.signing_key, *retired_in(tx, endpoint, now)), found)


def endpoint_in(tx: Transaction, endpoint: str, client: str | None = None) -> Endpoint | None:
    row = tx.one(
        f"SELECT {rows.columns(Endpoint)} FROM endpoints WHERE id = :id AND {rows.matching(client=client)}",
        id=endpoint, client=client,
    )  # fmt: skip
    return None if row is None else rows.read_endpoint(row)
