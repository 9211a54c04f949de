"""What a verb needs of an engine. Statements use `:name` placeholders; an engine translates them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

Row = Mapping[str, Any]
T = TypeVar("T")


class Transaction(Protocol):
    """An open transaction, for the length of one verb."""

    skip_locked: str
    """The lock clause of a claim's inner SELECT: empty where there is only one writer."""

    def lock(self, name: str) -> None:
        """Until this transaction ends no other one holds `name`. To be taken before any row is touched."""
        ...

    def all(self, sql: str, **values: Any) -> Sequence[Row]: ...

    def one(self, sql: str, **values: Any) -> Row | None: ...

    def run(self, sql: str, **values: Any) -> int:
        """Returns the number of rows that were written."""
        ...


Verb = Callable[[Transaction], T]


class Engine(Protocol):
    """Runs verbs. `write` returns only after the verb's effect is on disk; a verb that raises leaves none."""

    async def write(self, verb: Verb[T]) -> T: ...

    async def read(self, verb: Verb[T]) -> T: ...

    async def scrub(self) -> bool:
        """Leaves nothing on disk of what was deleted. False: not now, something stood in the way."""
        ...

    async def tidy(self, pages: int) -> int:
        """Gives free space back, at most so many pages of it. Returns how many."""
        ...

    async def close(self) -> None: ...


class AlreadyServed(Exception):
    """Another server holds this database."""
