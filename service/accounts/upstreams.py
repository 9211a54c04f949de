"""The configured upstream accounts together. Several keys of one provider are a pool; a task stays with the key that
created it, because no other account knows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from adapters.base import Adapter
from service.accounts.upstream import LENT, Upstream
from service.clock import Clock
from service.domain.tasks import Placement
from service.keys.vault import Unopenable, Vault
from service.network.http import Client
from service.settings import Account, Settings
from service.store import Seat


class Upstreams:
    """The accounts in the order of preference: of their providers, and among those of one provider. `vault` opens the
    keys that watchers lend."""

    def __init__(self, accounts: Sequence[Upstream], vault: Vault | None = None) -> None:
        self._accounts = tuple(accounts)
        self._vault = vault
        self._pools: dict[str, tuple[Upstream, ...]] = {}
        for account in accounts:
            self._pools[account.name] = (*self._pools.get(account.name, ()), account)

    def __iter__(self) -> Iterator[Upstream]:
        return iter(self._accounts)

    @property
    def providers(self) -> tuple[Upstream, ...]:
        """One account of each provider: to all of them the same can be said."""
        return tuple(pool[0] for pool in self._pools.values())

    def pool(self, provider: str) -> tuple[Upstream, ...]:
        """All accounts of a provider; empty if it is not configured."""
        return self._pools.get(provider, ())

    def seats(self, provider: str, now: int, *, paced: bool = False) -> tuple[Seat, ...]:
        """The accounts of a provider that do not rest; `paced`: with what may leave of those who have waited."""
        seats = (account.seat(now, paced=paced) for account in self.pool(provider))
        return tuple(seat for seat in seats if seat is not None)

    def rests_until(self, provider: str) -> int:
        """When the first account of a provider takes anything again; in the past if one does now."""
        return min((account.rests_until for account in self.pool(provider)), default=0)

    def in_trouble(self, provider: str, now: int) -> bool:
        """Whether all accounts of a provider were refused of late."""
        return all(account.in_trouble(now) for account in self.pool(provider))

    def serving(self, placement: Placement) -> Upstream | None:
        """The account that knows what was sent by `placement`; None if it is not configured any more. A provider's
        only account has taken over from all that it ever had: a replaced key is a key of the same account.

        What is watched with a lent key is served with that key and no other; None too if it cannot be opened, or was
        erased because the task has ended."""
        if placement.credential is not None:
            return self._lent(placement.provider, placement.credential)
        if placement.watched and placement.account.startswith(LENT):
            return next((each for each in self.pool(placement.provider) if placement.account in each.holds), None)
        return next((each for each in self.pool(placement.provider) if each.serves(placement.account)), None)

    def _lent(self, provider: str, credential: bytes) -> Upstream | None:
        pool = self.pool(provider)
        try:
            return pool[0].with_key(self._vault.open(credential)) if pool and self._vault else None
        except Unopenable:
            return None


def upstreams_of(
    settings: Settings, shapes: Mapping[str, Adapter], client: Client, clock: Clock
) -> tuple[Upstream, ...]:
    return tuple(
        Upstream(
            account.provider,
            shapes[account.provider.shape],
            client,
            account.base_url,
            account.api_key.get_secret_value(),
            account.poll_seconds,
            clock,
            account.name,
            _held_by(account, settings.accounts),
            most_active=account.most_active,
            rejected_5xx=account.believed,
        )
        for account in settings.accounts
    )


def _held_by(account: Account, accounts: Sequence[Account]) -> tuple[str, ...]:
    """Whose placements an account looks after: all of its provider's if it is the only one. The first one of several
    also has those of the time before keys had names."""
    pool = [each.name for each in accounts if each.provider.name == account.provider.name]
    if len(pool) == 1:
        return ()
    return (account.name, "") if account.name == pool[0] else (account.name,)
