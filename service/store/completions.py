"""How long the videos of each kind took: one small histogram for each provider and workload."""

from __future__ import annotations

from service.domain.completion import Completion
from service.store import rows
from service.store.engine import Engine, Transaction


class CompletionVerbs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def get(self, provider: str, workload: str) -> Completion:
        """Of a workload that was never seen: one that knows nothing."""
        return await self._engine.read(lambda tx: _found(tx, provider, workload))

    async def learn(self, provider: str, workload: str, seconds: float) -> Completion:
        """One more video; returns what is known then. The INSERT that may change nothing locks the row, so that no
        video of a race is forgotten."""

        def verb(tx: Transaction) -> Completion:
            tx.run(
                "INSERT INTO completions (provider, workload, counts) VALUES (:provider, :workload, '[]')"
                " ON CONFLICT (provider, workload) DO UPDATE SET counts = completions.counts",
                provider=provider, workload=workload,
            )  # fmt: skip
            known = _found(tx, provider, workload).with_one(seconds)
            tx.run(
                "UPDATE completions SET counts = :counts WHERE provider = :provider AND workload = :workload",
                provider=provider, workload=workload, counts=rows.dump(list(known.counts)),
            )  # fmt: skip
            return known

        return await self._engine.write(verb)


def _found(tx: Transaction, provider: str, workload: str) -> Completion:
    row = tx.one(
        "SELECT counts FROM completions WHERE provider = :provider AND workload = :workload",
        provider=provider, workload=workload,
    )  # fmt: skip
    return Completion(tuple(rows.load(row["counts"])) if row else ())
