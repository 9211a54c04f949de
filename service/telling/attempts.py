"""What is kept of an attempt, and what is logged of it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from service.domain.deliveries import Attempt, Delivery, DeliveryState
from service.logs import get_logger
from service.telling.outcomes import Outcome

log = get_logger("deliver")


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of a message after an attempt."""

    state: DeliveryState
    next_at: int | None
    why: str | None


def attempt_of(delivery: Delivery, outcome: Outcome, plan: Plan, started: int) -> Attempt:
    return Attempt(
        delivery=delivery.id,
        number=delivery.attempts + 1,
        started_at=started,
        elapsed_ms=outcome.phases.total_ms,
        verdict=outcome.verdict,
        reason=outcome.reason,
        status=outcome.status,
        reply=outcome.reply,
        next_at=plan.next_at,
        dns_ms=outcome.phases.dns_ms,
        connect_ms=outcome.phases.connect_ms,
        tls_ms=outcome.phases.tls_ms,
        first_byte_ms=outcome.phases.first_byte_ms,
        address=outcome.address,
        headers=outcome.headers,
        why=plan.why,
    )


def log_attempt(delivery: Delivery, attempt: Attempt, state: DeliveryState) -> None:
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
        dns_ms=attempt.dns_ms,
        connect_ms=attempt.connect_ms,
        tls_ms=attempt.tls_ms,
        first_byte_ms=attempt.first_byte_ms,
        state=state,
        next_at=attempt.next_at,
        why=attempt.why,
    )
