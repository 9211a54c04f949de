"""The tasks that wait to be sent to one provider: for room, for a pause to end, or for a second try."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from service.accounts.upstreams import Upstreams
from service.clock import Clock
from service.sending.send import Sender
from service.sending.timing import Timing
from service.store import Placed, Store


class SendQueue:
    """As a worker sees them. They leave at a pace for each account, so that an upstream that comes back is not met by
    all of them at once. Whoever frees room wakes the worker."""

    def __init__(
        self,
        provider: str,
        upstreams: Upstreams,
        store: Store,
        sender: Sender,
        clock: Clock,
        timing: Timing,
        new_id: Callable[[], str],
    ) -> None:
        self._provider = provider
        self._upstreams = upstreams
        self._store = store
        self._sender = sender
        self._clock = clock
        self._timing = timing
        self._new_id = new_id

    async def claim(self, room: int) -> Sequence[Placed]:
        now = self._clock()
        seats = self._upstreams.seats(self._provider, now, paced=True)
        limit = min(room, sum(seat.pace for seat in seats))
        if not limit:
            return ()
        doubt_at = self._timing.doubt_at(now)
        placed = await self._store.sends.claim(self._provider, seats, now, doubt_at, limit, self._new_id)
        left = Counter(placement.account for _, placement in placed)
        for account in self._upstreams.pool(self._provider):
            account.sends.take(left[account.account], now)
        return placed

    async def handle(self, item: Placed) -> None:
        await self._sender.send(*item)

    async def next_due(self) -> int | None:
        """None also while all accounts are full: then the end of another task wakes the worker."""
        pool = {each.account: each for each in self._upstreams.pool(self._provider)}
        every = [each.seat(each.rests_until) for each in pool.values()]
        due, with_room = await self._store.sends.waiting(self._provider, [seat for seat in every if seat])
        free_at = [pool[account].sends.free_at for account in with_room]
        return max(due, min(free_at)) if due is not None and free_at else None
