"""Hostile receivers and the whole server: every attempt is on record in one sentence, and others get theirs."""

from __future__ import annotations

import json
import logging
import re
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from service.telling import deliver
from tests.service.asking import record
from tests.service.hostile.kinds import Kind
from tests.service.hostile.replies import BOMBS, ENDLESS, FRAMING, HEADERS, LEADING, PROTOCOLS
from tests.service.hostile.serving import hostile
from tests.service.hostile.stages import STAGES
from tests.world import OTHER_KEY, SECRET, World, world

pytestmark = pytest.mark.anyio
GROUPS = {
    "stages": STAGES[::2],
    "floods": (*ENDLESS[::3], *BOMBS[::3]),
    "heads": HEADERS[::2],
    "framing": FRAMING[::3],
    "others": (*PROTOCOLS[::3], *LEADING),
}
VERDICTS = {"delivered", "redirect", "gone", "bad_status", "no_reply", "throttled", "busy"}


async def asked(it: World, url: str, key: str | None = None) -> str:
    body = {
        "action": "text2video",
        "model": "wan2.6-t2v",
        "prompt": "[sim:seconds=1]",
        "async": True,
        "callback_url": url,
    }
    reply = await it.client.post("/wan/videos", json=body, headers=it.as_key(key))
    assert reply.status_code == 200, reply.text
    task_id: str = reply.json()["task_id"]
    return task_id


@pytest.mark.parametrize("kinds", GROUPS.values(), ids=GROUPS)
async def test_every_attempt_is_told_in_a_sentence_and_neighbours_are_served(
    kinds: tuple[Kind, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(deliver, "DEADLINE_SECONDS", 1.0)
    caplog.set_level(logging.DEBUG, "ringback")
    async with world(tmp_path) as it, AsyncExitStack() as stack:
        tasks: list[tuple[Kind, str]] = []
        for kind in kinds:
            url = await stack.enter_async_context(hostile(kind))
            tasks.append((kind, await asked(it, f"{url}?token=secret-token")))
            await asked(it, f"{it.inbox.url}/hook", OTHER_KEY)
        await it.settle(4)
        assert len(it.inbox.bodies("/hook")) == len(kinds)
        for kind, task_id in tasks:
            assert_sane(kind, await record(it, task_id))
    own = [entry for entry in caplog.records if entry.name.startswith("ringback")]
    assert own
    for entry in own:
        assert not re.search(rf"secret-token|{SECRET.removeprefix('whsec_')}|v1,", repr(vars(entry)))


def assert_sane(kind: Kind, shown: dict) -> None:
    [delivery] = shown["deliveries"]
    assert delivery["log"], kind.name
    for attempt in delivery["log"]:
        assert attempt["verdict"] in VERDICTS, (kind.name, attempt)
        assert (attempt["status"] is None) == (attempt["verdict"] == "no_reply")
        assert re.fullmatch(r"[ -~]{10,300}", attempt["reason"]), (kind.name, attempt)
        if kind.body == 20:  # what it makes of a larger body is another matter
            assert attempt["status"] == kind.status, (kind.name, attempt)
        assert "secret-token" not in json.dumps(attempt)
