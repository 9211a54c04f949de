"""The exchange of a create is cut at its bytes: nobody pays twice, and what can be proven is not lost.

At every byte: `RINGBACK_TORTURE_TASKS=100000 pytest tests/torture/test_cuts.py`.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from adapters.providers import PROVIDERS
from service.network.http import upstream_client
from tests.service.asking import SHAPES, body_of, id_of, paths, record
from tests.torture import laws
from tests.torture.cutter import WHOLE, Cut, Cutter, Ending, Framing, cutting
from tests.world import World, accounts, serve, world

pytestmark = pytest.mark.anyio
TASKS = int(os.environ.get("RINGBACK_TORTURE_TASKS", "400"))
PROVABLE = frozenset({"acedata", "dashscope"})
"""Whose creates can be found again when their answer was lost."""
TROUBLE = (
    *((provider, f"create={how} times=1") for how in ("500", "502html", "noid") for provider in PROVIDERS),
    ("acedata", "create=denied:500 times=1"),  # at the others a no is believed
)
"""None after which an account rests: a create that waits makes no connection that could be cut."""
ROUND = 100
"""Tasks at once. More doubts than can be looked into before they are given up would prove nothing."""
PATIENCE_SECONDS = 0.3
"""How long an answer is waited for where silence is a way to end."""
TAIL = len(b"\r\n0\r\n\r\n")
"""What follows a chunked body: all of the answer is there before it."""


@pytest.fixture(autouse=True)
def _the_simulator_says_nothing_of_what_it_was_not_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "uvicorn.error")


@dataclass(frozen=True)
class Trial:
    """One create that is cut. Its prompt is like no other's and as long as all."""

    number: int
    words: str
    cut: Cut

    @property
    def prompt(self) -> str:
        return f"video {self.number:06} [sim:seconds=20 {self.words}]"

    @property
    def hook(self) -> str:
        return f"/{self.number:06}"


@dataclass
class Exchange:
    """The service and one provider's simulator, with the cutter between them."""

    it: World
    cutter: Cutter
    provider: str
    words: str
    replies: dict[Framing, int] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)

    async def run(self, cuts: Sequence[Cut]) -> None:
        """Creates that are cut, until their tasks ended, and what must be true of them then."""
        asked = []
        for cut in cuts:
            trial = Trial(next(self.numbers), self.words, cut)
            self.cutter.cuts.append(cut)
            asked.append((trial, asyncio.create_task(self._create(trial))))
            await self.cutter.taken(asked[-1][1])
        trials = [(trial, await creating) for trial, creating in asked]
        await self.it.settle(140, 2)
        await self.it.settle(1000, 100)
        for trial, task_id in trials:
            await self._check(trial, task_id)

    async def every_cut(self, ending: Ending) -> list[Cut]:
        """All cuts of this exchange that end so; a reply has other framings only where it matters how it ends."""
        cuts = []
        for framing in Framing if ending is Ending.FIN else (Framing.LENGTH,):
            await self.run([Cut(Ending.FIN, reply=WHOLE, framing=framing)])
            request, reply = self.cutter.seen
            self.replies[framing] = len(reply)
            if framing is Framing.LENGTH:
                cuts += [Cut(ending, request=sent) for sent in range(len(request) + 1)]
            whole = 0 if ending is Ending.SILENCE else 1  # silence after it would be a look's
            cuts += [Cut(ending, reply=came, framing=framing) for came in range(len(reply) + whole)]
        return cuts

    async def _create(self, trial: Trial) -> str:
        shape = SHAPES[self.provider]
        headers = {"x-callback-url": self.it.inbox.url + trial.hook}
        response = await self.it.client.post(paths(shape), json=body_of(shape, trial.prompt), headers=headers)
        assert response.status_code == 200, response.text
        return id_of(response)

    async def _check(self, trial: Trial, task_id: str) -> None:
        task = await record(self.it, task_id)
        creates = [one for one in self.it.upstreams.creates if one.task.order.prompt == trial.prompt]
        laws.check_the_bill(task, creates)
        laws.check_the_end(task, creates)
        heard = [one for one in self.it.inbox.received if one.path == trial.hook]
        laws.check_the_story(task, heard)
        assert len(heard) == 1, trial
        if creates and self.provider in PROVABLE:
            assert task["state"] == "SUCCEEDED", (trial, task)
        elif not self.words:
            assert task["state"] == ("SUCCEEDED" if self._was_answered(trial.cut) else "FAILED"), (trial, task)

    def _was_answered(self, cut: Cut) -> bool:
        tail = TAIL if cut.framing is Framing.CHUNKED else 0
        return cut.request is None and cut.reply >= self.replies.get(cut.framing, 0) - tail


@asynccontextmanager
async def exchange(folder: Path, provider: str, words: str = "", *, patient: bool = True) -> AsyncIterator[Exchange]:
    settings = {} if patient else {"create_timeout_seconds": PATIENCE_SECONDS}
    async with cutting() as cutter:
        # Without a limit: a create that waits for room makes no connection that could be cut.
        settings |= {"accounts": accounts([provider], lambda name: cutter.url, active=0)}
        service = world(folder, network=upstream_client, **settings)
        async with service as it, serve(it.simulator, "off") as cutter.target:
            yield Exchange(it, cutter, provider, words)


def sample(cuts: Sequence[Cut], most: int) -> list[Cut]:
    """At most so many, evenly spread, and the last."""
    step = max(len(cuts) / most, 1.0)
    return [cuts[int(place * step)] for place in range(min(most, len(cuts)))] + list(cuts[-1:])


async def cut_everywhere(it: Exchange, ending: Ending, most: int) -> None:
    cuts = sample(await it.every_cut(ending), most)
    for first in range(0, len(cuts), ROUND):
        await it.run(cuts[first : first + ROUND])


@pytest.mark.parametrize("ending", Ending)
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_whatever_byte_a_create_is_cut_at_it_is_paid_once_and_told_once(
    tmp_path: Path, provider: str, ending: Ending
) -> None:
    async with exchange(tmp_path, provider, patient=ending is not Ending.SILENCE) as it:
        await cut_everywhere(it, ending, TASKS // (2 * len(PROVIDERS) * len(Ending)))


@pytest.mark.parametrize(("provider", "words"), TROUBLE)
async def test_an_answer_that_says_trouble_is_cut_like_any_other(tmp_path: Path, provider: str, words: str) -> None:
    async with exchange(tmp_path, provider, words) as it:
        await cut_everywhere(it, Ending.FIN, TASKS // (2 * len(TROUBLE)))
