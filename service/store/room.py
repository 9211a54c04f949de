"""Room at the upstream accounts, and who goes first when there is some.

How many tasks an account has at work is counted in the rows, under a lock per provider, in the transaction that places
one more: so a limit holds whatever races, and after every start.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from service.store import rows
from service.store.engine import Transaction
from service.store.schema import AT_WORK, LIVE

MANY = 1000
"""As many tasks as are counted of an account without a limit; counting has to stay cheap."""

ENOUGH = 200
"""As many tasks as are counted of one client: who has that many is as far behind as anybody."""


@dataclass(frozen=True, slots=True)
class Seat:
    """One upstream account as somebody who is to be sent sees it. `account` names it; the tasks of `holds` are at work
    there (none: all of the provider's), at most `most` of them at once (None: any number). `pace` is how many may leave
    now. It is taken `last` while there is trouble with it."""

    account: str = ""
    holds: tuple[str, ...] = ()
    most: int | None = None
    pace: int = MANY
    last: bool = False


class Room:
    """What is free at a provider, in the order of `seats` where they are equal. True only under `lock_sends`."""

    def __init__(self, tx: Transaction, provider: str, seats: Sequence[Seat]) -> None:
        self._seats = {seat.account: seat for seat in seats}
        alone = len(seats) == 1 and seats[0].most is None
        self._free = {seat.account: MANY if alone else _free(tx, provider, seat) for seat in seats}
        self._pace = {seat.account: seat.pace for seat in seats}

    @property
    def open(self) -> frozenset[str]:
        """The accounts with room."""
        return frozenset(name for name in self._seats if self._free[name] > 0)

    def take(self) -> str | None:
        """The account with the most room, which has one place less from then on; None if all are full."""
        account = self._best()
        if account is not None:
            self._free[account] -= 1
            self._pace[account] -= 1
        return account

    def _best(self) -> str | None:
        free = [name for name in self._seats if self._free[name] > 0 and self._pace[name] > 0]
        return max(free, key=lambda name: (not self._seats[name].last, self._free[name]), default=None)


def _free(tx: Transaction, provider: str, seat: Seat) -> int:
    most = MANY if seat.most is None else seat.most
    theirs, names = rows.any_of("account", seat.holds)
    # A watcher's own key is an account of its own.
    found = tx.one(
        f"SELECT count(*) AS live FROM (SELECT 1 AS one FROM placements WHERE provider = :provider AND {LIVE}"
        f" AND {theirs} AND credential IS NULL LIMIT :most) AS counted",
        provider=provider, most=most, **names,
    )  # fmt: skip
    live = int(found["live"]) if found else 0
    return max(most - live, int(seat.most is None))  # an account without a limit is never full


class Line:
    """The tasks that are due to be sent to one provider, in the order in which they may go: the client with the fewest
    tasks at work there first, and of one client's tasks the one that has been due for longest."""

    def __init__(self, tx: Transaction, provider: str, now: int, most: int) -> None:
        self._tx, self._provider, self._now, self._most = tx, provider, now, most
        self._tasks: dict[str, deque[tuple[int, str]]] = {}
        self._heap = [(self._at_work(client), due, client) for client, due in heads(tx, provider) if due <= now]
        heapify(self._heap)

    def next(self) -> str | None:
        """A task; None when nobody waits any more."""
        while self._heap:
            at_work, _, client = heappop(self._heap)
            if client not in self._tasks:
                self._tasks[client] = self._of(client)
            tasks = self._tasks[client]
            if not tasks:
                continue
            _, task = tasks.popleft()
            if tasks:
                heappush(self._heap, (at_work + 1, tasks[0][0], client))
            return task
        return None

    def _at_work(self, client: str) -> int:
        found = self._tx.one(
            "SELECT count(*) AS live FROM (SELECT 1 AS one FROM tasks WHERE provider = :provider AND client = :client"
            f" AND {AT_WORK} LIMIT :most) AS counted",
            provider=self._provider, client=client, most=ENOUGH,
        )  # fmt: skip
        return int(found["live"]) if found else 0

    def _of(self, client: str) -> deque[tuple[int, str]]:
        found = self._tx.all(
            "SELECT id, due_at FROM tasks WHERE state = 'ACCEPTED' AND provider = :provider AND client = :client"
            " AND due_at <= :now ORDER BY due_at LIMIT :most",
            provider=self._provider, client=client, now=self._now, most=self._most,
        )  # fmt: skip
        return deque((row["due_at"], row["id"]) for row in found)


def heads(tx: Transaction, provider: str) -> list[tuple[str, int]]:
    """Each client that has tasks waiting for a provider, and when its first one is due. However many tasks wait, the
    index is asked once or twice for each client."""
    waiting = "state = 'ACCEPTED' AND provider = :provider"
    found = tx.all(
        f"WITH RECURSIVE clients (client) AS (SELECT min(client) FROM tasks WHERE {waiting} UNION ALL"
        f" SELECT (SELECT min(tasks.client) FROM tasks WHERE {waiting} AND tasks.client > clients.client)"
        " FROM clients WHERE clients.client IS NOT NULL)"
        f" SELECT client, (SELECT min(due_at) FROM tasks WHERE {waiting} AND tasks.client = clients.client) AS due_at"
        " FROM clients WHERE client IS NOT NULL",
        provider=provider,
    )
    return [(row["client"], row["due_at"]) for row in found if row["due_at"] is not None]


def lock_sends(tx: Transaction, providers: Iterable[str]) -> None:
    """Until this transaction ends nobody else takes room at these providers. Always in one order: nobody waits in a
    circle."""
    for provider in sorted(providers):
        tx.lock(f"sends.{provider}")


def seated(tx: Transaction, provider: str, seats: Sequence[Seat], now: int) -> str | None:
    """An account with room for a task that has just come; None: there is none, or others have waited for longer.
    Needs `lock_sends`."""
    waited_for = any(due <= now for _, due in heads(tx, provider))
    return None if waited_for else Room(tx, provider, seats).take()
