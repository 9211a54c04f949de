"""What a look hears is about the task that was asked for."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests.service.asking import created, record, told
from tests.world import world

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("provider", ["laozhang", "apiyi", "dashscope"])
async def test_a_report_that_leaves_out_the_id_is_about_the_task_that_was_asked_for(
    tmp_path: Path, provider: str
) -> None:
    """Nothing says that the gateways always repeat it, and a paid video would be lost with it."""
    async with world(tmp_path, providers=[provider]) as it:

        async def between(request: httpx.Request) -> httpx.Response | None:
            if request.method != "GET":
                return None
            response = await httpx.ASGITransport(it.simulator).handle_async_request(request)
            body = json.loads(await response.aread())
            for place in (body, body.get("output", {})):
                for name in ("id", "task_id"):
                    place.pop(name, None)
            return httpx.Response(response.status_code, json=body)

        it.between = between
        task_id = await created(it, "seconds=5", provider=provider)
        await it.settle(30)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert len(told(it)) == 1
