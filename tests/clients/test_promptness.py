"""How long after the end of a video its subscriber knows, by the real clock and the real loops."""

from __future__ import annotations

import httpx
import pytest

from tests.clients.stage import KEY, Stage

SOON = 2.5
"""Seconds. It takes well under one for an upstream that is polled, and up to two where AceData's one query a second is
in the way; a queue that sleeps on although it has work takes five."""


@pytest.mark.parametrize("provider", ["acedata", "laozhang", "apiyi", "dashscope"])
def test_a_subscriber_knows_soon_after_the_video_is_done(stage: Stage, provider: str) -> None:
    prompt, path = f"Promptness of {provider}", f"/prompt-{provider}"
    headers = {"authorization": f"Bearer {KEY}", "x-ringback-provider": provider}
    body = {"model": "wan2.6-t2v", "prompt": prompt, "callback_url": stage.inbox.url + path}
    reply = httpx.post(f"{stage.base}/wan/videos", json=body, headers=headers, trust_env=False)
    assert reply.status_code == 200, reply.text
    [told] = stage.inbox.wait(path)
    [create] = stage.creates(prompt)
    assert told.at - create.task.script.ends_at < SOON
