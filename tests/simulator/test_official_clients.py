"""The vendors' own client libraries take the simulator for the vendor."""

from __future__ import annotations

import dashscope
import pytest
from acedatacloud import AceDataCloud
from dashscope import VideoSynthesis

from tests.simulator.upstream import Clock


def test_dashscopes_own_client_finds_what_it_expects(base: str, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashscope, "base_http_api_url", f"{base}/dashscope/api/v1")
    asked = VideoSynthesis.async_call(model="wan2.7-t2v", prompt="[sim:seconds=10 queue=2]", duration=5, api_key="sk")
    assert (asked.status_code, asked.output.task_status) == (200, "PENDING")
    assert VideoSynthesis.cancel(asked, api_key="sk").status_code == 200
    again = VideoSynthesis.async_call(model="wan2.7-t2v", prompt="a cat", api_key="sk")
    clock.turn(60)
    ended = VideoSynthesis.wait(again, api_key="sk")
    assert (ended.output.task_status, ended.usage.video_count) == ("SUCCEEDED", 1)
    assert ended.output.video_url.startswith(f"{base}/results/")
    assert VideoSynthesis.list(status="CANCELED", api_key="sk").output["total"] == 1


def test_acedatas_own_client_finds_what_it_expects(base: str, clock: Clock) -> None:
    with AceDataCloud(api_token="sk", base_url=f"{base}/acedata") as client:
        video = client.wan.generate(model="wan2.6-t2v", prompt="a cat", duration=5)
        assert not video.done
        clock.turn(60)
        assert video.wait()["response"]["state"] == "completed"
    (url,) = video.urls()
    assert url.startswith(f"{base}/results/")
