"""A key over its budget, met by unmodified SDKs: each asks once, raises, and nothing is sent to any provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import dashscope
import httpx
import pytest
from acedatacloud import AceDataCloud
from acedatacloud._runtime.errors import APIError
from dashscope import VideoSynthesis
from dashscope.v2.errors import DashScopeError

from tests.clients.stage import ADMIN, Stage

MODEL, PROMPT = "wan2.7-t2v", "Too dear for this key"


@pytest.fixture
def poor(stage: Stage) -> Iterator[tuple[str, str]]:
    """A new key that may spend nothing, and its id."""
    budget = {"amount_micros": 0, "currency": "CNY", "period": "total"}
    with _admin(stage) as admin:
        made = admin.post("/v1/keys", json={"name": "poor"}).json()
        assert admin.put(f"/v1/keys/{made['id']}/allowance", json={"budgets": [budget]}).status_code == 200
        yield made["key"], made["id"]
        assert admin.delete(f"/v1/keys/{made['id']}").status_code == 204


def _admin(stage: Stage) -> httpx.Client:
    headers = {"authorization": f"Bearer {ADMIN}"}
    return httpx.Client(base_url=stage.base, headers=headers, trust_env=False)


def _acedata(stage: Stage, key: str) -> str:
    with AceDataCloud(api_token=key, base_url=stage.base) as client, pytest.raises(APIError) as refused:
        client.wan.generate(model=MODEL, prompt=PROMPT, duration=5)
    return f"{refused.value.code} {refused.value}"


def _classic(stage: Stage, key: str) -> str:
    base = {"base_address": f"{stage.base}/api/v1", "api_key": key}
    refused = VideoSynthesis.async_call(model=MODEL, prompt=PROMPT, duration=5, **base)
    assert refused.status_code == 403
    return f"{refused.code} {refused.message}"


def _second(stage: Stage, key: str) -> str:
    base = f"{stage.base}/api/v1"
    with dashscope.Client(api_key=key, base_url=base) as client, pytest.raises(DashScopeError) as refused:
        client.videos.generate(model=MODEL, prompt=PROMPT, duration=5)
    return f"{refused.value.code} {refused.value}"


@pytest.mark.parametrize("sdk", [_acedata, _classic, _second])
def test_an_sdk_over_budget_asks_once_and_is_told(
    stage: Stage, poor: tuple[str, str], sdk: Callable[[Stage, str], str]
) -> None:
    key, client = poor
    said = sdk(stage, key)
    assert "budget_exceeded" in said
    assert "0 CNY in total" in said
    assert not stage.creates(PROMPT)
    assert _refusals(stage, client) == 1


def _refusals(stage: Stage, client: str) -> int:
    """How often the operator's event happened: once for each create that came in."""
    with _admin(stage) as admin:
        events: list[Any] = admin.get("/v1/operator/events", params={"kind": "budget.reached"}).json()["events"]
    return sum(event["times"] for event in events if event["fields"]["client"] == client)
