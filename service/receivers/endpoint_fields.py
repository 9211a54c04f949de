"""What a client says of an endpoint, read field by field. A wrong one is refused with its name and what is allowed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from adapters.messages import Category
from service.domain.deliveries import Format, Signature
from service.domain.header_rules import wrong_headers
from service.domain.tell import EVENT_TYPES
from service.errors import Refused, refused
from service.keys.signing import is_secret

LONGEST_TEXT = 200
MOST_STEPS = 20
LONGEST_STEP, LONGEST_SCHEDULE = 7 * 86_400, 30 * 86_400
LONGEST_TIMEOUT = 30
FASTEST, WIDEST = 1000, 16
LONGEST_OVERLAP = 30 * 86_400
OVERLAP_SECONDS = 86_400
"""How long a replaced secret goes on signing, if nothing else is said."""

Read = Callable[[str, Any], Any]


def wrong(field: str, text: str) -> Refused:
    return refused(400, Category.INVALID_REQUEST, f"{field}: {text}.")


def read_changes(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an `Endpoint` that these say, but for its URL and what is sealed; `headers` is a JSON text, or
    None. Raises `Refused` (400)."""
    return {_NAMED.get(name, name): read(name, fields[name]) for name, read in _READ.items() if name in fields}


def read_events(field: str, value: Any) -> tuple[str, ...] | None:
    """Types of messages, each once; None: every end."""
    if value is None:
        return None
    types = isinstance(value, list) and all(isinstance(one, str) and one in EVENT_TYPES for one in value)
    if not types or not value:
        raise wrong(field, f"a list of one or more of {', '.join(EVENT_TYPES)} is needed")
    return tuple(dict.fromkeys(value))


def read_format(field: str, value: Any) -> Format:
    if value not in list(Format):
        raise wrong(field, f"it may be {', '.join(Format)}")
    return Format(value)


def read_secret(field: str, value: Any) -> str | None:
    if value is not None and not (isinstance(value, str) and is_secret(value)):
        raise wrong(field, "whsec_ and the padded base64 of 24 to 64 bytes is needed; left out, one is made")
    return value


def read_overlap(field: str, value: Any) -> int:
    """Seconds."""
    return _whole(field, value, 0, LONGEST_OVERLAP, "seconds")


def _text(field: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or not (value.isprintable() or not value):
        raise wrong(field, f"a text of at most {LONGEST_TEXT} printable characters is needed")
    return value


def _schedule(field: str, value: Any) -> tuple[float, ...] | None:
    if value is None:
        return None
    numbers = isinstance(value, list) and all(isinstance(one, int | float) and one is not True for one in value)
    if not numbers or not 1 <= len(value) <= MOST_STEPS or not all(1 <= one <= LONGEST_STEP for one in value):
        raise wrong(
            field, f"1 to {MOST_STEPS} pauses are needed, each from 1 to {LONGEST_STEP} seconds (null: the usual ones)"
        )
    if sum(value) > LONGEST_SCHEDULE:
        raise wrong(field, f"all pauses together may be {LONGEST_SCHEDULE} seconds")
    return tuple(value)


def _signature(field: str, value: Any) -> Signature:
    if value not in list(Signature):
        raise wrong(field, f"it may be {', '.join(Signature)}")
    return Signature(value)


def _headers(field: str, value: Any) -> str | None:
    if value is None or value == {}:
        return None
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise wrong(field, "an object of names and texts is needed")
    if (said := wrong_headers(value)) is not None:
        raise wrong(field, said)
    return json.dumps(value)


def _flag(field: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise wrong(field, "true or false is needed")
    return value


def _up_to(most: int, unit: str) -> Read:
    def read(field: str, value: Any) -> int | None:
        return None if value is None else _whole(field, value, 1, most, unit)

    return read


def _whole(field: str, value: Any, least: int, most: int, unit: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise wrong(field, f"a whole number of {unit} from {least} to {most} is needed")
    return value


_READ: Mapping[str, Read] = {
    "description": _text,
    "events": read_events,
    "format": read_format,
    "schedule": _schedule,
    "timeout_seconds": _up_to(LONGEST_TIMEOUT, "seconds"),
    "headers": _headers,
    "signature": _signature,
    "default": _flag,
    "rate_per_second": _up_to(FASTEST, "messages"),
    "concurrency": _up_to(WIDEST, "open attempts"),
}
_NAMED = {"default": "is_default"}

CHANGEABLE = ("url", *_READ)
"""What a client may say of an endpoint that is there; of a new one its `secret` too."""
