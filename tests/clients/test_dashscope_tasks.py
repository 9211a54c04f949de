"""What else Alibaba's own SDK does with tasks: cancel them, list them, and tell its user why one failed."""

from __future__ import annotations

import asyncio
from typing import Any

import dashscope
import pytest
from dashscope import VideoSynthesis
from dashscope.aigc.video_synthesis import AioVideoSynthesis
from dashscope.api_entities.aio_session import close_shared_aio_session
from dashscope.v2.errors import AuthenticationError, BadRequestError, ContentFilterError

from tests.clients.stage import KEY, Stage

QUEUED = "[sim:queue=60 seconds=90]"


@pytest.fixture(autouse=True)
def sdk(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashscope, "base_http_api_url", f"{stage.base}/api/v1")
    monkeypatch.setattr(dashscope, "api_key", KEY)


def _asked(stage: Stage, prompt: str, path: str = "/unused") -> Any:
    hook = {"X-Callback-Url": stage.inbox.url + path}
    asked = VideoSynthesis.async_call(model="wan2.7-t2v", prompt=prompt, headers=hook)
    assert asked.status_code == 200, asked.message
    return asked


def test_a_queued_task_is_canceled_once_and_its_subscriber_told(stage: Stage) -> None:
    stage.inbox.looks["/canceled"] = f"{stage.base}/api/v1/tasks/{{}}"
    asked = _asked(stage, f"Canceled {QUEUED}", "/canceled")
    assert VideoSynthesis.cancel(asked).status_code == 200
    [told] = stage.inbox.wait("/canceled")
    assert told.body["output"]["task_status"] == "CANCELED"
    assert told.body == told.answer
    assert VideoSynthesis.wait(asked).output.task_status == "CANCELED"
    assert VideoSynthesis.cancel(asked).status_code == 200, "asked again, as after a lost answer"
    assert len(stage.inbox.wait("/canceled")) == 1


def test_a_task_that_is_done_or_somebody_elses_cannot_be_canceled(stage: Stage) -> None:
    asked = _asked(stage, "Done before it is canceled")
    VideoSynthesis.wait(asked)
    private = _asked(stage, f"Not yours to cancel {QUEUED}")
    late, foreign = VideoSynthesis.cancel(asked), VideoSynthesis.cancel(private, api_key="sk-somebody-elses-key")
    for refused in (late, foreign):
        assert (refused.status_code, refused.code) == (400, "UnsupportedOperation")
    assert VideoSynthesis.fetch(private).output.task_status in ("PENDING", "RUNNING")


def test_the_asyncio_client_cancels_with_a_slash_and_an_empty_form(stage: Stage) -> None:
    async def program() -> Any:
        try:
            asked = await AioVideoSynthesis.async_call(model="wan2.7-t2v", prompt=f"Canceled in asyncio {QUEUED}")
            return await AioVideoSynthesis.cancel(asked)
        finally:
            await close_shared_aio_session()

    assert asyncio.run(program()).status_code == 200


def test_tasks_are_listed_by_state_and_model(stage: Stage) -> None:
    failed = VideoSynthesis.call(model="happyhorse-1.0-t2v", prompt="Listed [sim:fail]")
    listed = VideoSynthesis.list(status="FAILED", model_name="happyhorse-1.0-t2v", page_no=1, page_size=10)
    assert listed.status_code == 200
    assert (listed.output["total"], listed.output["total_page"]) == (1, 1)
    [row] = listed.output["data"]
    assert (row["task_id"], row["status"]) == (failed.output.task_id, "FAILED")
    strangers = VideoSynthesis.list(status="FAILED", api_key="sk-somebody-elses-key")
    assert strangers.output["total"] == 0


def test_the_second_client_raises_what_the_upstream_said(stage: Stage) -> None:
    with dashscope.Client(api_key=KEY, base_url=f"{stage.base}/api/v1") as client:
        with pytest.raises(ContentFilterError):
            client.videos.generate(model="wan2.7-t2v", prompt="Improper [sim:fail=DataInspectionFailed]")
        with pytest.raises(BadRequestError, match=r"parameters\.duration"):
            client.videos.generate(model="wan2.7-t2v", prompt="Endless", duration=99)
    nobody = dashscope.Client(api_key="sk-nobody", base_url=f"{stage.base}/api/v1")
    with nobody as client, pytest.raises(AuthenticationError):
        client.videos.generate(model="wan2.7-t2v", prompt="Nobody's")
    assert len(stage.creates("Improper")) == 1
    assert stage.creates("Endless") == stage.creates("Nobody's") == []
