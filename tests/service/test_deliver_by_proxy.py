"""The whole server behind a proxy: what its trouble does to deliveries, and what it does not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from service.backoff import DELIVERY_DELAYS
from tests.service.asking import created, record
from tests.service.proxying import ForwardProxy, proxying
from tests.service.test_operator_events import shown
from tests.world import World, world

pytestmark = pytest.mark.anyio
HOUR = 3600.0


@asynccontextmanager
async def proxied(tmp_path: Path) -> AsyncIterator[tuple[World, ForwardProxy]]:
    leads: dict[str, int] = {}
    async with proxying(leads) as proxy, world(tmp_path, egress_proxy=proxy.url) as it:
        inbox = urlsplit(it.inbox.url)
        leads[inbox.netloc] = inbox.port or 0
        yield it, proxy


async def log(it: World, task_id: str) -> tuple[str, list[dict[str, Any]]]:
    [delivery] = (await record(it, task_id))["deliveries"]
    return delivery["state"], delivery["log"]


async def test_a_delivery_by_proxy_says_so_and_keeps_nothing_of_the_reply(tmp_path: Path) -> None:
    async with proxied(tmp_path) as (it, proxy):
        task_id = await created(it, "seconds=1", provider="dashscope")
        await it.settle(4)
        state, [attempt] = await log(it, task_id)
    assert (state, attempt["verdict"], attempt["reply"]) == ("DELIVERED", "delivered", None)
    assert (attempt["address"], attempt["reply_headers"]) == ("proxy", {})
    assert proxy.asked[0].startswith(b"POST http://127.0.0.1:")
    assert len(it.inbox.received) == 1


async def test_a_proxy_that_does_not_serve_us_for_a_week_exhausts_no_delivery(tmp_path: Path) -> None:
    async with proxied(tmp_path) as (it, proxy):
        proxy.password = "somebody:else"
        task_id = await created(it, "seconds=1", provider="dashscope")
        await it.settle(7 * 24 * HOUR, 4 * HOUR)
        state, attempts = await log(it, task_id)
        assert state == "PENDING"
        assert {attempt["verdict"] for attempt in attempts} == {"hindered"}
        assert len(attempts) > len(DELIVERY_DELAYS) + 1
        [told] = {event["kind"] for event in await shown(it)}
        assert told == "delivery.hindered"
        proxy.password = ""
        await it.settle(HOUR, 600)
        state, attempts = await log(it, task_id)
    assert (state, attempts[-1]["verdict"]) == ("DELIVERED", "delivered")
    assert len(it.inbox.received) == 1


async def test_trouble_of_the_proxy_is_named_and_holds_no_secret(tmp_path: Path) -> None:
    async with proxied(tmp_path) as (it, proxy):
        await it.stop()
        await it.start(egress_proxy=f"http://me:hush-hush@127.0.0.1:{proxy.port}")
        proxy.password = "me:other"
        task_id = await created(it, "seconds=1", provider="dashscope")
        await it.settle(4)
        _, [attempt] = await log(it, task_id)
        told = await shown(it)
    assert attempt["reason"] == (
        "not sent: the proxy does not accept its user name and password (it answered 407); this server's trouble, which"
        " uses up no attempt of the schedule"
    )
    assert "hush" not in repr(told) + repr(attempt)


async def test_a_receiver_that_the_proxy_cannot_reach_counts_as_ever(tmp_path: Path) -> None:
    async with proxied(tmp_path) as (it, proxy):
        proxy.says[urlsplit(it.inbox.url).netloc] = 502
        task_id = await created(it, "seconds=1", provider="dashscope")
        await it.settle(100 * HOUR, HOUR)
        state, attempts = await log(it, task_id)
    assert (state, len(attempts)) == ("EXHAUSTED", len(DELIVERY_DELAYS) + 1)
    assert it.inbox.received == []
