"""A link to a result that has expired by the time of a late attempt: a fresh one is told, everywhere the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.links import DAY_MS, expires_at, with_link
from service.simulator import SimulatorSettings
from tests.service.asking import created, record
from tests.world import World, world

pytestmark = pytest.mark.anyio
NOW = 1_760_000_000_000
HOUR = 3600.0


@pytest.mark.parametrize(
    ("query", "ends"),
    [
        ("?Expires=1769349278&Signature=x", 1_769_349_278_000),
        ("?X-Amz-Date=20260124T000000Z&X-Amz-Expires=3600", 1_769_216_400_000),
        ("?x-oss-date=20260124T000000Z&x-oss-expires=60", 1_769_212_860_000),
        ("?Expires=1", NOW + DAY_MS),  # no time at all
        ("?X-Amz-Date=soon&X-Amz-Expires=60", NOW + DAY_MS),
        ("", NOW + DAY_MS),
    ],
)
def test_a_link_ends_when_it_says_or_a_day_after_the_video(query: str, ends: int) -> None:
    assert expires_at(f"https://o.example/v.mp4{query}", NOW) == ends


@given(st.text(max_size=200))
def test_any_link_has_an_end(url: str) -> None:
    assert expires_at(url, NOW) > 0


def test_a_client_that_knows_no_other_word_gets_the_new_link_and_nothing_else() -> None:
    body = '{"output":{"video_url":"https://o/ä?a=1&b=\\"","n":1.0}}'.encode()
    assert (
        with_link(body, 'https://o/ä?a=1&b="', "https://o/new", "now")
        == b'{"output":{"video_url":"https://o/new","n":1.0}}'
    )
    assert with_link(body, "https://o/other", "https://o/new", "now") == body


class Storage:
    """The provider's record has another link from some time on."""

    def __init__(self, it: World) -> None:
        self.asked = 0
        self.link: str | None = None
        self._it = it
        it.between = self._answer

    async def _answer(self, request: httpx.Request) -> httpx.Response | None:
        if self.link is None or request.method != "GET":
            return None
        self.asked += 1
        upstream_id = request.url.path.rpartition("/")[2]
        output = {"task_id": upstream_id, "task_status": "SUCCEEDED", "video_url": self.link}
        return httpx.Response(200, json={"request_id": "r", "output": output})


async def late(it: World, **how: Any) -> str:
    """A task whose message is refused until its link has expired, and tried again after that."""
    it.inbox.answers = [(500, {})] * 7
    task = await created(it, "seconds=1", provider="dashscope", **how)
    await it.settle(1.9 * HOUR, 60)
    return task


async def test_a_late_attempt_tells_a_fresh_link_and_so_does_everything_else(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["dashscope"], simulator=SimulatorSettings(link_seconds=3600)) as it:
        storage = Storage(it)
        task = await late(it)
        first = it.inbox.received[0]
        storage.link = f"https://fresh.example.com/v.mp4?Expires={it.clock() // 1000 + 9 * 3600}"
        await it.settle(3 * HOUR, 60)
        last = it.inbox.received[-1]
        assert (last.id, storage.asked) == (first.id, 1)
        assert storage.link not in json.dumps(first.body)
        assert storage.link in json.dumps(last.body)
        told = await record(it, task)
        assert told["video_url"] == storage.link
        assert told["video_url_refreshed_at"]
        events = await it.ringback.store.event_log.page(0, 9, task=task)
        data = json.loads(events.events[-1].body)["data"]
        assert (data["video_url"], data["video_url_refreshed_at"]) == (storage.link, told["video_url_refreshed_at"])
        assert data == json.loads(it.ringback.teller.event(await latest(it, task)).body)["data"]


async def test_where_there_is_no_fresh_link_the_message_goes_out_and_its_record_says_so(tmp_path: Path) -> None:
    async with world(tmp_path, providers=["dashscope"], simulator=SimulatorSettings(link_seconds=3600)) as it:
        task = await late(it)
        await it.settle(3 * HOUR, 60)
        assert it.inbox.received[-1].raw == it.inbox.received[0].raw
        [shown] = (await record(it, task))["deliveries"]
        assert shown["state"] == "DELIVERED"
        assert "the link to its video has expired" in shown["log"][-1]["reason"]
        assert "expired" not in shown["log"][0]["reason"]


async def latest(it: World, task: str) -> Any:
    return await it.ringback.store.lookups.task(task)
