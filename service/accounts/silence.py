"""An upstream account that is not heard: whom that concerns, and what follows when it is heard again.

Nothing of it is a task's failure. Its tasks are stalled: looked at ever more slowly. The first success makes all of
them due at once; the pace of the account then spreads them.
"""

from __future__ import annotations

from service.accounts.upstream import Unheard, Upstream
from service.backoff import LONGEST_LOOK
from service.clock import Clock
from service.domain.tell import iso
from service.logs import get_logger
from service.operator import Operator
from service.store import Store

log = get_logger("silence")
SCOUT_SHARE, SOONEST_SCOUT_MS = 3, 60_000
"""While an account is silent, one of its tasks is looked at whenever the silence has grown by a third, within half an
hour: its end is noticed soon, however much all tasks have slowed down together."""

WAKE_MS = 60_000
"""The least time between two wakes: an account that is heard every other time wakes nobody all the time."""


class Silence:
    """Of one account. The operator is told of its beginning and of its end, once each, unless the key is lent."""

    def __init__(self, upstream: Upstream, store: Store, operator: Operator, clock: Clock) -> None:
        self._upstream = upstream
        self._store = store
        self._operator = operator
        self._clock = clock
        self._wake_at = 0  # the latest one, or the one that is to come
        self._told: str | None = None  # since when the operator knows that it is stalled
        self._remembered = False
        self._scout_at: int | None = None

    async def unheard(self, error: Unheard) -> None:
        """A look told nothing."""
        log.event("look.unheard", provider=self._upstream.label, reason=str(error))
        now, health = self._clock(), self._upstream.health
        health.unheard(now)
        lasts = now - (now if health.since is None else health.since)
        self._scout_at = now + min(max(lasts // SCOUT_SHARE, SOONEST_SCOUT_MS), int(LONGEST_LOOK * 1000))
        if error.refused and not self._upstream.lent:
            label, name = self._upstream.label, self._upstream.name
            await self._operator.tell("upstream.look_refused", label, provider=name, reason=str(error))

    async def notice(self) -> None:
        """Does what is to be done since the last time; asked before every claim, so it costs nothing when there is
        nothing."""
        if self._upstream.health.turned:
            self._upstream.health.turned = False
            try:
                await self._over()
            except BaseException:
                self._upstream.health.turned = True
                raise
            return
        if self._told is None and not self._upstream.lent and self._upstream.health.silent(self._clock()):
            await self._begun()
        await self._scout()

    async def _scout(self) -> None:
        now = self._clock()
        if self._upstream.health.since is not None and self._scout_at is not None and now >= self._scout_at:
            self._scout_at = None  # until it, or another one, was not heard
            await self._store.placements.scout(self._upstream.name, now, self._upstream.holds)

    async def _begun(self) -> None:
        waiting = await self._store.placements.waiting(self._upstream.name, self._upstream.holds)
        since = self._upstream.health.since
        if waiting and since is not None and self._told is None:
            self._told = iso(since)
            label, name = self._upstream.label, self._upstream.name
            await self._operator.tell(
                "provider.stalled", label, provider=name, silent_since=self._told, tasks=str(waiting)
            )

    async def _over(self) -> None:
        now = self._clock()
        soon = now + int(min(self._upstream.provider.floor_seconds, self._upstream.every) * 1000)  # one just missed
        at = self._wake_at if self._wake_at >= soon else max(soon, self._wake_at + WAKE_MS)
        woken = await self._store.placements.wake(self._upstream.name, at, self._upstream.holds)
        self._wake_at = at
        since = await self._known_since()
        if since is not None:
            label, name = self._upstream.label, self._upstream.name
            await self._operator.tell(
                "provider.heard", label, provider=name, silent_since=since, until=iso(now), tasks=str(woken)
            )

    async def _known_since(self) -> str | None:
        """Since when the operator takes it for stalled, perhaps told by the process before this one."""
        since, self._told = self._told, None
        if since is None and not self._remembered:
            latest = await self._store.events.latest(("provider.stalled", "provider.heard"), self._upstream.label)
            since = latest.fields.get("silent_since") if latest and latest.kind == "provider.stalled" else None
        self._remembered = True
        return since
