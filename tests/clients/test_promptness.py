"""What has work does not sleep: every step from a create to its callback wakes the queue that has the next one."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from service import worker
from tests.clients.stage import KEY, Stage

AN_HOUR = 3_600_000


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Its own, without the habits of other tests' videos; its queues look for work by themselves only once an hour, so
    a wake that is missing leaves the inbox empty."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "IDLE_MS", AN_HOUR)
        with Stage(tmp_path_factory.mktemp("stage")).open() as running:
            yield running


@pytest.mark.parametrize("provider", ["acedata", "laozhang", "apiyi", "dashscope"])
def test_a_subscriber_is_told_though_no_queue_looks_for_work_by_itself(stage: Stage, provider: str) -> None:
    path = f"/prompt-{provider}"
    headers = {"authorization": f"Bearer {KEY}", "x-ringback-provider": provider}
    body = {
        "model": "wan2.6-t2v",
        "prompt": f"Promptness of {provider}",
        "callback_url": stage.inbox.url + path,
    }
    reply = httpx.post(f"{stage.base}/wan/videos", json=body, headers=headers, trust_env=False)
    assert reply.status_code == 200, reply.text
    [told] = stage.inbox.wait(path)
    assert told.body["task_id"] == reply.json()["task_id"]
