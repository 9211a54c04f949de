"""The noun of a replay: which deliveries are to be sent again, how fast, and how far that has come. Pure values.

Times are integer milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from service.domain.deliveries import DeliveryState

DEFAULT_RATE, HIGHEST_RATE = 50, 1000
"""Deliveries a second."""


class ReplayState(StrEnum):
    COLLECTING = "COLLECTING"  # what is to be sent again is being written down
    RUNNING = "RUNNING"
    DONE = "DONE"  # everything is in line; how its attempts went is told by the progress
    CANCELED = "CANCELED"


class Skipped(StrEnum):
    """Why a delivery of a replay was not sent again."""

    DELIVERED = "delivered_meanwhile"
    IN_LINE = "in_line"  # its first attempt is still to come
    PRUNED = "body_pruned"
    ENDPOINT_DISABLED = "endpoint_disabled"
    ENDPOINT_DELETED = "endpoint_deleted"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which deliveries: those made from `since` on and before `until` that have all that is said here. `failed`: tried
    and not delivered, whether or not there are attempts to come."""

    failed: bool = False
    states: tuple[DeliveryState, ...] = ()
    types: tuple[str, ...] = ()
    task: str = ""
    endpoint: str = ""
    since: int = 0
    until: int = 2**62


@dataclass(frozen=True, slots=True)
class Replay:
    """`client` is whose deliveries they are ("": everybody's, for the operator). `new_id`: each is sent as a message
    of its own. Of `matched` deliveries so many were `replayed` or `skipped`; the cursor is the last one of them.
    `rate` is how many a second; `claimed_at` is set while a worker works on it."""

    id: str
    client: str
    selection: Selection
    new_id: bool
    rate: int
    state: ReplayState
    created_at: int
    cursor_at: int = -1
    cursor_id: str = ""
    matched: int = 0
    replayed: int = 0
    skipped: int = 0
    due_at: int | None = None
    claimed_at: int | None = None
    finished_at: int | None = None

    @property
    def ended(self) -> bool:
        return self.state in (ReplayState.DONE, ReplayState.CANCELED)
