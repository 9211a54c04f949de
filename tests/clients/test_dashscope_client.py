"""The client of Alibaba's second SDK, unmodified. It has no headers per call: where its user wants to be called back is
told by an HTTP client of its own, or known here of its key."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import dashscope
import httpx
import pytest
from dashscope.v2.errors import ContentFilterError, DashScopeError

from tests.clients.stage import KEY, OTHER_KEY, Stage

QUEUED = "[sim:queue=60 seconds=90]"
QUICK = {"poll_interval": 0.2, "max_interval": 0.4}
DEFAULT_KEY = "sk-known-with-a-default-callback"


class Wire(list[tuple[str, int]]):
    """Method and status of every answer that the SDK has seen."""

    def note(self, response: httpx.Response) -> None:
        self.append((response.request.method, response.status_code))


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def client(stage: Stage, wire: Wire) -> Iterator[dashscope.Client]:
    base = f"{stage.base}/api/v1"
    headers = {
        "authorization": f"Bearer {KEY}",
        "x-callback-url": f"{stage.inbox.url}/second-client",
        "x-ringback-provider": "dashscope",
    }
    with (
        httpx.Client(base_url=base, headers=headers, event_hooks={"response": [wire.note]}) as http,
        dashscope.Client(api_key=KEY, base_url=base, http_client=http) as opened,
    ):
        yield opened


def test_a_video_is_generated_and_called_back(stage: Stage, client: dashscope.Client) -> None:
    job = client.videos.generate(model="wan2.7-t2v", prompt="A whale, called back", duration=5, **QUICK)
    [told] = stage.inbox.wait("/second-client", job.task_id)
    assert told.body["output"]["video_url"] == job.video_url
    assert job.video_url.startswith(f"{stage.simulator}/results/")
    assert (job.status, job.usage.duration, job.usage.video_count) == ("SUCCEEDED", 5, 1)
    [create] = stage.creates("A whale, called back")
    assert "x-callback-url" not in create.headers


def test_the_upstreams_503_is_never_seen(stage: Stage, client: dashscope.Client, wire: Wire) -> None:
    client.videos.generate(model="wan2.7-t2v", prompt="A whale in a storm [sim:poll=503:2]", **QUICK)
    assert {status for _, status in wire} == {200}
    assert [method for method, _ in wire].count("POST") == 1
    [create] = stage.creates("A whale in a storm")
    assert create.task.polls > 2, "the first two looks were refused"


def test_a_failure_is_raised_and_told_where_the_key_wants_it(stage: Stage) -> None:
    stage.register(DEFAULT_KEY, "/default-of-a-key")
    prompt = "A whale, refused [sim:fail=DataInspectionFailed]"
    with dashscope.Client(api_key=DEFAULT_KEY, base_url=f"{stage.base}/api/v1") as client:
        job = client.videos.jobs.create(model="wan2.7-t2v", prompt=prompt)
        with pytest.raises(ContentFilterError):
            client.videos.jobs.wait(job, **QUICK)
    [told] = stage.inbox.wait("/default-of-a-key")
    assert (told.body["output"]["task_id"], told.body["output"]["task_status"]) == (job.task_id, "FAILED")
    assert len(stage.creates("A whale, refused")) == 1


def test_a_task_is_listed_then_canceled_and_its_wait_ends(stage: Stage, client: dashscope.Client) -> None:
    job = client.videos.jobs.create(
        model="wan2.6-i2v-flash", prompt=f"A whale {QUEUED}", image_url="https://a.example/b.png"
    )
    page = client.videos.jobs.list(model_name="wan2.6-i2v-flash", page_size=5)
    assert (page.tasks[0].task_id, page.tasks[0].finished) == (job.task_id, False)
    assert not client.videos.jobs.cancel(job.task_id).is_error
    with pytest.raises(DashScopeError, match="canceled"):
        client.videos.jobs.wait(job.task_id, **QUICK)
    [told] = stage.inbox.wait("/second-client", job.task_id)
    assert told.body["output"]["task_status"] == "CANCELED"
    listed = client.videos.jobs.list(status="CANCELED", model_name="wan2.6-i2v-flash")
    assert listed.tasks[0].task_id == job.task_id
    [create] = stage.creates(f"A whale {QUEUED}")
    assert not create.billed


def test_a_stranger_sees_nothing_of_it(client: dashscope.Client) -> None:
    job = client.videos.jobs.create(model="wan2.7-t2v", prompt=f"A private whale {QUEUED}")
    assert client.videos.jobs.fetch(job.task_id, api_key=OTHER_KEY).status == "UNKNOWN"
    with pytest.raises(DashScopeError):
        client.videos.jobs.cancel(job.task_id, api_key=OTHER_KEY)
    assert client.videos.jobs.fetch(job.task_id).status in ("PENDING", "RUNNING")


def test_the_asyncio_client_asks_again_after_a_lost_answer_and_pays_once(stage: Stage) -> None:
    before = stage.line.creates
    prompt = "A whale, cut off in asyncio [sim:create=delay:0.7]"

    async def program() -> str:
        async with dashscope.AsyncClient(api_key=KEY, base_url=f"{stage.line.url}/api/v1") as client:
            return str((await client.videos.generate(model="wan2.7-t2v", prompt=prompt, **QUICK)).video_url)

    assert asyncio.run(program()).startswith(stage.simulator)
    assert stage.line.creates == before + 2, "the SDK is known to ask again"
    assert len(stage.creates("cut off in asyncio")) == 1
