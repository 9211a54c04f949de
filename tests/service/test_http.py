"""Sending: what is known about a request's fate, and a pool that no failure and no cancellation disturbs."""

from __future__ import annotations

import asyncio
import gzip
import random

import httpx
import pytest

from adapters.messages import Request
from service.network.addresses import parse_allow
from service.network.egress import EgressPolicy
from service.network.guard import EgressGuard
from service.network.http import (
    EXCERPT,
    Lost,
    NoReply,
    NotSent,
    Reply,
    egress_client,
    send_once,
    send_upstream,
    upstream_client,
    upstream_request,
)
from service.network.pool import OriginTransport, Reuse
from tests.service.loopback import (
    OK,
    Answer,
    Asked,
    Names,
    Receiver,
    certified,
    fine,
    hang_up,
    receiving,
    saying,
    silence,
)

pytestmark = pytest.mark.anyio
GUARD = EgressGuard(EgressPolicy(parse_allow("127.0.0.0/8")), Names())


async def post(client: httpx.AsyncClient, receiver: Receiver, seconds: float = 5, **options: int) -> Reply:
    request = client.build_request("POST", receiver.url, content=b'{"a":1}')
    return await send_once(client, request, deadline_seconds=seconds, **options)


async def deliver(answer: Answer, seconds: float = 5) -> tuple[Reply, Receiver]:
    async with receiving(answer) as receiver, egress_client(GUARD) as client:
        return await post(client, receiver, seconds), receiver


async def create(client: httpx.AsyncClient, receiver: Receiver, seconds: float = 5):
    return await send_upstream(client, client.build_request("POST", receiver.url, json={}), seconds, fresh=True)


async def look(client: httpx.AsyncClient, receiver: Receiver, seconds: float = 5):
    return await send_upstream(client, client.build_request("GET", receiver.url), seconds)


def second_time(answer: Answer) -> Answer:
    """A receiver that answers the first request on each connection well, and later ones as given."""
    seen: set[int] = set()

    async def answering(asked: Asked, writer: asyncio.StreamWriter) -> bool | None:
        if asked.connection in seen:
            return await answer(asked, writer)
        seen.add(asked.connection)
        return await fine(asked, writer)

    return answering


# --- deliveries ---


async def test_a_delivery_carries_its_bytes_and_brings_back_status_headers_and_body() -> None:
    reply, receiver = await deliver(saying(b"HTTP/1.1 201 Made\r\nX-Thing: a\r\nContent-Length: 3\r\n\r\nyes"))
    assert (reply.status, reply.body, reply.truncated) == (201, b"yes", False)
    assert reply.headers == {"x-thing": "a", "content-length": "3"}
    assert reply.peer == ("127.0.0.1", receiver.port)
    assert 0 <= reply.phases.total_ms < 5000
    (asked,) = receiver.asked
    assert asked.body == b'{"a":1}'
    assert asked.headers["accept-encoding"] == "identity"
    assert asked.headers["host"] == f"127.0.0.1:{receiver.port}"


async def test_a_body_without_end_is_cut_and_hung_up_on() -> None:
    async def endless(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
            await writer.drain()

    async with receiving(endless) as receiver, egress_client(GUARD) as client:
        reply = await post(client, receiver)
        async with asyncio.timeout(5):
            await receiver.gone.wait()
    assert (reply.status, reply.body, reply.truncated) == (200, b"x" * EXCERPT, True)


@pytest.mark.parametrize(("size", "truncated"), [(10, False), (11, True)])
async def test_the_cap_is_exact(size: int, truncated: bool) -> None:
    body = b"x" * size
    async with (
        receiving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + body)) as receiver,
        egress_client(GUARD) as client,
    ):
        reply = await post(client, receiver, body_cap=10)
    assert (reply.body, reply.truncated) == (body[:10], truncated)


async def test_compressed_bytes_stay_as_they_came() -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    reply, _ = await deliver(saying(head + bomb))
    assert reply.body == bomb[:EXCERPT]


async def drip(writer: asyncio.StreamWriter, data: bytes) -> None:
    for byte in data:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.01)


async def test_a_head_that_drips_ends_with_the_deadline_though_no_single_read_is_late() -> None:
    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        await drip(writer, b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000)

    with pytest.raises(Lost, match="in time"):
        await deliver(answer, seconds=0.1)


async def test_a_body_that_drips_ends_with_the_deadline_and_the_status_counts() -> None:
    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
        await drip(writer, b"x" * 9999)

    reply, _ = await deliver(answer, seconds=0.1)
    assert (reply.status, reply.truncated) == (200, True)
    assert set(reply.body) == set(b"x")
    assert 100 <= reply.phases.total_ms < 2000


async def test_a_body_that_breaks_off_leaves_the_status() -> None:
    async def answer(_: Asked, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 204 OK\r\nContent-Length: 99\r\n\r\nabc".replace(b"204", b"200"))
        return False

    reply, _ = await deliver(answer)
    assert (reply.status, reply.body, reply.truncated) == (200, b"abc", True)


@pytest.mark.parametrize(
    "reply", [b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50_000, b"HTTP/1.1 200 OK\r\nX: " + b"x" * 400_000]
)
async def test_a_head_without_end_is_given_up(reply: bytes) -> None:
    with pytest.raises(Lost, match=r"too long|not HTTP"):
        await deliver(saying(reply))


async def test_many_and_long_headers_are_cut() -> None:
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"v" * 1500) for number in range(30))
    lines += b"".join(b"Y-%d: v\r\n" % number for number in range(60))
    reply, _ = await deliver(saying(b"HTTP/1.1 204 No\r\n" + lines + b"\r\n"))
    assert len(reply.headers) == 64
    assert len(reply.headers["x-0"]) == 1024


@pytest.mark.parametrize("noise", [b"SSH-2.0-OpenSSH_9.2 secret banner\r\n\r\n", b"\0" * 300, b"HTTP/9.9 abc\r\n\r\n"])
async def test_what_is_not_http_is_not_repeated_in_the_reason(noise: bytes) -> None:
    with pytest.raises(Lost) as caught:
        await deliver(saying(noise))
    assert caught.value.reason == "the answer was not HTTP"


async def test_cookies_are_neither_kept_nor_sent() -> None:
    async with (
        receiving(saying(OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b\r\n\r\n"))) as receiver,
        egress_client(GUARD) as client,
    ):
        await post(client, receiver)
        await post(client, receiver)
    assert "cookie" not in receiver.asked[1].headers


async def test_a_kept_connection_that_dies_is_replaced_at_once() -> None:
    async with receiving(second_time(hang_up)) as receiver, egress_client(GUARD) as client:
        assert (await post(client, receiver)).status == 200
        assert (await post(client, receiver)).status == 200
    assert [asked.connection for asked in receiver.asked] == [0, 0, 1]
    assert receiver.asked[2].body == receiver.asked[1].body == b'{"a":1}'


async def test_a_fresh_connection_that_dies_is_not_tried_again() -> None:
    async with receiving(hang_up) as receiver, egress_client(GUARD) as client:
        with pytest.raises(Lost, match="broke off"):
            await post(client, receiver)
    assert len(receiver.asked) == 1


async def test_a_connection_that_its_server_closed_while_idle_is_not_used() -> None:
    async def once(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        await fine(asked, writer)
        return False

    async with receiving(once) as receiver, egress_client(GUARD) as client:
        await post(client, receiver)
        while receiver.open:
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        await post(client, receiver)
    assert [asked.connection for asked in receiver.asked] == [0, 1]


# --- upstream ---


async def test_an_adapters_request_goes_below_the_base_url_of_its_account() -> None:
    reply = '{"output":{"task_id":"1"},"message":"好"}'.encode()
    head = b"HTTP/1.1 200 OK\r\nX-Request-Id: r\r\nContent-Length: %d\r\n\r\n" % len(reply)
    async with receiving(saying(head + reply)) as receiver, upstream_client() as client:
        asked = Request("POST", "/api/v1/tasks", {"prompt": "猫"}, {"page": "1"}, {"x-dashscope-async": "enable"})
        base = f"http://127.0.0.1:{receiver.port}/wan/"
        request = upstream_request(client, base, asked, {"authorization": "Bearer key"})
        response = await send_upstream(client, request, 5, fresh=True)
    assert (response.status, response.body) == (200, {"output": {"task_id": "1"}, "message": "好"})
    assert response.headers["x-request-id"] == "r"
    (seen,) = receiver.asked
    assert seen.head.startswith(b"POST /wan/api/v1/tasks?page=1 HTTP/1.1\r\n")
    assert seen.body == '{"prompt":"猫"}'.encode()
    assert seen.headers["authorization"] == "Bearer key"
    assert seen.headers["x-dashscope-async"] == "enable"
    assert seen.headers["content-type"] == "application/json"


async def test_a_request_without_a_body_has_none() -> None:
    async with receiving() as receiver, upstream_client() as client:
        request = upstream_request(client, f"http://127.0.0.1:{receiver.port}", Request("GET", "/v1/tasks/1"), {})
        assert (await send_upstream(client, request, 5)).body is None
    assert receiver.asked[0].head.startswith(b"GET /v1/tasks/1 HTTP/1.1\r\n")
    assert "content-type" not in receiver.asked[0].headers


@pytest.mark.parametrize("body", [b"<html>", b"[" * 100_000, b"\xff\xfe", b""])
async def test_a_reply_that_is_not_json_has_a_status_and_no_body(body: bytes) -> None:
    head = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with receiving(saying(head + body)) as receiver, upstream_client() as client:
        response = await create(client, receiver)
    assert (response.status, response.body) == (502, None)


async def test_a_reply_that_is_compressed_against_our_wish_is_read() -> None:
    body = gzip.compress(b'{"a":1}')
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with receiving(saying(head + body)) as receiver, upstream_client() as client:
        assert (await create(client, receiver)).body == {"a": 1}


async def breaks_off(body: bytes, writer: asyncio.StreamWriter) -> bool:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b" % (len(body), body))
    return False


async def test_an_answer_that_breaks_off_behind_its_last_bracket_is_whole() -> None:
    """It names what was paid for."""
    body = b'{"task_id":"1"}'
    async with receiving(lambda _, writer: breaks_off(body, writer)) as receiver, upstream_client() as client:
        assert (await create(client, receiver)).body == {"task_id": "1"}


@pytest.mark.parametrize("body", [b"12", b'"id"', b"null", b'{"task_id":"1"'])
async def test_what_might_have_gone_on_is_no_answer(body: bytes) -> None:
    async with receiving(lambda _, writer: breaks_off(body, writer)) as receiver, upstream_client() as client:
        with pytest.raises(Lost):
            await create(client, receiver)


async def test_each_create_has_a_connection_of_its_own_and_looks_share_one() -> None:
    async with receiving() as receiver, upstream_client() as client:
        await create(client, receiver)
        await create(client, receiver)
        await look(client, receiver)
        await look(client, receiver)
    assert [asked.connection for asked in receiver.asked] == [0, 1, 1, 1]


async def test_a_look_is_asked_again_when_its_kept_connection_dies() -> None:
    async with receiving(second_time(hang_up)) as receiver, upstream_client() as client:
        await look(client, receiver)
        assert (await look(client, receiver)).status == 200
    assert [asked.connection for asked in receiver.asked] == [0, 0, 1]


@pytest.mark.parametrize(
    "answer",
    [
        hang_up,
        saying(b"not http at all\r\n\r\n"),
        saying(b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"id":"12"'),
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + b" " * 9_000_000),
        saying(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"),
        silence,
    ],
    ids=["hangs up", "speaks no HTTP", "breaks off", "too long", "unreadable", "silent"],
)
async def test_a_create_that_was_seen_and_not_answered_is_lost_and_sent_once(answer: Answer) -> None:
    async with receiving(answer) as receiver, upstream_client() as client:
        with pytest.raises(Lost):
            await create(client, receiver, seconds=0.5)
    assert len(receiver.asked) == 1


async def test_a_create_is_lost_even_if_only_its_head_was_written() -> None:
    """The peer reads nothing: the request fills the socket's buffers and no further."""
    stuck = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await stuck.wait()
        writer.close()

    server = await asyncio.start_server(deaf, "127.0.0.1", 0, limit=1)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with upstream_client() as client:
        with pytest.raises(Lost):
            await send_upstream(client, client.build_request("POST", url, content=b"x" * 20_000_000), 0.2, fresh=True)
    stuck.set()
    server.close()
    await server.wait_closed()


async def unused_port() -> int:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


async def test_what_provably_never_left_is_not_sent() -> None:
    refused = f"http://127.0.0.1:{await unused_port()}/"
    async with upstream_client() as client:
        for url, reason in ((refused, "refused"), ("http://nowhere.invalid/", "does not resolve")):
            with pytest.raises(NotSent, match=reason):
                await send_upstream(client, client.build_request("POST", url, json={}), 5, fresh=True)


async def test_a_tls_failure_is_not_sent(tmp_path) -> None:
    tls, _ = certified(tmp_path, "api.example.com")

    def speak_plainly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"no TLS here\n")
        writer.close()

    plain = await asyncio.start_server(speak_plainly, "127.0.0.1", 0)
    async with receiving(tls=tls) as receiver, upstream_client() as client:
        for server, reason in ((receiver.port, "certificate"), (plain.sockets[0].getsockname()[1], "TLS handshake")):
            request = client.build_request("POST", f"https://127.0.0.1:{server}/", json={})
            with pytest.raises(NotSent, match=reason):
                await send_upstream(client, request, 5, fresh=True)
    plain.close()
    await plain.wait_closed()
    assert receiver.asked == []


async def test_a_handshake_that_never_ends_is_not_sent_and_leaves_no_socket_open() -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        hung_up.set()
        writer.close()

    hung_up = asyncio.Event()
    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with upstream_client() as client:
        with pytest.raises(NotSent, match="no connection in time"):
            await send_upstream(client, client.build_request("POST", url, json={}), 0.1, fresh=True)
        async with asyncio.timeout(5):
            await hung_up.wait()
    server.close()
    await server.wait_closed()


async def test_waiting_for_a_slot_in_vain_is_not_sent() -> None:
    async with (
        receiving(silence) as receiver,
        httpx.AsyncClient(transport=OriginTransport(width=1), timeout=httpx.Timeout(5, pool=0.05)) as client,
    ):
        first = asyncio.create_task(look(client, receiver))
        while not receiver.asked:
            await asyncio.sleep(0)
        with pytest.raises(NotSent, match="too many"):
            await look(client, receiver)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
    assert len(receiver.asked) == 1


class Broken(httpx.AsyncBaseTransport):
    """A transport that traces nothing, like the ones that serve an application in this process."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise self.error


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        (httpx.ConnectError("x"), NotSent),
        (httpx.ConnectTimeout("x"), NotSent),
        (httpx.ReadError("x"), Lost),
        (httpx.ReadTimeout("x"), Lost),
        (httpx.RemoteProtocolError("x"), Lost),
        (TimeoutError(), Lost),
    ],
)
async def test_a_mounted_transport_proves_by_the_kind_of_its_error(error: Exception, fate: type[NoReply]) -> None:
    async with upstream_client(mounts={"https://api.example.com": Broken(error)}) as client:
        with pytest.raises(fate):
            await send_upstream(
                client, client.build_request("POST", "https://api.example.com/", json={}), 5, fresh=True
            )


async def test_no_reason_repeats_the_url_or_the_key() -> None:
    async with receiving(hang_up) as receiver, upstream_client() as client:
        url = f"{receiver.url}?token=secret-token"
        request = client.build_request("POST", url, headers={"authorization": "Bearer secret-key"})
        with pytest.raises(Lost) as caught:
            await send_upstream(client, request, 5, fresh=True)
    assert "secret" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


# --- the pool ---


async def test_requests_in_a_row_share_a_connection_and_no_more_than_the_width_run_at_once() -> None:
    running, most = 0, 0

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        nonlocal running, most
        running, most = running + 1, max(most, running + 1)
        await asyncio.sleep(0.001)
        running -= 1
        await fine(asked, writer)

    async with receiving(answer) as receiver, httpx.AsyncClient(transport=OriginTransport(width=3)) as client:
        await asyncio.gather(*(look(client, receiver) for _ in range(30)))
    assert (len(receiver.asked), most, receiver.connections) == (30, 3, 3)


async def test_idle_connections_are_bounded_over_all_origins() -> None:
    transport = OriginTransport(keep=2)
    async with receiving() as a, receiving() as b, receiving() as c, httpx.AsyncClient(transport=transport) as client:
        for receiver in (a, b, c):
            await look(client, receiver)
        async with asyncio.timeout(5):
            while a.open:
                await asyncio.sleep(0)
        assert (b.open, c.open) == (1, 1)


async def test_an_expired_connection_is_closed_when_another_is_given_back() -> None:
    transport = OriginTransport(keep_seconds=0.0)
    async with receiving() as a, receiving() as b, httpx.AsyncClient(transport=transport) as client:
        await look(client, a)
        await look(client, b)
        await look(client, a)
        assert [asked.connection for asked in a.asked] == [0, 1]
        async with asyncio.timeout(5):
            while b.open:
                await asyncio.sleep(0)


async def test_closing_the_client_closes_every_connection() -> None:
    async with receiving() as receiver:
        async with httpx.AsyncClient(transport=OriginTransport()) as client:
            await asyncio.gather(*(look(client, receiver) for _ in range(5)))
        async with asyncio.timeout(5):
            while receiver.open:
                await asyncio.sleep(0)
    assert receiver.connections > 0


async def test_a_request_that_neither_may_repeat_nor_needs_its_own_connection_reports_the_death() -> None:
    async with (
        receiving(second_time(hang_up)) as receiver,
        httpx.AsyncClient(transport=OriginTransport()) as client,
    ):
        await client.get(receiver.url)
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(receiver.url)
        assert (await client.get(receiver.url, extensions={"reuse": Reuse.RESEND})).status_code == 200
    assert len(receiver.asked) == 3


async def test_cancelled_requests_leave_neither_a_slot_taken_nor_an_answer_for_the_next() -> None:
    """Requests are cancelled at every stage; whoever is answered gets the answer to its own question."""
    chance = random.Random(7)

    async def echo(asked: Asked, writer: asyncio.StreamWriter) -> None:
        body = asked.body
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:3])
        await writer.drain()
        await asyncio.sleep(chance.random() / 500)
        writer.write(body[3:])

    async def ask(client: httpx.AsyncClient, receiver: Receiver, number: int) -> bytes:
        request = client.build_request("POST", receiver.url, content=b"question %d" % number)
        reply = await send_once(client, request, deadline_seconds=5)
        assert reply.body == request.content
        return reply.body

    transport = OriginTransport(width=4)
    async with receiving(echo) as receiver, httpx.AsyncClient(transport=transport) as client:
        tasks = [asyncio.create_task(ask(client, receiver, number)) for number in range(200)]
        for task in chance.sample(tasks, 120):
            await asyncio.sleep(chance.random() / 2000)
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(outcome, bytes | asyncio.CancelledError) for outcome in outcomes)
        assert sum(isinstance(outcome, bytes) for outcome in outcomes) >= 80
        async with asyncio.timeout(5):
            await asyncio.gather(*(ask(client, receiver, number) for number in range(300, 320)))
    async with asyncio.timeout(5):
        while receiver.open:
            await asyncio.sleep(0)
