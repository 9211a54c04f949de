"""The simulator behind a real server and on a real socket."""

from __future__ import annotations

import logging

import httpx
import pytest
from starlette.applications import Starlette

from tests.simulator.upstream import Clock

HEADERS = {"Authorization": "Bearer sk-test"}


@pytest.mark.parametrize(("marker", "accepted"), [("lost", 1), ("dropped", 0)])
def test_the_socket_closes_where_the_answer_should_be(
    app: Starlette, base: str, marker: str, accepted: int, caplog: pytest.LogCaptureFixture
) -> None:
    with httpx.Client(base_url=f"{base}/acedata", headers=HEADERS) as client, caplog.at_level(logging.ERROR):
        with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
            client.post("/wan/videos", json={"prompt": f"[sim:create={marker}]", "async": True})
        assert client.post("/wan/videos", json={"prompt": "a cat", "async": True}).status_code == 200
    assert len(app.state.world.creates) == accepted + 1
    assert caplog.records == []


def test_results_are_served_where_the_create_was_sent(base: str, clock: Clock) -> None:
    with httpx.Client(base_url=f"{base}/acedata", headers=HEADERS) as client:
        task_id = client.post("/wan/videos", json={"prompt": "a cat", "async": True}).json()["task_id"]
        clock.turn(60)
        record = client.post("/wan/tasks", json={"action": "retrieve", "id": task_id}).json()
    url = record["response"]["video_url"]
    assert url.startswith(f"{base}/results/")
    assert httpx.get(url).content.endswith(task_id.encode())
