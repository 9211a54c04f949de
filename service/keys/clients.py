"""Who is calling: client keys of the environment and of the database, the admin token, open mode."""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from service.clock import Clock
from service.domain.allowances import Allowance
from service.domain.deliveries import Delivery, Sealed, Signature, Way
from service.keys.asymmetric import PRIVATE
from service.keys.signing import PREFIX, new_secret
from service.keys.vault import Unopenable, Vault, hash_key
from service.settings import Settings
from service.store import Key, Store

OPEN = "open"
"""The one client of open mode."""

SCHEMES: Mapping[Signature, tuple[str, ...]] = {
    Signature.V1: (PREFIX,),
    Signature.V1A: (PRIVATE,),
    Signature.BOTH: (PREFIX, PRIVATE),
}


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody with a key. `admin` sees every client's tasks. `callback_url` is told when a request names no URL."""

    id: str
    name: str
    callback_url: str | None = None
    admin: bool = False


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made: the only time that the key and its webhook secret are shown."""

    id: str
    name: str
    key: str
    webhook_secret: str


class Clients:
    """`named` maps the hash of each key given in the environment to its client name."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        clock: Clock,
        *,
        named: Mapping[str, str],
        webhook_secrets: Sequence[str],
        admin_token: str | None,
        open_mode: bool,
    ) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._named = dict(named)
        self._webhook_secrets = tuple(webhook_secrets)
        self._admin_hash = hash_key(admin_token) if admin_token else None
        self._open_mode = open_mode

    async def of(self, bearer: str | None) -> Client | None:
        """The client of a bearer token; None if nobody's. In open mode everyone is the one client."""
        hashed = hash_key(bearer) if bearer else ""
        if self._admin_hash and hmac.compare_digest(hashed, self._admin_hash):
            return Client("admin", "admin", admin=True)
        if hashed in self._named:
            return Client(self._named[hashed], self._named[hashed])
        if bearer and (key := await self._store.keys.find(hashed)):
            return Client(key.id, key.name, key.callback_url)
        return Client(OPEN, OPEN) if await self.is_open() else None

    async def is_open(self) -> bool:
        """Whether everyone is the one client. The first key that is made, by whatever process, ends it."""
        if self._open_mode and await self._store.keys.any():
            self._open_mode = False
        return self._open_mode

    async def may_watch(self, client: Client, provider: str) -> bool:
        """Whether it may watch tasks with the operator's accounts at a provider: the operator, the one client of open
        mode, and keys with that right, at the providers that they may use."""
        if client.admin or client.id == OPEN:
            return True
        allowed = await self._store.allowances.of(client.id)
        return allowed.watch and (allowed.providers is None or provider in allowed.providers)

    async def way_of(self, delivery: Delivery) -> Way | None:
        """How a delivery is to be sent now: by its endpoint, else by its client. None: its endpoint was deleted. Raises
        `Unopenable`."""
        return await self.way_to(delivery.client, delivery.endpoint)

    async def way_to(self, client: str, to: str | None) -> Way | None:
        """The same of a client's bare URLs (`to` None), or of an endpoint."""
        return self.way(await self._store.endpoints.sealed(client, to, self._clock()))

    def way(self, sealed: Sealed | None) -> Way | None:
        """The same of what the store has of it; None stays None. Raises `Unopenable`."""
        if sealed is None:
            return None
        endpoint = sealed.endpoint
        if endpoint is None:
            return Way(self._opened(sealed.secrets, SCHEMES[Signature.V1]) if sealed.secrets else self._webhook_secrets)
        headers = json.loads(self._vault.open(endpoint.headers)) if endpoint.headers else {}
        secrets = self._opened(sealed.secrets, SCHEMES[endpoint.signature])
        return Way(secrets, headers, endpoint.schedule, endpoint.timeout_seconds, disabled=bool(endpoint.disabled_at))

    def _opened(self, sealed: Sequence[bytes], wanted: tuple[str, ...]) -> tuple[str, ...]:
        """Webhook secrets and private keys, of the kinds that are `wanted`. Raises `Unopenable`."""
        opened = [self._vault.open(each) for each in sealed]
        return tuple(sorted((each for each in opened if each.startswith(wanted)), key=_shared_first))

    async def rotate(self, key: str, secret: str | None, overlap_seconds: int) -> tuple[str, int] | None:
        """The new webhook secret of a key (a given one, or a fresh one), and until when the old one signs too. None: no
        such key, or it was revoked."""
        fresh, now = secret or new_secret(), self._clock()
        until = now + overlap_seconds * 1000
        return (fresh, until) if await self._store.keys.rotate(key, self._vault.seal(fresh), now, until) else None

    async def create(
        self,
        name: str,
        *,
        key: str | None = None,
        callback_url: str | None = None,
        allowance: Allowance | None = None,
        webhook_secret: str | None = None,
    ) -> NewKey | None:
        """Makes a key, or registers one that a program already sends (`key`), that may do and spend what `allowance`
        says, whosever that is. `webhook_secret` is one that a receiver already has. None if that key is there
        already."""
        text = key or f"rb_{secrets.token_urlsafe(32)}"
        if hash_key(text) in self._named:
            return None
        made = NewKey(f"key_{uuid4().hex}", name, text, webhook_secret or new_secret())
        kept = await self._store.keys.create(
            Key(
                id=made.id,
                name=name,
                hash=hash_key(text),
                secret=self._vault.seal(made.webhook_secret),
                created_at=self._clock(),
                callback_url=callback_url,
            ),
            replace(allowance, client=made.id) if allowance else None,
        )
        return made if kept else None

    async def meant_by(self, text: str) -> tuple[str, ...]:
        """The ids of the clients that a person may mean: one by its id, or keys that are good by their name."""
        keys = await self._store.keys.list()
        known = {OPEN, *self._named.values(), *(key.id for key in keys)}
        return (text,) if text in known else tuple(key.id for key in keys if key.name == text and not key.revoked_at)

    async def allowance(self, client: str) -> Allowance:
        return await self._store.allowances.of(client)

    async def allowances(self) -> Mapping[str, Allowance]:
        """Of the clients that have one."""
        return await self._store.allowances.all()

    async def allow(self, allowance: Allowance) -> None:
        """In the place of what its client was allowed before; a running server takes it at once."""
        await self._store.allowances.keep(allowance)

    async def reseal(self) -> tuple[int, int]:
        """Seals every secret of the database with the newest key. How many that were, and how many none of the keys
        opens."""

        def reseal(sealed: bytes) -> bytes | None:
            try:
                return self._vault.reseal(sealed)
            except Unopenable:
                return None

        return await self._store.secrets.reseal(reseal)

    async def list(self) -> list[Key]:
        return await self._store.keys.list()

    async def revoke(self, key: str) -> bool:
        return await self._store.keys.revoke(key, self._clock())


def _shared_first(secret: str) -> bool:
    """Verifiers that know only shared secrets read those parts first."""
    return not secret.startswith(PREFIX)


def clients_of(settings: Settings, store: Store, clock: Clock) -> Clients:
    vault = Vault([key.get_secret_value() for key in settings.secret_keys])
    token = settings.admin_token
    return Clients(
        store,
        vault,
        clock,
        named={hash_key(key.key.get_secret_value()): f"env:{key.name}" for key in settings.api_keys},
        webhook_secrets=[secret.get_secret_value() for secret in settings.webhook_secret],
        admin_token=token.get_secret_value() if token else None,
        open_mode=not settings.api_keys,
    )
