"""What was learned of how long videos take: the histograms of the store, in memory while they are used."""

from __future__ import annotations

from service.domain.completion import Completion
from service.store import Store

ENOUGH = 8.0
"""So many videos of one kind, and they say when to look; until then looks are evenly spaced."""

ALL = ""
"""The workload that every video of a provider counts for, too."""


class Learned:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[str, str], Completion] = {}

    async def of(self, provider: str, workload: str) -> Completion | None:
        """None: too few were seen."""
        known = await self._get(provider, workload)
        return known if workload and known.seen >= ENOUGH else None

    async def of_all(self, provider: str) -> Completion:
        return await self._get(provider, ALL)

    async def add(self, provider: str, workload: str, seconds: float) -> None:
        """A video of this kind took so long."""
        for each in dict.fromkeys((workload, ALL)):
            self._known[provider, each] = await self._store.completions.learn(provider, each, seconds)

    async def _get(self, provider: str, workload: str) -> Completion:
        if (provider, workload) not in self._known:
            self._known[provider, workload] = await self._store.completions.get(provider, workload)
        return self._known[provider, workload]
