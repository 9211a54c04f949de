"""The demo's client program: sends every request, hears of every end, and judges whether all went as scripted.

It knows the service by plain HTTP only, as any client does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from service.cli.demo_house import House
from service.cli.demo_inbox import Received
from service.cli.demo_runs import CREATED, ENDINGS, TELLINGS, Run, at

WATCH_SECONDS = 0.25


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
