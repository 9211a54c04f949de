"""The main path: a create in, a signed POST out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.world import world

pytestmark = pytest.mark.anyio
NATIVE = "/api/v1/services/aigc/video-generation/video-synthesis"


async def test_a_flat_task_ends_in_a_signed_post(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        body = {
            "action": "text2video",
            "model": "wan2.6-t2v",
            "prompt": "Astronauts shuttle from space to volcano",
            "duration": 5,
            "callback_url": f"{it.inbox.url}/hook",
        }
        created = await it.client.post("/wan/videos", json=body)
        assert created.status_code == 200, created.text
        task_id = created.json()["task_id"]
        await it.settle(30)
        [told] = it.inbox.bodies("/hook")
        assert told["success"] is True
        assert told["task_id"] == task_id
        assert told["video_url"].startswith("http")
        assert not it.inbox.forged
        assert len(it.upstreams.creates) == 1
