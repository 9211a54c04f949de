"""What is asked of an account that has a list, in the order of its worth: first about what something says has ended,
one query each; then pages of the list and all other looks in turn, so that neither starves the other."""

from __future__ import annotations

from collections.abc import Sequence

from service.looking.poll import Look, LookQueue
from service.looking.sweep import Leaf, SweepQueue


class QueryQueue:
    """One account's queries as a worker sees them; both of its parts draw from the account's bucket."""

    def __init__(self, looks: LookQueue, sweeps: SweepQueue) -> None:
        self._looks = looks
        self._sweeps = sweeps
        self._pages_turn = True

    async def claim(self, room: int) -> Sequence[Look | Leaf]:
        items: list[Look | Leaf] = [*await self._looks.claim(room, hinted=self._pages_turn)]
        pages = await self._sweeps.claim(room - len(items)) if self._pages_turn or not items else ()
        items += pages
        if not items and self._pages_turn:
            items += await self._looks.claim(room)
        self._pages_turn = not pages
        return items

    async def handle(self, item: Look | Leaf) -> None:
        await (self._sweeps.handle(item) if isinstance(item, Leaf) else self._looks.handle(item))

    async def next_due(self) -> int | None:
        dues = (await self._looks.next_due(), await self._sweeps.next_due())
        return min((due for due in dues if due is not None), default=None)
