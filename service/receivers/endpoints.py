"""Endpoints of clients: made, changed, their secrets replaced. Whose they are is `client` (None: anybody's)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from adapters.messages import Category
from service.clock import Clock
from service.domain.deliveries import DisabledBy, Endpoint
from service.errors import refused
from service.keys.asymmetric import PRIVATE, new_signing_key, public_key_of
from service.keys.signing import new_secret
from service.keys.vault import Unopenable, Vault
from service.receivers.audience import Audience
from service.receivers.endpoint_fields import OVERLAP_SECONDS, read_changes, read_overlap, read_secret, wrong
from service.store import Store

MOST = 100
"""Endpoints of one client."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An endpoint whose secret was just made or replaced: the only time that it is shown. `until` is when the one
    before stops signing."""

    endpoint: Endpoint
    secret: str
    until: int | None = None


class Endpoints:
    def __init__(self, store: Store, vault: Vault, audience: Audience, clock: Clock) -> None:
        self._store = store
        self._vault = vault
        self._audience = audience
        self._clock = clock

    async def create(self, client: str, fields: Mapping[str, Any]) -> Shown:
        """Raises `Refused` (400: a field, 409: there are too many)."""
        url = await self._url(fields.get("url"))
        secret = read_secret("secret", fields.get("secret")) or new_secret()
        now = self._clock()
        made = Endpoint(
            id=f"ep_{uuid4().hex}",
            client=client,
            url=url,
            secret=self._vault.seal(secret),
            signing_key=self._vault.seal(new_signing_key()),
            created_at=now,
            updated_at=now,
        )
        made = replace(made, **self._sealed(read_changes(fields)))
        if not await self._store.endpoints.create(made, MOST):
            text = f"This client has {MOST} endpoints, as many as it may; delete one."
            raise refused(409, Category.CONFLICT, text)
        return Shown(made, secret)

    async def change(self, endpoint: str, client: str | None, fields: Mapping[str, Any]) -> Endpoint | None:
        """What `fields` say, the rest stays. None: no such endpoint. Raises `Refused` (400)."""
        changes = self._sealed(read_changes(fields)) | {"updated_at": self._clock()}
        if "url" in fields:
            changes["url"] = await self._url(fields["url"])
        return await self._store.endpoints.change(endpoint, client, lambda was: replace(was, **changes))

    async def rotate(self, endpoint: str, client: str | None, fields: Mapping[str, Any]) -> Shown | None:
        """A new secret and signing key; the old ones sign too for `overlap_seconds`. None: no such endpoint. Raises
        `Refused` (400)."""
        secret = read_secret("secret", fields.get("secret")) or new_secret()
        overlap = read_overlap("overlap_seconds", fields.get("overlap_seconds", OVERLAP_SECONDS))
        now, sealed = self._clock(), (self._vault.seal(secret), self._vault.seal(new_signing_key()))
        rotated = await self._store.endpoints.rotate(endpoint, client, *sealed, now, now + overlap * 1000)
        return Shown(rotated, secret, now + overlap * 1000) if rotated else None

    async def disable(self, endpoint: str, client: str | None, by: DisabledBy) -> Endpoint | None:
        return await self._store.endpoints.disable(endpoint, client, by, self._clock())

    async def enable(self, endpoint: str, client: str | None) -> Endpoint | None:
        return await self._store.endpoints.enable(endpoint, client, self._clock())

    def public_key(self, endpoint: Endpoint) -> str | None:
        """None if this server no longer has the key that it was sealed with."""
        try:
            return public_key_of(self._vault.open(endpoint.signing_key))
        except Unopenable:
            return None

    async def public_keys(self, endpoint: str) -> list[str] | None:
        """All that its messages may be signed with now, the newest first. None: no such endpoint. Raises
        `Unopenable`."""
        found = await self._store.endpoints.sealed("", endpoint, self._clock())
        if found is None:
            return None
        opened = [self._vault.open(sealed) for sealed in found.secrets]
        return [public_key_of(text) for text in opened if text.startswith(PRIVATE)]

    def header_names(self, endpoint: Endpoint) -> list[str]:
        """Their values may be secrets and are never shown."""
        try:
            return list(json.loads(self._vault.open(endpoint.headers))) if endpoint.headers else []
        except Unopenable:
            return []

    async def _url(self, url: Any) -> str:
        if not isinstance(url, str):
            raise wrong("url", "a text is needed, the address to POST to")
        await self._audience.check(url, "url")
        return url

    def _sealed(self, changes: dict[str, Any]) -> dict[str, Any]:
        headers = changes.get("headers")
        return changes | ({"headers": self._vault.seal(headers)} if headers is not None else {})
