"""An endpoint in words that people read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.cli.output import when
from service.domain.deliveries import DisabledBy
from service.domain.lanes import Pause, Standing

Endpoint = Mapping[str, Any]

EVERY_END = "every end"
USUAL = "the usual"
STANDINGS: Mapping[str, str] = {
    Standing.NEW: "has not answered yet",
    Standing.WELL: "answers",
    Standing.ILL: "does not answer, or too late",
}
DISABLED: Mapping[str, str] = {
    DisabledBy.CLIENT: "by its client",
    DisabledBy.OPERATOR: "by the operator",
    DisabledBy.GONE: "because it answered 410",
    DisabledBy.FAILING: "because nothing but failures happened for days",
}
PAUSES: Mapping[str, str] = {
    Pause.THROTTLED: "rests, as it asked for, until",
    Pause.OPEN: "is not tried again before",
}


def in_fields(endpoint: Endpoint) -> dict[str, Any]:
    """Everything that the server tells of it, by name."""
    names = ("id", "client", "url", "description", "default")
    rates = ("rate_per_second", "concurrency")
    return {
        **{name: endpoint[name] for name in names},
        "events": events_of(endpoint),
        "format": endpoint["format"],
        "signature": endpoint["signature"],
        "schedule": _seconds(endpoint["schedule"]),
        "timeout": _seconds([endpoint["timeout_seconds"]] if endpoint["timeout_seconds"] else None),
        "headers": endpoint["header_names"],
        **{name: endpoint[name] for name in rates},
        "health": health_of(endpoint),
        "public_key": endpoint["public_key"],
        **{name.removesuffix("_at"): when(endpoint[name]) for name in ("created_at", "updated_at")},
        "secret": endpoint.get("secret"),
        "old_secret_until": when(endpoint.get("old_secret_until")),
    }


def in_row(endpoint: Endpoint) -> list[Any]:
    """The same in short."""
    default = "yes" if endpoint["default"] else None
    formed = (endpoint["format"], endpoint["signature"])
    return [endpoint["id"], endpoint["url"], default, events_of(endpoint), *formed, health_of(endpoint)]


def events_of(endpoint: Endpoint) -> str:
    return EVERY_END if endpoint["events"] is None else ", ".join(endpoint["events"])


def health_of(endpoint: Endpoint) -> str | None:
    """What keeps messages from it, or how its receiver fares; None if it was not told."""
    if endpoint["disabled_at"]:
        return f"disabled since {when(endpoint['disabled_at'])}, {DISABLED[endpoint['disabled_by']]}"
    health = endpoint.get("health")
    if health is None:
        return None
    if health["failures"]:
        paused = f"; it {PAUSES[health['pause']]} {when(health['paused_until'])}" if health["pause"] else ""
        times = "1 failure" if health["failures"] == 1 else f"{health['failures']} failures in a row"
        return f"{times} since {when(health['failing_since'])}{paused}"
    last = f", last at {when(health['succeeded_at'])}" if health["succeeded_at"] else ""
    return f"{STANDINGS[health['standing']]}{last}"


def _seconds(spans: list[float] | None) -> str:
    return USUAL if spans is None else ", ".join(f"{span:g} s" for span in spans)
