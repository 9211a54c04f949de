"""The connection breaks while the upstream is still thinking, and the SDK asks again by itself: one video is paid for.

None of these SDKs sends an idempotency key. That nobody was left to be handed the first answer is what tells the repeat
from a second wish.
"""

from __future__ import annotations

from collections.abc import Iterator

import dashscope
import pytest
from acedatacloud import AceDataCloud
from dashscope import VideoSynthesis

from tests.clients.stage import KEY, Stage

SLOW = "[sim:create=delay:0.7]"


@pytest.fixture
def asked_twice(stage: Stage) -> Iterator[None]:
    before = stage.line.creates
    yield
    assert stage.line.creates == before + 2, "the SDK is known to ask again"


@pytest.mark.usefixtures("asked_twice")
def test_dashscopes_classic_client(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashscope, "base_http_api_url", f"{stage.line.url}/api/v1")
    ended = VideoSynthesis.call(model="wan2.7-t2v", prompt=f"Cut off, classic {SLOW}", api_key=KEY)
    assert ended.output.task_status == "SUCCEEDED"
    assert len(stage.creates("Cut off, classic")) == 1


@pytest.mark.usefixtures("asked_twice")
def test_dashscopes_second_client(stage: Stage) -> None:
    with dashscope.Client(api_key=KEY, base_url=f"{stage.line.url}/api/v1") as client:
        job = client.videos.generate(model="wan2.7-t2v", prompt=f"Cut off, second {SLOW}")
    assert job.video_url.startswith(stage.simulator)
    assert len(stage.creates("Cut off, second")) == 1


@pytest.mark.usefixtures("asked_twice")
@pytest.mark.parametrize("held", [False, True])
def test_acedatas_client(stage: Stage, held: bool) -> None:
    prompt = f"Cut off, {'held' if held else 'async'}"
    with AceDataCloud(api_token=KEY, base_url=stage.line.url) as client:
        video = client.wan.generate(model="wan2.6-t2v", prompt=f"{prompt} {SLOW}", async_=not held)
        video.wait(poll_interval=0.2, max_wait=30)
    assert len(video.urls()) == 1
    assert len(stage.creates(prompt)) == 1


def test_two_programs_that_ask_for_the_same_get_one_video_each(stage: Stage) -> None:
    with AceDataCloud(api_token=KEY, base_url=stage.base) as client:
        first, second = (client.wan.generate(model="wan2.6-t2v", prompt="Two takes of one prompt") for _ in range(2))
    assert first.id != second.id
    assert len(stage.creates("Two takes of one prompt")) == 2


def test_an_idempotency_key_of_the_whole_client_makes_one_video_and_spoils_no_poll(stage: Stage) -> None:
    """AceData's polls are POSTs as well, and client-wide headers ride on them."""
    with AceDataCloud(api_token=KEY, base_url=stage.base, headers={"Idempotency-Key": "take-1"}) as client:
        first, second = (client.wan.generate(model="wan2.6-t2v", prompt="One take only") for _ in range(2))
        assert first.id == second.id
        first.wait(poll_interval=0.2, max_wait=30)
        assert len(first.urls()) == 1
    assert len(stage.creates("One take only")) == 1
