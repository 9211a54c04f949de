"""Replies that nobody thought of: whatever bytes come, an attempt ends as a reply or as a reason why there is none."""

from __future__ import annotations

import asyncio
from random import Random

import httpx
import pytest

from service.network.addresses import parse_allow
from service.network.egress import EgressPolicy
from service.network.guard import EgressGuard
from service.network.http import EXCERPT, NoReply, Reply, egress_client, send_once
from tests.service.hostile.kinds import asked
from tests.service.jumping import JumpingLoop
from tests.service.loopback import Names

pytestmark = pytest.mark.anyio
TIMES = 500
GOOD = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Thing: a\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nTrailer: a\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 302 Found\r\nLocation: https://a.example.com\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.0 500 Oops\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\nConnection: keep-alive\r\n\r\nrest",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\n\x1f\x8b",
)
ODD = (
    b"\r\n",
    b"\n",
    b"\0",
    b"\xff",
    b":",
    b" ",
    b"\t",
    b"-",
    b"9" * 30,
    b"Content-Length: 3\r\n",
    b"chunked",
    b"\x1b[2J",
    b"%",
)


def mutated(chance: Random) -> bytes:
    reply = bytearray(chance.choice(GOOD))
    for _ in range(chance.randrange(1, 6)):
        place = chance.randrange(len(reply) + 1)
        match chance.randrange(5):
            case 0:
                reply[place:place] = chance.choice(ODD)
            case 1:
                del reply[place : place + chance.randrange(1, 20)]
            case 2 if place < len(reply):
                reply[place] = chance.randrange(256)
            case 3:
                other = chance.choice(GOOD)
                reply[place:] = other[chance.randrange(len(other)) :]
            case _:
                reply[place:place] = chance.randbytes(chance.randrange(1, 30))
    return bytes(reply)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": JumpingLoop}


async def test_any_bytes_end_an_attempt_as_a_reply_or_as_a_reason() -> None:
    chance = Random(11)
    replies: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(replies[-1])
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    outcomes: dict[type, int] = {}
    async with egress_client(EgressGuard(EgressPolicy(parse_allow("127.0.0.0/8")), Names())) as client:
        for _ in range(TIMES):
            replies.append(mutated(chance))
            outcome = await attempted(client, url)
            outcomes[type(outcome)] = outcomes.get(type(outcome), 0) + 1
            if isinstance(outcome, Reply):
                assert len(outcome.body) <= EXCERPT
                assert all(value.isprintable() for value in outcome.headers.values())
                assert 200 <= outcome.status <= 999
            else:
                assert outcome.reason.isprintable()
    server.close()
    await server.wait_closed()
    assert len(outcomes) >= 2
    assert min(outcomes.values()) > TIMES // 20


async def attempted(client: httpx.AsyncClient, url: str) -> Reply | NoReply:
    try:
        return await send_once(client, client.build_request("POST", url, content=b"{}"), deadline_seconds=20)
    except NoReply as failure:
        return failure
