"""Who is told what, as JSON Schema: endpoints, subscriptions, messages and their attempts."""

from __future__ import annotations

from collections.abc import Mapping

from service.domain.deliveries import DeliveryState, DisabledBy, Format, Signature
from service.domain.lanes import Pause, Standing
from service.domain.tell import EVENT_TYPES
from service.openapi.words import (
    FLAG,
    NUMBER,
    TEXT,
    TIME,
    WHOLE,
    Part,
    Schema,
    array,
    described,
    nullable,
    record,
    ref,
    some,
)
from service.receivers.endpoint_fields import FASTEST, LONGEST_STEP, LONGEST_TEXT, LONGEST_TIMEOUT, MOST_STEPS, WIDEST

SECRET = described(
    {**TEXT, "pattern": "^whsec_[A-Za-z0-9+/]+={0,2}$", "writeOnly": True},
    "One that a receiver has already: whsec_ and the padded base64 of 24 to 64 bytes; left out, one is made",
)
EVENTS = described(
    nullable({"type": "array", "items": {"enum": list(EVENT_TYPES)}, "minItems": 1}),
    "What is told; null: every end (task.running is told only if it is named)",
)


def _whole(most: int, text: str) -> Part:
    return described(nullable({**WHOLE, "minimum": 1, "maximum": most}), text)


SETTINGS: Mapping[str, Schema] = {
    "description": described({**TEXT, "maxLength": LONGEST_TEXT}, "For people"),
    "events": EVENTS,
    "format": ref("Format"),
    "schedule": described(
        nullable(
            {
                "type": "array",
                "items": {**NUMBER, "minimum": 1, "maximum": LONGEST_STEP},
                "minItems": 1,
                "maxItems": MOST_STEPS,
            }
        ),
        "Seconds before the second and each further attempt; null: the usual ones",
    ),
    "timeout_seconds": _whole(LONGEST_TIMEOUT, "Of one attempt; null: 20"),
    "signature": {"enum": list(Signature), "description": "A shared secret (HMAC), our private key (ed25519), or both"},
    "default": described(FLAG, "Told of tasks that name no receiver"),
    "rate_per_second": _whole(FASTEST, "Attempts that begin in a second at most; null: no limit"),
    "concurrency": _whole(WIDEST, "Attempts that are open at once at most; null: 16"),
}
HEADERS = described(
    nullable({"type": "object", "additionalProperties": TEXT}),
    "Sent with each message; kept encrypted, the values are never shown",
)
HEALTH = record(
    {
        "standing": {"enum": list(Standing), "description": "new: it never answered; ill: not at all, late, or 5xx"},
        "failures": described(WHOLE, "In a row"),
        "failing_since": nullable(TIME),
        "succeeded_at": nullable(TIME),
        "paused_until": described(nullable(TIME), "Nothing is attempted before then"),
        "pause": {"enum": [None, *Pause], "description": "It asked for it (throttled), or the circuit is open"},
    }
)
SHOWN = {
    "id": TEXT,
    "client": TEXT,
    "url": TEXT,
    **SETTINGS,
    "header_names": array(TEXT),
    "public_key": described(nullable(TEXT), "whpk_...: verifies v1a signatures; null: this server lost the key"),
    "disabled_at": nullable(TIME),
    "disabled_by": {"enum": [None, *DisabledBy]},
    "created_at": TIME,
    "updated_at": TIME,
}
ENDPOINT = record(SHOWN | {"health": HEALTH}, SHOWN)
WITH_SECRET = record(
    SHOWN
    | {
        "secret": described(TEXT, "Shown this once"),
        "old_secret_until": described(nullable(TIME), "Until then the one before signs too"),
    }
)

DELIVERY = {
    "id": described(TEXT, "The webhook-id of every attempt"),
    **dict.fromkeys(("task_id", "type", "url"), TEXT),
    "endpoint": nullable(TEXT),
    "state": ref("DeliveryState"),
    "attempts": WHOLE,
    "created_at": TIME,
    "delivered_at": nullable(TIME),
    "next_attempt_at": nullable(TIME),
    "replay_of": described(nullable(TEXT), "The earlier delivery that this one repeats under an id of its own"),
    "body_kept": described(FLAG, "Bodies are deleted for their age; what has none cannot be sent again"),
}
ATTEMPT = record(
    {
        "number": WHOLE,
        "started_at": TIME,
        "elapsed_ms": WHOLE,
        "status": nullable(WHOLE),
        "verdict": TEXT,
        "reason": described(TEXT, "What came of it, and what to do about it"),
        "address": described(nullable(TEXT), "What was dialled, if it may be shown; `proxy` where a proxy did it"),
        **dict.fromkeys(("dns_ms", "connect_ms", "tls_ms", "first_byte_ms"), nullable(WHOLE)),
        "reply_headers": some({}),
        "reply": nullable(TEXT),
        "next_at": nullable(TIME),
        "why_next": described(nullable(TEXT), "Why there is another attempt then, or none"),
    }
)

EVENT = {"type": {"enum": list(EVENT_TYPES)}, "data": ref("Task")}

TELLING: Mapping[str, Part] = {
    "Format": {"enum": list(Format), "description": "The client's own shape, Ringback's event, or CloudEvents 1.0"},
    "Endpoint": ENDPOINT,
    "Subscription": record(
        {
            "id": TEXT,
            "url": TEXT,
            "endpoint": nullable(TEXT),
            "format": {"enum": [*Format, None], "description": "null: what its endpoint says"},
            "events": EVENTS,
            "created_at": TIME,
        }
    ),
    "DeliveryState": {"enum": list(DeliveryState)},
    "Delivery": record(DELIVERY),
    "DeliveryWithLog": {"allOf": [ref("Delivery"), record({"log": array(ATTEMPT)})]},
    "Event": record(EVENT | {"timestamp": TIME}),
    "CloudEvent": record(
        EVENT
        | dict.fromkeys(("id", "source", "subject"), TEXT)
        | {"specversion": {"const": "1.0"}, "time": TIME, "datacontenttype": {"const": "application/json"}}
    ),
}
