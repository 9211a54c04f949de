"""The demo's runs: one request through one provider each, what is known of it so far, and where replies tell of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.catalogue import builtin
from adapters.providers import PROVIDERS
from service.cli.demo_inbox import Received
from service.cli.scenarios import Scenario

HOOKS = "/hooks/"
ENDINGS: Mapping[str, str] = {
    "completed": "SUCCEEDED",
    "SUCCEEDED": "SUCCEEDED",
    "failed": "FAILED",
    "FAILED": "FAILED",
}
"""The words for an end in all shapes."""


@dataclass(frozen=True, slots=True)
class Telling:
    """Where a shape tells of a task: paths in the body of a callback (and, for flat, of a held reply)."""

    task_id: tuple[str, ...]
    state: tuple[str, ...]
    video_url: tuple[str, ...]


TELLINGS: Mapping[str, Telling] = {
    "flat": Telling(("task_id",), ("state",), ("video_url",)),
    "native": Telling(("output", "task_id"), ("output", "task_status"), ("output", "video_url")),
    "gateway": Telling(("task_id",), ("status",), ("result_url",)),
}
CREATED: Mapping[str, tuple[str, ...]] = {
    "flat": ("task_id",),
    "native": ("output", "task_id"),
    "gateway": ("output", "task_id"),
}
"""Where the reply to a create has the task's id."""


@dataclass(slots=True)
class Run:
    """One request through one provider. Times are seconds since the epoch; `problem` is what was not as scripted."""

    number: int
    scenario: Scenario
    provider: str
    task_id: str = ""
    state: str = ""
    sent_at: float = 0.0
    told_at: float | None = None
    received: list[Received] = field(default_factory=list)
    video_bytes: int | None = None
    problem: str | None = None
    over: bool = False
    called_back: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def hook(self) -> str:
        return f"{HOOKS}{self.number}"

    @property
    def seconds(self) -> float | None:
        """From the create to the word of the end."""
        return None if self.told_at is None else self.told_at - self.sent_at

    @property
    def verified(self) -> bool:
        return bool(self.received) and all(one.verdict.ok for one in self.received)

    @property
    def ok(self) -> bool:
        return self.over and self.problem is None


def plan(scenarios: Sequence[Scenario]) -> list[Run]:
    """Every scenario through every provider that offers its model."""
    catalogue = builtin()
    pairs = [
        (scenario, provider)
        for scenario in scenarios
        for provider in PROVIDERS
        if (model := catalogue.find(scenario.model)) and provider in model.providers
    ]
    return [Run(number, scenario, provider) for number, (scenario, provider) in enumerate(pairs, 1)]


def at(body: Any, path: tuple[str, ...]) -> Any:
    """What stands at a path in JSON; None if nothing does."""
    for name in path:
        body = body.get(name) if isinstance(body, dict) else None
    return body
