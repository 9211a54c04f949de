"""Deliveries due: signed, POSTed through the guard, recorded, and done, later, or given up.

The body's bytes were fixed when the task ended; timestamp and signature are fresh for every attempt. A 2xx is success,
anything else is tried again by the schedule; 410 Gone ends it. Redirects are never followed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from service.backoff import DELIVERY_DELAYS, Jitter, next_delivery
from service.clients import Clients
from service.clock import Clock
from service.deliveries import Attempt, Delivery, DeliveryState, Way
from service.egress import Refused
from service.guard import EgressGuard
from service.header_rules import wrong_headers
from service.http import URL, Client, NoReply, Reply, send_once
from service.logs import get_logger
from service.signing import sign
from service.store import Store
from service.vault import Unopenable

log = get_logger("deliver")
DEADLINE_SECONDS = 20.0
LEASE_MS = 60_000
GONE = 410
SHARE = 16
"""A receiver with so many attempts open gets no further ones before one has ended."""

REPLY_KEPT = 2_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one POST, in a word and a sentence. `final` forbids another attempt."""

    verdict: str
    reason: str
    elapsed_ms: int
    status: int | None = None
    reply: str | None = None
    retry_after: float | None = None
    final: bool = False

    @property
    def delivered(self) -> bool:
        return self.verdict == "delivered"


class DeliveryQueue:
    def __init__(
        self,
        store: Store,
        clients: Clients,
        client: Client,
        guard: EgressGuard,
        clock: Clock,
        jitter: Jitter,
    ) -> None:
        self._store = store
        self._clients = clients
        self._client = client
        self._guard = guard
        self._clock = clock
        self._jitter = jitter
        self._open: Counter[str] = Counter()

    async def claim(self, room: int) -> Sequence[Delivery]:
        now = self._clock()
        claimed = await self._store.deliveries.claim(now, now + LEASE_MS, min(room, SHARE), self._busy())
        self._open.update(delivery.receiver for delivery in claimed)
        return claimed

    async def next_due(self) -> int | None:
        return await self._store.deliveries.next_due(self._busy())

    async def handle(self, item: Delivery) -> None:
        try:
            await self._attempt(item)
        finally:
            self._open[item.receiver] -= 1
            self._open += Counter()  # drops the receivers to which nothing is open

    def _busy(self) -> list[str]:
        return [receiver for receiver, attempts in self._open.items() if attempts >= SHARE]

    async def _attempt(self, item: Delivery) -> None:
        started, way = self._clock(), None
        try:
            url = self._guard.policy.check_url(item.url)  # where it leads is judged at the connection
            way = await self._clients.way_of(item)
            if way is not None and way.disabled:
                await self._store.deliveries.park(item)
                return
            outcome = await self._post(item, url, way, started) if way else _without_endpoint()
        except Refused as error:
            outcome = Outcome("refused", f"not dialled: {error.reason}", self._clock() - started)
        except Unopenable as error:
            reason = f"not sent: the webhook secret of its client cannot be read: {error}"
            outcome = Outcome("unsigned", reason, self._clock() - started)
        except NoReply as error:
            outcome = Outcome("no_reply", error.reason, error.phases.total_ms)
        await self._record(item, outcome, started, way.schedule if way else None)

    async def _post(self, item: Delivery, url: URL, way: Way, now: int) -> Outcome:
        if (said := wrong_headers(way.headers)) is not None:  # judged when they were set; a rule may be younger
            return Outcome("unsent", f"not sent: headers of the endpoint: {said}", 0)
        signed = sign(way.secrets, item.id, now // 1000, item.body)
        headers = {**way.headers, "content-type": item.content_type, **signed}
        request = self._client.build_request("POST", url, content=item.body, headers=headers)
        seconds = way.timeout_seconds or DEADLINE_SECONDS
        return self._judge(await send_once(self._client, request, deadline_seconds=seconds))

    def _judge(self, reply: Reply) -> Outcome:
        kept = reply.body[:REPLY_KEPT].decode(errors="replace").replace("\0", "\ufffd")
        text = kept if self._guard.policy.may_quote(reply.peer) else None
        verdict, reason = _sentence(reply)
        return Outcome(
            verdict,
            reason,
            reply.phases.total_ms,
            status=reply.status,
            reply=text,
            retry_after=read_retry_after(reply.headers, self._clock()),
            final=reply.status == GONE,
        )

    async def _record(
        self, delivery: Delivery, outcome: Outcome, started: int, schedule: Sequence[float] | None
    ) -> None:
        now = self._clock()
        tries = delivery.tries + 1
        state, next_at = DeliveryState.DELIVERED, None
        if outcome.final:
            state = DeliveryState.ABANDONED
        elif not outcome.delivered:
            next_at = next_delivery(tries, now, outcome.retry_after, self._jitter, schedule or DELIVERY_DELAYS)
            state = DeliveryState.EXHAUSTED if next_at is None else DeliveryState.PENDING
        attempt = Attempt(
            delivery=delivery.id,
            number=delivery.attempts + 1,
            started_at=started,
            elapsed_ms=outcome.elapsed_ms,
            verdict=outcome.verdict,
            reason=outcome.reason,
            status=outcome.status,
            reply=outcome.reply,
            next_at=next_at,
        )
        delivered_at = now if outcome.delivered else None
        _log(delivery, await self._store.deliveries.attempted(delivery, attempt, state, delivered_at), state)


def _without_endpoint() -> Outcome:
    return Outcome("no_endpoint", "not sent: its endpoint was deleted", 0, final=True)


def _sentence(reply: Reply) -> tuple[str, str]:
    status = reply.status
    if 200 <= status < 300:
        return "delivered", f"answered {status}"
    if 300 <= status < 400:
        return "redirect", f"answered {status}: redirects are not followed; change the callback URL"
    if status == GONE:
        return "gone", "answered 410 Gone: nothing more is sent there"
    return "bad_status", f"answered {status}; a 2xx is needed"


def read_retry_after(headers: Mapping[str, str], now: int) -> float | None:
    """Seconds from `Retry-After`, in either of its forms (RFC 9110 10.2.3); None if absent or unreadable."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter for years that no calendar has
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.fromtimestamp(now / 1000, UTC)).total_seconds())


def _log(delivery: Delivery, attempt: Attempt, state: DeliveryState) -> None:
    log.event(
        "delivery.attempted",
        delivery=delivery.id,
        task=delivery.task,
        type=delivery.type,
        host=urlsplit(delivery.url).hostname,
        number=attempt.number,
        status=attempt.status,
        verdict=attempt.verdict,
        reason=attempt.reason,
        elapsed_ms=attempt.elapsed_ms,
        state=state,
        next_at=attempt.next_at,
    )
