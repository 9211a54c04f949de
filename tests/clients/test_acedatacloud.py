"""AceData's own SDK, unmodified: only its token and its base URL are set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from acedatacloud import AceDataCloud
from acedatacloud._runtime.errors import AuthenticationError, ValidationError

from tests.clients.stage import KEY, OTHER_KEY, Stage

QUICK = {"poll_interval": 0.2, "max_wait": 30.0}


@pytest.fixture
def client(stage: Stage) -> Iterator[AceDataCloud]:
    with AceDataCloud(api_token=KEY, base_url=stage.base) as opened:
        yield opened


def _ask(client: AceDataCloud, service: str, prompt: str, **more: Any) -> Any:
    if service == "wan":
        return client.wan.generate(model="wan2.6-t2v", prompt=prompt, duration=5, **more)
    return client.happyhorse.generate(prompt=prompt, **more)


@pytest.mark.parametrize("service", ["wan", "happyhorse"])
def test_a_task_is_waited_for_and_called_back(stage: Stage, client: AceDataCloud, service: str) -> None:
    path, prompt = f"/acedata-{service}", f"Astronauts in {service}"
    handle = _ask(client, service, prompt, callback_url=stage.inbox.url + path)
    assert not handle.done
    [told] = stage.inbox.wait(path)
    state = handle.wait(**QUICK)
    [url] = handle.urls()
    assert url.startswith(f"{stage.simulator}/results/")
    assert state["response"] == told.body
    assert (told.body["success"], told.body["task_id"], told.body["video_url"]) == (True, handle.id, url)
    assert client.tasks.get(handle.id, service=service)["response"] == told.body
    [create] = stage.creates(prompt)
    assert create.body["callback_url"].startswith(f"{stage.base}/callbacks/acedata/")


@pytest.mark.parametrize("service", ["wan", "happyhorse"])
def test_a_held_request_is_answered_with_the_video(stage: Stage, client: AceDataCloud, service: str) -> None:
    handle = _ask(client, service, f"Held for {service}", async_=False)
    assert handle.done
    [url] = handle.urls()
    assert url.startswith(f"{stage.simulator}/results/")
    [create] = stage.creates(f"Held for {service}")
    assert create.body["async"] is True, "we hold the client's connection, never one to the upstream"


@pytest.mark.parametrize("service", ["wan", "happyhorse"])
def test_a_failed_task_is_told_to_the_wait_and_to_the_callback(
    stage: Stage, client: AceDataCloud, service: str
) -> None:
    path, prompt = f"/acedata-{service}-failed", f"Doomed in {service} [sim:fail=forbidden]"
    handle = _ask(client, service, prompt, callback_url=stage.inbox.url + path)
    [told] = stage.inbox.wait(path)
    assert (told.body["success"], told.body["state"]) == (False, "failed")
    assert told.body["error"]["code"] == "forbidden"
    assert handle.wait(**QUICK)["response"] == told.body
    assert handle.urls() == []


@pytest.mark.parametrize("service", ["wan", "happyhorse"])
def test_a_held_request_that_fails_makes_one_create(stage: Stage, client: AceDataCloud, service: str) -> None:
    """On an error status the SDK would POST three times."""
    before = stage.asked("acedata", "create")
    handle = _ask(client, service, f"Held and doomed in {service} [sim:fail]", async_=False)
    assert handle.wait(**QUICK)["response"]["success"] is False
    assert handle.urls() == []
    assert len(stage.creates(f"Held and doomed in {service}")) == 1
    assert stage.asked("acedata", "create") == before + 1


@pytest.mark.parametrize("provider", ["acedata", "laozhang", "apiyi", "dashscope"])
@pytest.mark.parametrize("service", ["wan", "happyhorse"])
def test_the_defaults_that_the_sdk_fills_in_reach_every_provider(stage: Stage, service: str, provider: str) -> None:
    prompt = f"Defaults of {service} at {provider}"
    chosen = {"X-Ringback-Provider": provider}
    with AceDataCloud(api_token=KEY, base_url=stage.base, headers=chosen) as client:
        if service == "wan":
            client.wan.generate(model="wan2.6-t2v", prompt=prompt)
        else:
            client.happyhorse.generate(model="happyhorse-1.0-t2v", prompt=prompt)
    [create] = stage.creates(prompt)
    assert create.provider == provider
    said = create.body if provider == "acedata" else create.body["parameters"]
    assert said["watermark" if service == "happyhorse" else "prompt_extend"] is False


@pytest.mark.parametrize(
    ("service", "more"),
    [
        ("wan", {"model": "wan2.6-i2v", "action": "image2video", "image_url": "https://a.example/b.png"}),
        ("wan", {"model": "wan2.6-r2v", "action": "image2video", "reference_video_urls": ["https://a.example/b.mp4"]}),
        ("wan", {"model": "wan3.0-video", "media": [{"type": "first_frame", "url": "https://a.example/b.png"}]}),
        ("happyhorse", {"action": "image_to_video", "model": "happyhorse-1.1-i2v", "image_url": "https://a.example/b"}),
        (
            "happyhorse",
            {"action": "reference_to_video", "model": "happyhorse-1.1-r2v", "image_urls": ["https://a.b/c"]},
        ),
        (
            "happyhorse",
            {"action": "video_edit", "model": "happyhorse-1.0-video-edit", "video_url": "https://a.b/c.mp4"},
        ),
    ],
)
@pytest.mark.parametrize("provider", ["acedata", "dashscope"])
def test_every_mode_of_the_sdk_is_accepted(stage: Stage, provider: str, service: str, more: dict[str, Any]) -> None:
    """HappyHorse's generate sends ratio, duration and audio_setting whatever the model makes of them."""
    prompt = f"{more['model']} by the SDK at {provider}"
    with AceDataCloud(
        api_token=KEY, base_url=stage.base, headers={"X-Ringback-Provider": provider}, max_retries=0
    ) as client:
        getattr(client, service).generate(prompt=prompt, **more)
    [create] = stage.creates(prompt)
    assert create.provider == provider
    assert "https://a." in str(create.body)


def test_refusals_become_the_errors_of_the_sdk(stage: Stage, client: AceDataCloud) -> None:
    with AceDataCloud(api_token="nobody", base_url=stage.base) as nobody, pytest.raises(AuthenticationError):
        nobody.wan.generate(model="wan2.6-t2v", prompt="never sent")
    with pytest.raises(ValidationError, match="duration"):
        client.wan.generate(model="wan2.6-t2v", prompt="never sent", duration=99)
    with pytest.raises(ValidationError, match="prompt"):
        client.wan.generate(model="wan2.6-t2v")
    assert stage.creates("never sent") == []


def test_an_unknown_task_and_somebody_elses_are_empty_alike(stage: Stage, client: AceDataCloud) -> None:
    handle = client.wan.generate(model="wan2.6-t2v", prompt="A private task")
    with AceDataCloud(api_token=OTHER_KEY, base_url=stage.base) as stranger:
        assert stranger.tasks.get(handle.id, service="wan") == {}
        assert stranger.tasks.get("00000000-0000-0000-0000-000000000000", service="wan") == {}
