"""Deliveries due: signed, POSTed through the guard, recorded, and done, later, or given up.

The body's bytes were fixed when the task ended; timestamp and signature are fresh for every attempt. A 2xx is success,
anything else is tried again by the schedule; 410 Gone ends it. Redirects are never followed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from service.accounts.pacing import Bucket
from service.backoff import DELIVERY_DELAYS, Jitter, next_delivery, next_hindered
from service.clock import Clock
from service.domain.deliveries import Delivery, DeliveryState, Sealed, Way
from service.domain.header_rules import wrong_headers
from service.domain.lanes import FOREVER, Lane, Standing, Turn, failed
from service.keys.clients import Clients
from service.keys.signing import sign
from service.keys.vault import Unopenable
from service.network.egress import Refused
from service.network.guard import EgressGuard
from service.network.http import URL, Client, Hindered, NoReply, Reply, send_once
from service.network.phases import Peer, Phases
from service.store import Store
from service.store.deliveries import LaneNote
from service.store.lanes import note_failure, note_success, reckon
from service.telling.attempts import Plan, attempt_of, log_attempt
from service.telling.failing import Failing
from service.telling.outcomes import ABORTED, Outcome, kept_body, kept_headers, read_reply, secrets_in
from service.telling.refresh import Refresher
from service.telling.windows import Windows

DEADLINE_SECONDS = 20.0
LEASE_MS = 90_000
"""Longer than an attempt takes at most: 30 s for an endpoint's own time-out, 25 s before it for a fresh link."""
BY_PROXY = "proxy"
ILL_SHARE, ILL_SAVED_MS = 8, 1280
"""Attempts at those that are ill begin at the pace at which this part of the slots gets free when nobody answers (6.4 a
second), or as many as they have saved up. Each costs those that are well some of the processor, and faster is a wave,
which ends as one a deadline later. Whoever answers gives its attempt back: many that come round are soon found."""
FRESH_MS = 600_000
"""A success is noted in its lane's row when the one noted there is so old; that it happened is known either way."""


class DeliveryQueue:
    """`slots` are the attempts that may be open at once."""

    def __init__(
        self,
        store: Store,
        clients: Clients,
        client: Client,
        guard: EgressGuard,
        clock: Clock,
        jitter: Jitter,
        failing: Failing,
        links: Refresher,
        slots: int,
    ) -> None:
        self._store = store
        self._clients = clients
        self._client = client
        self._guard = guard
        self._clock = clock
        self._jitter = jitter
        self._failing = failing
        self._links = links
        self._windows = Windows(slots, LEASE_MS)
        self._ill = Bucket(slots / ILL_SHARE / DEADLINE_SECONDS, clock() - ILL_SAVED_MS, ILL_SAVED_MS)
        self._troubled: set[str] = set()
        self._due: int | None = None

    async def claim(self, room: int) -> Sequence[Turn]:
        now = self._clock()
        while ready := await self._ready(room, now):
            lanes = {lane.id: lane for lane in ready}
            # Grants are worked out just before the claim stands in line: an attempt that ends after that is recorded
            # behind it, and opens its lane again.
            grants = self._windows.open(ready, room, now)
            claimed: Sequence[tuple[Delivery, Sealed | None]] = ()
            try:
                claimed = await self._store.lanes.claim(grants, now, now + LEASE_MS)
            finally:
                taken = Counter(delivery.lane for delivery, _ in claimed)
                for grant in grants:
                    self._windows.unused(lanes[grant.lane], grant.count - taken[grant.lane])
            if claimed:
                turns = [Turn(lanes[delivery.lane], delivery, sealed) for delivery, sealed in claimed]
                self._ill.take(sum(turn.lane.standing is Standing.ILL for turn in turns), now)
                return turns
        return []

    async def next_due(self) -> int | None:
        """As it was at the last look; what makes anything due earlier wakes the worker."""
        return self._due

    async def handle(self, item: Turn) -> bool:
        started, way, outcome = self._clock(), None, None
        if item.at_once and not self._windows.opened(item.lane, started):
            await self._store.deliveries.release(item.delivery, started)
            return False
        try:
            way, outcome = await self._attempt(item.delivery, item.sealed, started)
        finally:
            crowded = self._windows.crowded(item.lane.receiver)
            full = self._windows.closed(item, well=outcome.well if outcome else None)
            if item.lane.standing is Standing.ILL and outcome and outcome.well:
                self._ill.take(-1, self._clock())
        if outcome is None:
            await self._store.deliveries.park(item.delivery)
            return False
        noted = await self._record(item, outcome, way, started, full=full)
        return not noted and not crowded

    async def _ready(self, free: int, now: int) -> Sequence[Lane]:
        """What may be served now, and when to look again if it is nothing: also when those that are ill have room."""
        self._due = now
        room = self._room(free, now)
        ready, due = await self._store.lanes.ready(now, room, self._windows.full_hosts())
        if not ready:
            self._due = due if self._ill.room(now) else min(due or FOREVER, self._ill.free_at)
        return ready

    def _room(self, free: int, now: int) -> Mapping[Standing, int]:
        """How many lanes of each standing may be served now; those that are ill begin at a pace."""
        room = dict(self._windows.room(free))
        room[Standing.ILL] = min(room.get(Standing.ILL, 0), self._ill.room(now))
        return {standing: count for standing, count in room.items() if count}

    async def _attempt(self, item: Delivery, sealed: Sealed | None, started: int) -> tuple[Way | None, Outcome | None]:
        """How it was to be sent, and what came of it; nothing did if its endpoint is disabled."""
        way = None
        try:
            url = self._guard.policy.check_url(item.url)  # where it leads is judged at the connection
            way = self._clients.way(sealed)
            if way is None:
                reason = "not sent: its endpoint was deleted"
                return way, Outcome("no_endpoint", reason, self._none(started), final=True, counted=False)
            if way.disabled:
                return way, None
            fresh, remark = await self._links.fresh(item)
            outcome = await self._post(fresh, url, way, started)
            return way, replace(outcome, reason=f"{outcome.reason}; {remark}") if remark else outcome
        except Refused as error:
            return way, Outcome("refused", f"not dialled: {error.reason}", self._none(started))
        except Unopenable as error:
            reason = f"not sent: the webhook secret of its client cannot be read: {error}"
            return way, Outcome("unsigned", reason, self._none(started), counted=False, spent=False)
        except Hindered as error:
            reason = f"not sent: {error.reason}; this server's trouble, which uses up no attempt of the schedule"
            return way, Outcome("hindered", reason, error.phases, counted=False, spent=False)
        except NoReply as error:
            address = self._shown(error.peer)
            return way, Outcome("no_reply", error.reason, error.phases, address=address, well=False)

    async def _post(self, item: Delivery, url: URL, way: Way, started: int) -> Outcome:
        if (said := wrong_headers(way.headers)) is not None:  # judged when they were set; a rule may be younger
            return Outcome("unsent", f"not sent: headers of the endpoint: {said}", self._none(started), counted=False)
        signed = sign(way.secrets, item.id, started // 1000, item.body)
        headers = {**way.headers, "content-type": item.content_type, **signed}
        request = self._client.build_request("POST", url, content=item.body, headers=headers)
        seconds = way.timeout_seconds or DEADLINE_SECONDS
        return self._judge(await send_once(self._client, request, deadline_seconds=seconds), way)

    def _none(self, started: int) -> Phases:
        return Phases(total_ms=self._clock() - started)

    def _judge(self, reply: Reply, way: Way) -> Outcome:
        quotable = self._guard.policy.may_quote(reply.peer)
        said = {name: value for name, value in reply.headers.items() if quotable or name != "location"}
        outcome = read_reply(reply.status, said, reply.phases, self._clock())
        outcome = replace(outcome, address=self._shown(reply.peer))
        if not quotable:
            return outcome
        ours = secrets_in(way.headers)
        headers, body = kept_headers(reply.headers, ours), kept_body(reply.body, ours)
        return replace(outcome, headers=headers, reply=body)

    def _shown(self, peer: Peer | None) -> str | None:
        """The address that was spoken to, or by whom the receiver was; None where it may not be told."""
        if self._guard.proxied:
            return BY_PROXY
        return peer[0] if peer and self._guard.policy.may_quote(peer) else None

    async def _record(self, turn: Turn, outcome: Outcome, way: Way | None, started: int, *, full: bool) -> bool:
        """Whether something was written of the lane."""
        delivery, now = turn.delivery, self._clock()
        plan = self._plan(delivery, outcome, way, now)
        attempt = attempt_of(delivery, outcome, plan, started)
        delivered_at = now if outcome.delivered else None
        note = self._note(turn.lane, outcome, now, full=full)
        kept, lane = await self._store.deliveries.attempted(
            delivery, attempt, plan.state, delivered_at, note, spent=outcome.spent
        )
        log_attempt(delivery, kept, plan.state)
        if not outcome.spent:
            await self._failing.hindered(outcome)
        elif outcome.disable:
            await self._failing.unwanted(delivery, outcome)
        elif lane is not None:
            await self._failing.failed(delivery, lane, outcome)
        return note is not None

    def _plan(self, delivery: Delivery, outcome: Outcome, way: Way | None, now: int) -> Plan:
        if outcome.delivered:
            return Plan(DeliveryState.DELIVERED, None, None)
        if outcome.final and not (outcome.disable and delivery.endpoint and outcome.verdict != ABORTED):
            return Plan(DeliveryState.ABANDONED, None, "the receiver wants no more of it")
        if not outcome.spent:
            again = next_hindered(delivery.attempts - delivery.tries + 1, now, self._jitter)
            return Plan(DeliveryState.PENDING, again, "this server's own trouble does not count")
        tries, schedule = delivery.tries + 1, (way.schedule if way else None) or DELIVERY_DELAYS
        next_at = next_delivery(tries, now, outcome.retry_after, self._jitter, schedule, soon=outcome.soon)
        if next_at is None:
            return Plan(DeliveryState.EXHAUSTED, None, f"all {tries} attempts of the schedule have failed")
        if outcome.disable:
            return Plan(DeliveryState.PENDING, next_at, "its endpoint is disabled; it is sent when that is enabled")
        why = f"attempt {tries + 1} of the {len(schedule) + 1} of the schedule"
        if outcome.retry_after:
            why += f", not before the {outcome.retry_after:g} s that the receiver asked for, an hour at most"
        return Plan(DeliveryState.PENDING, next_at, why)

    def _note(self, lane: Lane, outcome: Outcome, now: int, *, full: bool) -> LaneNote | None:
        """What is written of the lane; nothing for one more success in a lane that is known to be well, if it had room
        for others anyway."""
        if not outcome.counted:
            return partial(reckon, now=now)
        if not outcome.delivered:
            self._troubled.add(lane.id)
            return partial(note_failure, now=now, change=partial(self._failed, outcome=outcome, now=now))
        standing = Standing.WELL if outcome.well else Standing.ILL
        news = full or lane.standing is not standing or lane.failures or lane.id in self._troubled
        self._troubled.discard(lane.id)
        if not news and lane.succeeded_at is not None and now - lane.succeeded_at < FRESH_MS:
            return None
        return partial(note_success, standing=standing, now=now)

    def _failed(self, lane: Lane, outcome: Outcome, now: int) -> Lane:
        return failed(
            lane, now, self._jitter, well=outcome.well, throttle=outcome.throttle, retry_after=outcome.retry_after
        )
