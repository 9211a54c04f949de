"""The demo's client program: sends every request, hears of every end, and judges whether all went as scripted.

It knows the service by plain HTTP only, as any client does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from adapters.catalogue import builtin
from adapters.providers import PROVIDERS
from service.cli.demo_house import House
from service.cli.demo_inbox import Received
from service.cli.scenarios import Scenario

HOOKS = "/hooks/"
WATCH_SECONDS = 0.25
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


class Wrong(Exception):
    """Something did not go as scripted."""


class Play:
    """Performs runs against the service. The inbox is to call `received`; `replied` is called for a held reply."""

    def __init__(self, house: House, runs: Sequence[Run], replied: Callable[[Run], None]) -> None:
        self._runs = runs
        self._replied = replied
        self._house = house
        self._by_hook = {run.hook: run for run in runs}
        headers = {"authorization": f"Bearer {house.key}"}
        limits = httpx.Limits(max_connections=None)
        self._http = httpx.AsyncClient(
            base_url=house.url, headers=headers, timeout=httpx.Timeout(10, read=None), limits=limits, trust_env=False
        )
        self._anonymous = httpx.AsyncClient(timeout=10, trust_env=False)  # a result's link is its own permission

    async def perform(self, deadline_seconds: float) -> None:
        """Returns when every run is over, or the time is."""
        async with self._http, self._anonymous:
            watching = asyncio.create_task(self._watch())
            acts = [asyncio.create_task(self._act(run)) for run in self._runs]
            try:
                _, late = await asyncio.wait(acts, timeout=deadline_seconds)
            finally:
                watching.cancel()
                for act in acts:
                    act.cancel()
                await asyncio.gather(watching, *acts, return_exceptions=True)
        for run, act in zip(self._runs, acts, strict=True):
            if act in late:
                run.problem = run.problem or f"nothing was heard of its end within {deadline_seconds:g} s"

    def received(self, one: Received) -> Run | None:
        """Notes a callback; gives the run that it belongs to."""
        run = self._by_hook.get(one.path)
        if run is not None:
            run.received.append(one)
            run.told_at = run.told_at or one.at
            run.called_back.set()
        return run

    async def _act(self, run: Run) -> None:
        try:
            body = await self._create(run)
            if not run.scenario.held:
                await run.called_back.wait()
                body = self._believed(run)
            await self._judge(run, body)
            if run.scenario.held:
                self._replied(run)
        except Wrong as wrong:
            run.problem = str(wrong)
        except httpx.HTTPError as error:
            run.problem = f"no answer ({type(error).__name__})"
        run.over = True

    async def _create(self, run: Run) -> Any:
        """Sends the request and notes the id in its reply. A flat one has a field for the callback URL."""
        scenario, hook = run.scenario, self._house.inbox_url + run.hook
        body, headers = dict(scenario.body), {"X-Ringback-Provider": run.provider}
        if scenario.shape == "flat" and not scenario.held:
            body["callback_url"] = hook
        elif not scenario.held:
            headers |= {"X-Callback-Url": hook, "X-DashScope-Async": "enable"}
        run.sent_at = time.time()
        reply = await self._http.post(scenario.path, json=body, headers=headers)
        if reply.status_code != httpx.codes.OK:
            raise Wrong(f"the create was answered {reply.status_code}: {reply.text[:200]}")
        created = reply.json()
        run.task_id = str(at(created, CREATED[scenario.shape]))
        run.told_at = time.time() if scenario.held else run.told_at
        return created

    def _believed(self, run: Run) -> Any:
        for one in run.received:
            if not one.verdict.ok:
                raise Wrong(f"a callback did not verify: {one.verdict.sentence}")
        return run.received[0].body

    async def _judge(self, run: Run, body: Any) -> None:
        telling = TELLINGS[run.scenario.shape]
        if at(body, telling.task_id) != run.task_id:
            raise Wrong("what was told belongs to another task")
        word = str(at(body, telling.state))
        run.state = ENDINGS.get(word, word)
        if run.state != run.scenario.ends:
            raise Wrong(f"it ended as {run.state}, not as {run.scenario.ends}")
        if run.state == "SUCCEEDED":
            run.video_bytes = await self._download(str(at(body, telling.video_url)))

    async def _download(self, url: str) -> int:
        reply = await self._anonymous.get(url)
        if reply.status_code != httpx.codes.OK or b"ftyp" not in reply.content[:16]:
            raise Wrong(f"its video cannot be downloaded: the link was answered {reply.status_code}")
        return len(reply.content)

    async def _watch(self) -> None:
        """Shows how the tasks are on their way; what they end as is told by callback."""
        runs: dict[str, Run] = {}
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            page = (await self._http.get("/v1/tasks", params={"limit": 200})).json()
            runs |= {run.task_id: run for run in self._runs if run.task_id}
            for task in page["tasks"]:
                run = runs.get(task["task_id"])
                if run is not None and not run.over:
                    run.state = task["state"]


def at(body: Any, path: tuple[str, ...]) -> Any:
    """What stands at a path in JSON; None if nothing does."""
    for name in path:
        body = body.get(name) if isinstance(body, dict) else None
    return body
