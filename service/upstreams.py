"""The configured upstream accounts together. Several keys of one provider are a pool; a task stays with the key that
created it, because no other account knows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from service.tasks import Placement
from service.upstream import Upstream


class Upstreams:
    """The accounts in the order of preference: of their providers, and among those of one provider."""

    def __init__(self, accounts: Sequence[Upstream]) -> None:
        self._accounts = tuple(accounts)
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

    def serving(self, placement: Placement) -> Upstream | None:
        """The account that knows what was sent by `placement`; None if it is not configured any more. A provider's
        only account has taken over from all that it ever had: a replaced key is a key of the same account."""
        return next((each for each in self.pool(placement.provider) if each.serves(placement.account)), None)
