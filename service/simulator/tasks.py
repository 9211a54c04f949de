"""A task: what was ordered, and the script of how it goes. Its state is a pure function of the script and the time."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from service.simulator.markers import Behaviour, Fault


class Phase(StrEnum):
    """Where a task is, in no vendor's words."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a task fails, in the words of its vendor."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Script:
    """How a task goes. Times are seconds since the epoch."""

    created_at: float
    started_at: float
    ends_at: float
    ending: Phase = Phase.SUCCEEDED
    failure: Failure | None = None

    def phase(self, now: float) -> Phase:
        """The task's state at `now`."""
        if now >= self.ends_at:
            return self.ending
        return Phase.RUNNING if now >= self.started_at else Phase.QUEUED

    def canceled(self, now: float) -> Script:
        """The same task, canceled at `now`."""
        return replace(self, started_at=now, ends_at=now, ending=Phase.CANCELED, failure=None)


@dataclass(frozen=True, slots=True)
class Order:
    """A create that passed its vendor's checks.

    `service` is the vendor's own division of tasks (AceData's wan and happyhorse); `base` is the URL the create was
    sent to, without path; `defect` is what the task will fail of: what a vendor only finds out while it works on it.
    """

    provider: str
    owner: str = field(repr=False)
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: Mapping[str, Any]
    base: str
    model: str
    prompt: str
    service: str = ""
    defect: Failure | None = None

    @property
    def prompt_hash(self) -> str:
        """Names the prompt in statistics without repeating it."""
        return hashlib.sha256(self.prompt.encode()).hexdigest()[:16]

    @property
    def callback_url(self) -> str | None:
        url = self.body.get("callback_url")
        return url if isinstance(url, str) and url else None


@dataclass(slots=True)
class Task:
    """An accepted order. Only a cancel changes the script; `polls` and `downloads` count how often it was asked for."""

    id: str
    order: Order
    behaviour: Behaviour
    script: Script
    polls: int = 0
    downloads: int = 0

    def alias(self, name: str) -> str:
        """Another id that belongs to this task: its trace id, the id of a request, ..."""
        return str(uuid.uuid5(uuid.UUID(self.id), name))

    def next_poll_fault(self) -> Fault | None:
        """What goes wrong with this look at the task."""
        self.polls += 1
        return _still(self.behaviour.poll, self.polls)

    def next_download_fault(self) -> Fault | None:
        """What goes wrong with this download of its result."""
        self.downloads += 1
        return _still(self.behaviour.result, self.downloads)


@dataclass(frozen=True, slots=True)
class Create:
    """An accepted create as it came over the wire (`path` without the vendor's prefix, lower-case header names)."""

    provider: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: Mapping[str, Any]
    task_id: str
    at: float
    task: Task = field(repr=False)

    @property
    def billed(self) -> bool:
        """Whether it is paid for: no vendor bills a task that fails or was canceled (APIYI's Wan overview)."""
        return self.task.script.ending is Phase.SUCCEEDED


def _still(fault: Fault | None, times: int) -> Fault | None:
    return fault if fault is not None and times <= fault.count else None
