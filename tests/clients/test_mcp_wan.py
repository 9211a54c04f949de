"""AceData's MCP server for Wan, unmodified, driven over stdio by the official MCP client, as an assistant's host does.

It creates once and never by itself again; it has no tool that cancels.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import CallToolResult, TextContent

from tests.clients.shell import BIN
from tests.clients.stage import KEY, Stage

Call = Callable[..., CallToolResult]


@asynccontextmanager
async def _session(base: str, log: Path) -> AsyncIterator[ClientSession]:
    environment = os.environ | {"ACEDATACLOUD_API_BASE_URL": base, "ACEDATACLOUD_API_TOKEN": KEY}
    parameters = StdioServerParameters(command=str(BIN / "mcp-wan"), env=environment)
    with log.open("w") as errors:
        async with stdio_client(parameters, errlog=errors) as streams, ClientSession(*streams) as session:
            await session.initialize()
            yield session


@contextmanager
def _server(base: str, log: Path) -> Iterator[Call]:
    """What calls a tool of a server that runs meanwhile."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(_session(base, log)) as session:
        yield lambda name, **arguments: portal.call(session.call_tool, name, arguments)


@pytest.fixture(scope="module")
def tool(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Call]:
    with _server(stage.base, tmp_path_factory.mktemp("mcp") / "log") as call:
        yield call


def _said(result: CallToolResult) -> Any:
    [content] = result.content
    assert isinstance(content, TextContent)
    assert not result.isError, content.text
    return json.loads(content.text)


def test_a_video_is_asked_for_called_back_and_read(stage: Stage, tool: Call) -> None:
    asked = _said(tool("wan_generate_video", prompt="A fox, called back", callback_url=f"{stage.inbox.url}/mcp"))
    assert asked["mcp_async_submission"]["should_poll"] is True, "not taken for finished"
    [told] = stage.inbox.wait("/mcp")
    read = _said(tool("wan_get_task", task_id=asked["task_id"]))
    assert read["mcp_task_polling"]["is_complete"] is True
    assert read["response"] == told.body
    assert read["video_url"].startswith(f"{stage.simulator}/results/")
    assert len(stage.creates("A fox, called back")) == 1


def test_a_failed_task_stops_the_polling_and_is_called_back(stage: Stage, tool: Call) -> None:
    prompt = "A doomed fox [sim:fail=forbidden]"
    asked = _said(tool("wan_generate_video", prompt=prompt, callback_url=f"{stage.inbox.url}/mcp-failed"))
    [told] = stage.inbox.wait("/mcp-failed")
    read = _said(tool("wan_get_task", task_id=asked["task_id"]))
    polling = read["mcp_task_polling"]
    assert (polling["is_failed"], polling["should_poll"]) == (True, False)
    assert read["response"] == told.body
    assert len(stage.creates("A doomed fox")) == 1


def test_the_upstreams_503_is_never_seen(stage: Stage, tool: Call) -> None:
    """While a task runs, the tool itself rests five seconds after a look; the batch does not."""
    picture = {"prompt": "A fox in a storm [sim:poll=503:2]", "image_url": "https://a.example/fox.png"}
    hook = {"callback_url": f"{stage.inbox.url}/mcp-storm"}
    task_id = _said(tool("wan_generate_video_from_image", **picture, **hook))["task_id"]
    pending = _said(tool("wan_get_tasks_batch", task_ids=[task_id]))
    assert [one["state"] for one in pending["items"]] in (["pending"], ["processing"])
    stage.inbox.wait("/mcp-storm")
    [ended] = _said(tool("wan_get_tasks_batch", task_ids=[task_id]))["items"]
    assert (ended["id"], ended["state"]) == (task_id, "completed")
    [create] = stage.creates("A fox in a storm")
    assert create.task.polls > 2, "the first two looks were refused"


def test_an_assistant_that_repeats_a_call_that_lost_its_answer_pays_once(stage: Stage, tmp_path: Path) -> None:
    before = stage.line.creates
    with _server(stage.line.url, tmp_path / "log") as call:
        lost, again = (call("wan_generate_video", prompt="A fox, cut off [sim:create=delay:0.7]") for _ in range(2))
    assert (lost.isError, stage.line.creates) == (True, before + 2)
    assert _said(again)["task_id"]
    assert len(stage.creates("A fox, cut off")) == 1


def test_the_tool_for_everything_sends_no_action_and_is_understood(stage: Stage, tool: Call) -> None:
    media = [{"type": "first_frame", "url": "https://a.example/fox.png"}]
    assert _said(tool("wan_generate_video_all_in_one", prompt="A fox, all in one", media=media))["task_id"]
    [create] = stage.creates("A fox, all in one")
    assert (create.body["model"], create.body["media"]) == ("wan3.0-video", media)


def test_a_refusal_is_an_error_of_the_tool(stage: Stage, tool: Call) -> None:
    refused = tool("wan_generate_video", prompt="A fox, never sent", model="wan2.6-t2v", duration=30)
    assert refused.isError
    assert "duration" in str(refused.content)
    assert stage.creates("A fox, never sent") == []
