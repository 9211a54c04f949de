"""Receivers that use a kept connection against the next delivery on it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence

import httpx
import pytest

from service.network.addresses import parse_allow
from service.network.egress import EgressPolicy
from service.network.guard import EgressGuard
from service.network.http import Reply, egress_client, send_once
from tests.service.hostile.kinds import reset
from tests.service.hostile.tls import HOST, Authority
from tests.service.jumping import JumpingLoop
from tests.service.loopback import OK, Answer, Asked, Names, Receiver, fine, receiving

pytestmark = pytest.mark.anyio
REFUSAL = b"HTTP/1.1 500 No\r\nContent-Length: 4\r\n\r\nreal"
FORGED = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": JumpingLoop}


def first_then(first: Answer, then: Answer) -> Answer:
    """The very first request of all is answered in one way, all others in another."""
    begun: list[bool] = []

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> bool | None:
        if begun:
            return await then(asked, writer)
        begun.append(True)
        return await first(asked, writer)

    return answer


def in_pieces(*pieces: bytes) -> Answer:
    """Each piece in a write of its own: under TLS, in a record of its own."""

    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)

    return answer


async def two_posts(receiver: Receiver, tls_context: ssl.SSLContext | None = None) -> tuple[Reply, Reply]:
    names = Names().set(f"{HOST}.", ["127.0.0.1"])
    guard = EgressGuard(EgressPolicy(parse_allow("127.0.0.0/8")), names)
    url = f"{'https' if tls_context else 'http'}://{HOST}:{receiver.port}/"
    async with egress_client(guard, tls_context=tls_context) as client:
        return await post(client, url, b"first"), await post(client, url, b"second")


async def post(client: httpx.AsyncClient, url: str, content: bytes) -> Reply:
    return await send_once(client, client.build_request("POST", url, content=content), deadline_seconds=20)


SMUGGLED: dict[str, Sequence[bytes]] = {
    "a second reply": [OK + FORGED],
    "a second reply in a record of its own": [OK, FORGED],
    "many more replies": [OK, *[FORGED] * 9],
    "a second reply behind a large one": [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + b"x" * 9000,
        FORGED,
    ],
    "the head of a second reply": [OK + FORGED[:-7]],
    "the beginning of a second reply": [OK + b"HTTP/1.1 200 OK\r\nX-Forged: "],
    "a second reply behind chunks": [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + FORGED
    ],
    "a second reply as the body of a 204": [b"HTTP/1.1 204 No Content\r\nContent-Length: 44\r\n\r\n" + FORGED],
    "a second reply behind a shorter length": [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + FORGED],
    "a second reply behind length and chunks": [
        b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + FORGED
    ],
    "an empty line and a second reply": [OK + b"\r\n" + FORGED],
    "a 100 Continue for the next request": [OK + b"HTTP/1.1 100 Continue\r\n\r\n"],
}


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("pieces", SMUGGLED.values(), ids=SMUGGLED)
async def test_what_was_said_behind_a_reply_is_not_the_answer_to_the_next_delivery(
    pieces: Sequence[bytes], secure: bool, tmp_path
) -> None:
    authority = Authority(tmp_path) if secure else None
    answer = first_then(in_pieces(*pieces), in_pieces(REFUSAL))
    async with receiving(answer, tls=authority.serves(HOST) if authority else None) as receiver:
        first, second = await two_posts(receiver, authority.trusted if authority else None)
    assert first.status in (200, 204)
    assert (second.status, second.body) == (500, b"real")
    assert [(asked.connection, asked.body) for asked in receiver.asked] == [(0, b"first"), (1, b"second")]


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
async def test_a_receiver_that_behaves_keeps_its_connection(secure: bool, tmp_path) -> None:
    authority = Authority(tmp_path) if secure else None
    async with receiving(tls=authority.serves(HOST) if authority else None) as receiver:
        await two_posts(receiver, authority.trusted if authority else None)
    assert [asked.connection for asked in receiver.asked] == [0, 0]


@pytest.mark.parametrize("late", [FORGED, b"garbage", b"\0"], ids=["a reply", "garbage", "a zero"])
async def test_what_comes_between_two_deliveries_ends_the_connection(late: bytes) -> None:
    async def speaks_up(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await fine(asked, writer)
        asyncio.get_running_loop().call_later(5, writer.write, late)

    names = Names()
    guard = EgressGuard(EgressPolicy(parse_allow("127.0.0.0/8")), names)
    async with receiving(first_then(speaks_up, in_pieces(REFUSAL))) as receiver, egress_client(guard) as client:
        await post(client, receiver.url, b"first")
        await asyncio.sleep(10)
        assert (await post(client, receiver.url, b"second")).status == 500
    assert [asked.connection for asked in receiver.asked] == [0, 1]


async def closes(_: Asked, writer: asyncio.StreamWriter) -> bool:
    return False


async def resets(_: Asked, writer: asyncio.StreamWriter) -> bool:
    reset(writer)
    return False


async def says_half(_: Asked, writer: asyncio.StreamWriter) -> bool:
    writer.write(b"HTTP/1.1 2")
    return False


@pytest.mark.parametrize("end", [closes, resets, says_half], ids=["close", "reset", "half a reply"])
async def test_a_kept_connection_that_ends_before_its_answer_is_replaced_once_and_at_once(end: Answer) -> None:
    seen: set[int] = set()

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> bool | None:
        if asked.connection in seen:
            return await end(asked, writer)
        seen.add(asked.connection)
        return await fine(asked, writer)

    async with receiving(answer) as receiver:
        replies = await two_posts(receiver)
    assert [reply.status for reply in replies] == [200, 200]
    assert [(asked.connection, asked.body) for asked in receiver.asked] == [
        (0, b"first"), (0, b"second"), (1, b"second"),
    ]  # fmt: skip


@pytest.mark.parametrize("line", [b"HTTP/1.1 200 OK\r\nConnection: close", b"HTTP/1.0 200 OK"])
async def test_a_connection_that_was_said_to_end_is_not_used_again_though_it_is_held_open(line: bytes) -> None:
    async with receiving(in_pieces(line + b"\r\nContent-Length: 0\r\n\r\n")) as receiver:
        await two_posts(receiver)
    assert [asked.connection for asked in receiver.asked] == [0, 1]


async def test_no_cookie_comes_back_whatever_it_is_set_for() -> None:
    cookies = b"".join(
        b"Set-Cookie: %s\r\n" % cookie
        for cookie in (b"a=b", b"__Host-a=b; Secure; Path=/", b"c=d; Domain=example.com; Max-Age=99999999", b"=x", b"y")
    )
    async with receiving(in_pieces(b"HTTP/1.1 200 OK\r\n" + cookies + b"Content-Length: 0\r\n\r\n")) as receiver:
        await two_posts(receiver)
    assert ["cookie" in asked.head.decode().lower() for asked in receiver.asked] == [False, False]
