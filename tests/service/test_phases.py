"""What an attempt's time went to: each step, also of an exchange that failed, and whom it was made with."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from service.network.addresses import Address, parse_allow, read_address
from service.network.egress import EgressPolicy
from service.network.guard import EgressGuard
from service.network.http import Lost, NotSent, Reply, egress_client, send_once
from service.network.phases import Phases
from tests.service.loopback import Asked, Names, certified, fine, hang_up, receiving, silence

pytestmark = pytest.mark.anyio
STEP = 0.05
"""Long enough to tell a step that was slow from one that was not."""


async def slow_names(name: str, port: int) -> list[Address]:
    await asyncio.sleep(STEP)
    return [address for address in [read_address("127.0.0.1")] if address and name.endswith(".")]


def guard(names=slow_names) -> EgressGuard:
    return EgressGuard(EgressPolicy(parse_allow("127.0.0.0/8")), names)


async def post(client: httpx.AsyncClient, url: str, seconds: float = 5) -> Reply:
    return await send_once(client, client.build_request("POST", url, content=b"{}"), deadline_seconds=seconds)


def known(phases: Phases) -> set[str]:
    steps = {"dns": phases.dns_ms, "connect": phases.connect_ms, "tls": phases.tls_ms, "byte": phases.first_byte_ms}
    return {name for name, took in steps.items() if took is not None}


async def test_every_step_of_a_first_exchange_is_measured_and_a_kept_connection_has_none_before_the_request(
    tmp_path,
) -> None:
    async def slow(asked: Asked, writer: asyncio.StreamWriter) -> bool | None:
        await asyncio.sleep(2 * STEP)
        return await fine(asked, writer)

    server, client_side = certified(tmp_path, "hook.example.com")
    async with receiving(slow, tls=server) as receiver, egress_client(guard(), tls_context=client_side) as client:
        url = f"https://hook.example.com:{receiver.port}/"
        first, second = (await post(client, url)).phases, (await post(client, url)).phases
    assert known(first) == {"dns", "connect", "tls", "byte"}
    assert known(second) == {"byte"}
    assert first.dns_ms is not None
    assert first.dns_ms >= 1000 * STEP
    assert first.first_byte_ms is not None
    assert first.first_byte_ms >= 2000 * STEP
    parts = (first.dns_ms, first.connect_ms or 0, first.tls_ms or 0, first.first_byte_ms)
    assert sum(parts) <= first.total_ms + len(parts)


async def test_the_first_byte_does_not_wait_for_the_end_of_the_head() -> None:
    async def halting(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        await asyncio.sleep(4 * STEP)
        writer.write(b"Content-Length: 0\r\n\r\n")

    async with receiving(halting) as receiver, egress_client(guard()) as client:
        phases = (await post(client, receiver.url)).phases
    assert phases.first_byte_ms is not None
    assert phases.first_byte_ms < phases.total_ms


async def test_a_name_that_is_not_found_in_time_says_so() -> None:
    async def never(name: str, port: int) -> list[Address]:
        return await asyncio.Future()

    async with egress_client(guard(never)) as client:
        with pytest.raises(NotSent, match="name could not be looked up in time") as caught:
            await post(client, "https://hook.example.com/", seconds=STEP)
    assert known(caught.value.phases) == {"dns"}
    assert caught.value.phases.dns_ms is not None
    assert caught.value.phases.total_ms >= caught.value.phases.dns_ms > 0
    assert caught.value.peer is None


async def test_an_address_that_refuses_is_named(tmp_path) -> None:
    async with receiving() as receiver:
        port = receiver.port
    names = Names().set("hook.example.com.", ["127.0.0.66", "127.0.0.67"])
    async with egress_client(guard(names)) as client:
        with pytest.raises(NotSent) as caught:
            await post(client, f"http://hook.example.com:{port}/")
    assert known(caught.value.phases) == {"dns", "connect"}
    assert caught.value.peer == ("127.0.0.67", port)


async def test_a_failed_handshake_says_how_far_it_came_and_with_whom(tmp_path) -> None:
    server, client_side = certified(tmp_path, "other.example.com")
    async with receiving(tls=server) as receiver, egress_client(guard(), tls_context=client_side) as client:
        with pytest.raises(NotSent, match="certificate") as caught:
            await post(client, f"https://hook.example.com:{receiver.port}/")
    assert known(caught.value.phases) == {"dns", "connect", "tls"}
    assert caught.value.peer == ("127.0.0.1", receiver.port)


async def test_silence_after_the_request_counts_until_the_deadline() -> None:
    async with receiving(silence) as receiver, egress_client(guard()) as client:
        with pytest.raises(Lost) as caught:
            await post(client, receiver.url, seconds=2 * STEP)
    phases = caught.value.phases
    assert known(phases) == {"dns", "connect", "byte"}
    assert phases.first_byte_ms is not None
    assert phases.first_byte_ms <= phases.total_ms
    assert caught.value.peer == ("127.0.0.1", receiver.port)


async def test_an_exchange_that_begins_again_on_a_new_connection_is_measured_anew() -> None:
    seen: set[int] = set()

    async def once(asked: Asked, writer: asyncio.StreamWriter) -> bool | None:
        if asked.connection in seen:
            return await hang_up(asked, writer)
        seen.add(asked.connection)
        return await fine(asked, writer)

    names = Names().set("hook.example.com.", ["127.0.0.1"])
    async with receiving(once) as receiver, egress_client(guard(names)) as client:
        url = f"http://hook.example.com:{receiver.port}/"
        await post(client, url)
        phases = (await post(client, url)).phases
    assert receiver.connections == 2
    assert known(phases) == {"dns", "connect", "byte"}


async def test_exchanges_at_once_do_not_mix_their_measures() -> None:
    done = asyncio.Event()

    async def by_path(asked: Asked, writer: asyncio.StreamWriter) -> bool | None:
        if b"/slow" in asked.head:
            await done.wait()
        return await fine(asked, writer)

    async with receiving(by_path) as receiver, egress_client(guard()) as client:
        base = f"http://127.0.0.1:{receiver.port}"
        slow = asyncio.create_task(post(client, f"{base}/slow"))
        while not receiver.asked:
            await asyncio.sleep(0)
        quick = await post(client, f"{base}/quick")
        await asyncio.sleep(STEP)
        done.set()
        waited = (await slow).phases.first_byte_ms
    assert waited is not None
    assert waited + 1 >= quick.phases.total_ms + 1000 * STEP
