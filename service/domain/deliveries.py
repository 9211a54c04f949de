"""The nouns of telling: who wants to know, where, and what came of it. Pure values; times are integer milliseconds.

An Endpoint is a client's standing receiver. A Subscription is one task told to one URL or endpoint. A Delivery is one
message to one subscription, an Attempt one POST of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

RUNNING = "task.running"
"""Told only to whom asks for it by name."""


class Format(StrEnum):
    """What a subscriber is sent: the client's own shape, Ringback's event, or that in a CloudEvents 1.0 envelope."""

    OWN = "own"
    EVENT = "event"
    CLOUDEVENTS = "cloudevents"


class Signature(StrEnum):
    """How an endpoint's messages are signed: with a shared secret, a private key of ours (ed25519), or both."""

    V1 = "v1"
    V1A = "v1a"
    BOTH = "both"


class DisabledBy(StrEnum):
    """Why nothing is sent to an endpoint."""

    CLIENT = "client"
    OPERATOR = "operator"
    GONE = "gone"  # it answered 410
    FAILING = "failing"  # nothing but failures for days


class DeliveryState(StrEnum):
    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    EXHAUSTED = "EXHAUSTED"  # every attempt of the schedule failed
    ABANDONED = "ABANDONED"  # the receiver answered 410 Gone, or its endpoint was deleted


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A client's receiver: where, what of, in which form and how often it is told. `events` None means every end.
    `schedule` are the seconds before the second and each further attempt, `timeout_seconds` those of one; None means
    the server's. `headers` (a JSON object), `secret` (whsec_) and `signing_key` (whsk_) are sealed by the vault."""

    id: str
    client: str
    url: str
    secret: bytes
    signing_key: bytes
    created_at: int
    updated_at: int
    description: str = ""
    events: tuple[str, ...] | None = None
    format: Format = Format.OWN
    schedule: tuple[float, ...] | None = None
    timeout_seconds: int | None = None
    headers: bytes | None = None
    signature: Signature = Signature.V1
    is_default: bool = False
    rate_per_second: int | None = None
    concurrency: int | None = None
    disabled_at: int | None = None
    disabled_by: DisabledBy | None = None


@dataclass(frozen=True, slots=True)
class Subscription:
    """`events` None means what its endpoint says, or every end; `format` None what its endpoint says. Of an
    `endpoint`, `url` is where it was when somebody subscribed."""

    id: str
    task: str
    url: str
    format: Format | None
    created_at: int
    endpoint: str | None = None
    events: tuple[str, ...] | None = None

    def at(self, endpoint: Endpoint) -> Subscription:
        """What it comes to while its endpoint is like this."""
        events = endpoint.events if self.events is None else self.events
        return replace(self, url=endpoint.url, format=self.format or endpoint.format, events=events)

    def same_as(self, other: Subscription) -> bool:
        """Whether both tell the same to the same receiver."""
        receiver, theirs = self.endpoint or self.url, other.endpoint or other.url
        return (receiver, self.format, self.events) == (theirs, other.format, other.events)

    def wants(self, type_: str) -> bool:
        return type_ != RUNNING if self.events is None else type_ in self.events


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message. Its `id` is the `webhook-id` and `body` its exact bytes, both fixed for every attempt and replay.
    `receiver` is the host and port of its `url`, `lane` the line in which it waits (service.domain.lanes).
    `attempts` counts all POSTs, `tries` those since the schedule last began; `claimed_at` is set during one.
    Without `due_at` a pending one waits for its `endpoint` to be enabled. `replay_of` is the earlier message that this
    one repeats under an id of its own. Without a body it was pruned."""

    id: str
    task: str
    subscription: str
    client: str
    url: str
    receiver: str
    type: str
    state: DeliveryState
    body: bytes
    created_at: int
    attempts: int = 0
    tries: int = 0
    due_at: int | None = None
    claimed_at: int | None = None
    delivered_at: int | None = None
    replay_of: str | None = None
    endpoint: str | None = None
    content_type: str = "application/json"

    @property
    def lane(self) -> str:
        """Its endpoint's; without one its client's for that receiver, where two clients may mean different things."""
        return self.endpoint or f"{self.client} {self.receiver}"


@dataclass(frozen=True, slots=True)
class Sealed:
    """What says how a delivery is sent, as the store has it: its endpoint (None: a client's bare URL), and the
    sealed `secrets` and keys that sign, those that were replaced last. A bare URL without any is signed by the server's
    own."""

    secrets: tuple[bytes, ...] = ()
    endpoint: Endpoint | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """How a delivery is sent: what signs it (webhook secrets and private keys), and what its endpoint says of headers,
    pauses between attempts and the time of one; None means the server's. To a `disabled` endpoint nothing is sent."""

    secrets: tuple[str, ...]
    headers: Mapping[str, str] = field(default_factory=dict)
    schedule: tuple[float, ...] | None = None
    timeout_seconds: int | None = None
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """One POST of a delivery and what came of it; `verdict` is "delivered" or the kind of failure, `reason` a sentence.
    Of its time each step is known that was needed and reached (service.network.phases). `headers` and `reply` are the
    beginning of what was answered, if it may be shown; `why` says why the next one is when it is, or why there is
    none."""

    delivery: str
    number: int
    started_at: int
    elapsed_ms: int
    verdict: str
    reason: str
    status: int | None = None
    reply: str | None = None
    next_at: int | None = None
    dns_ms: int | None = None
    connect_ms: int | None = None
    tls_ms: int | None = None
    first_byte_ms: int | None = None
    address: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    why: str | None = None


USUAL_PORTS = {"https": "443", "http": "80"}
AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:/?#]*)(?::0*([0-9]*))?")


def receiver_of(url: str) -> str:
    """Host and port of a URL in one spelling, as connections are kept: without the dot that may end a name and without
    the usual port. Who wrote it otherwise would have a share of its own."""
    scheme, _, rest = url.lower().partition("://")
    found = AUTHORITY.match(rest)
    assert found is not None, "it fits every text"
    host, port = found[1].removesuffix("."), found[2]
    return f"{host}:{port}" if port and port != USUAL_PORTS.get(scheme) else host
