"""What is dialled: names that change their mind, several addresses, and the socket's own record of where it went."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections.abc import Iterator

import httpcore
import httpx
import pytest

from service.network.addresses import Address, parse_allow
from service.network.dialling import Elsewhere
from service.network.egress import EgressPolicy, Refused, Target
from service.network.guard import EgressGuard, SystemResolver, guarded_network
from service.network.http import Lost, NotSent, egress_client, send_once
from service.network.pool import OriginTransport
from tests.service.asking import create, created, record
from tests.service.loopback import Names, certified, receiving, saying
from tests.world import world

pytestmark = pytest.mark.anyio

DIALLED: list[tuple[str, int]] = []
"""Every destination that any socket of this process was asked to connect to, as Python's audit saw it."""


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        DIALLED.append(arguments[1][:2])


sys.addaudithook(_audit)


@pytest.fixture(autouse=True)
def dialled() -> Iterator[list[tuple[str, int]]]:
    DIALLED.clear()
    yield DIALLED
    assert not [host for host, _ in DIALLED if not host.startswith("127.")], "a test dialled something that is not ours"


def guard(names: Names, allow: str = "", **policy: object) -> EgressGuard:
    return EgressGuard(EgressPolicy(parse_allow(allow), **policy), names)  # type: ignore[arg-type]


async def deliver(guarded: EgressGuard, url: str, seconds: float = 5):
    async with egress_client(guarded) as client:
        return await send_once(client, client.build_request("POST", url, content=b"{}"), deadline_seconds=seconds)


async def test_a_public_name_is_accepted_and_looked_up_with_a_trailing_dot() -> None:
    names = Names().set("hook.example.com.", ["93.184.216.34", "2606:2800:220:1::1"])
    url = await guard(names).check("https://hook.example.com/x")
    assert str(url) == "https://hook.example.com/x"
    assert names.looked_up == ["hook.example.com."]


@pytest.mark.parametrize(
    "answer", [["127.0.0.1"], ["169.254.169.254"], ["93.184.216.34", "10.0.0.1"], ["::ffff:8.8.8.8"], ["fe80::1%1"]]
)
async def test_a_name_with_one_closed_address_is_refused_when_handed_in_and_when_dialled(answer, dialled) -> None:
    names = Names().set("hook.example.com.", answer)
    with pytest.raises(Refused, match="not public"):
        await guard(names).check("https://hook.example.com/")
    with pytest.raises(Refused, match="not public"):
        await deliver(guard(names), "https://hook.example.com/")
    assert dialled == []


async def test_a_name_that_does_not_resolve_is_accepted_when_handed_in_and_not_sent_when_dialled(dialled) -> None:
    names = Names()
    assert await guard(names).check("https://hook.example.com/")
    with pytest.raises(NotSent, match="does not resolve"):
        await deliver(guard(names), "https://hook.example.com/")
    assert dialled == []


async def test_a_forbidden_spelling_is_refused_even_if_dns_is_down() -> None:
    for text in ("http://hook.example.com/", "https://db.internal/", "https://127.0.0.1/"):
        with pytest.raises(Refused):
            await guard(Names()).check(text)


async def test_a_name_is_judged_again_at_every_attempt(dialled) -> None:
    async with receiving() as receiver:
        names = Names().set("hook.example.com.", ["127.0.0.1"], ["169.254.169.254"])
        guarded = guard(names, f"127.0.0.0/8:{receiver.port}")
        url = f"http://hook.example.com:{receiver.port}/"
        assert (await deliver(guarded, url)).status == 200
        with pytest.raises(Refused):
            await deliver(guarded, url)
    assert len(receiver.asked) == 1
    assert dialled == [("127.0.0.1", receiver.port)]


async def test_an_attempt_looks_up_once_so_that_a_second_answer_never_counts(dialled) -> None:
    async with receiving() as receiver:
        names = Names().set("hook.example.com.", ["127.0.0.1"], ["127.0.0.66"])
        await deliver(guard(names, "127.0.0.0/8"), f"http://hook.example.com:{receiver.port}/")
    assert names.looked_up == ["hook.example.com."]
    assert dialled == [("127.0.0.1", receiver.port)]


async def test_the_next_address_is_tried_when_one_refuses(dialled) -> None:
    async with receiving() as receiver:
        names = Names().set("hook.example.com.", ["127.0.0.66", "127.0.0.67", "127.0.0.1"])
        reply = await deliver(guard(names, "127.0.0.0/8"), f"http://hook.example.com:{receiver.port}/")
    assert reply.peer == ("127.0.0.1", receiver.port)
    assert [host for host, _ in dialled] == ["127.0.0.66", "127.0.0.67", "127.0.0.1"]


async def test_no_address_answers() -> None:
    names = Names().set("hook.example.com.", ["127.0.0.66", "127.0.0.67"])
    with pytest.raises(NotSent, match="refused"):
        await deliver(guard(names, "127.0.0.0/8"), "http://hook.example.com:1/")


async def test_a_name_known_only_without_the_dot_needs_the_operators_word() -> None:
    names = Names().set("receiver", ["127.0.0.1"]).set("hook.example.com", ["93.184.216.34"])
    with pytest.raises(Refused, match="known only to this machine"):
        await guard(names).check("https://hook.example.com/")
    with pytest.raises(Refused):
        await guard(names, "10.0.0.0/8").check("http://receiver:9000/")
    assert await guard(names, "127.0.0.0/8").check("http://receiver:9000/")
    assert names.looked_up[-2:] == ["receiver.", "receiver"]


async def test_localhost_works_with_the_real_resolver_once_it_is_allowed() -> None:
    async with receiving() as receiver:
        guarded = EgressGuard(EgressPolicy(parse_allow(f"127.0.0.0/8:{receiver.port}, [::1]:{receiver.port}")))
        reply = await deliver(guarded, f"http://localhost:{receiver.port}/hook")
    assert reply.status == 200
    assert not guarded.policy.may_quote(reply.peer)


async def test_an_exempt_name_that_moves_to_a_public_address_falls_back_under_the_rules(dialled) -> None:
    names = Names().set("hook.example.com.", ["127.0.0.1"], ["93.184.216.34"])
    guarded = guard(names, "127.0.0.0/8")
    assert await guarded.check("http://hook.example.com:9000/")
    with pytest.raises(Refused, match="https"):
        await deliver(guarded, "http://hook.example.com:9000/")
    assert dialled == []


async def test_an_answer_that_is_only_partly_allowed_is_refused() -> None:
    names = Names().set("hook.example.com.", ["10.0.0.1", "93.184.216.34"])
    with pytest.raises(Refused):
        await guard(names, "10.0.0.0/8").check("https://hook.example.com/")


async def test_the_server_is_not_called_by_itself_under_another_name(dialled) -> None:
    names = Names().set("alias.example.com.", ["127.0.0.1"])
    guarded = guard(names, "127.0.0.0/8", own=(("127.0.0.1", 8000),))
    with pytest.raises(Refused, match="back to this server"):
        await guarded.check("http://alias.example.com:8000/")
    with pytest.raises(Refused, match="back to this server"):
        await deliver(guarded, "http://alias.example.com:8000/")
    assert await guarded.check("http://alias.example.com:8001/")
    assert dialled == []


@pytest.mark.parametrize("everywhere", ["0.0.0.0", "::"])
async def test_a_server_on_every_interface_is_not_called_at_any_address_of_its_machine(everywhere: str) -> None:
    names = Names().set("here.example.com.", ["127.3.2.1"]).set("there.example.com.", ["10.255.255.1"])
    guarded = guard(names, "0.0.0.0/0", own=((everywhere, 8000),))
    with pytest.raises(Refused, match="back to this server"):
        await guarded.check("http://here.example.com:8000/")
    assert await guarded.check("http://here.example.com:8001/")
    assert await guarded.check("http://there.example.com:8000/")


async def test_tls_keeps_the_name_while_the_socket_goes_to_the_vetted_address(tmp_path, dialled) -> None:
    server, client_side = certified(tmp_path, "hook.example.com")
    names = Names().set("hook.example.com.", ["127.0.0.1"]).set("other.example.com.", ["127.0.0.1"])
    guarded = guard(names, "127.0.0.0/8")
    async with receiving(tls=server) as receiver, egress_client(guarded, tls_context=client_side) as client:
        request = client.build_request("POST", f"https://hook.example.com:{receiver.port}/", content=b"{}")
        reply = await send_once(client, request, deadline_seconds=5)
        other = client.build_request("POST", f"https://other.example.com:{receiver.port}/", content=b"{}")
        with pytest.raises(NotSent, match="certificate was not accepted"):
            await send_once(client, other, deadline_seconds=5)
    assert (reply.status, reply.peer) == (200, ("127.0.0.1", receiver.port))
    assert receiver.sni == ["hook.example.com", "other.example.com"]
    assert receiver.asked[0].headers["host"] == f"hook.example.com:{receiver.port}"
    assert len(receiver.asked) == 1


async def test_two_names_at_one_address_do_not_share_a_connection() -> None:
    names = Names().set("one.example.com.", ["127.0.0.1"]).set("two.example.com.", ["127.0.0.1"])
    async with receiving() as receiver, egress_client(guard(names, "127.0.0.0/8")) as client:
        for name in ("one", "two", "one", "two"):
            request = client.build_request("POST", f"http://{name}.example.com:{receiver.port}/", content=b"{}")
            await send_once(client, request, deadline_seconds=5)
    assert [asked.connection for asked in receiver.asked] == [0, 1, 0, 1]


async def test_a_redirect_is_an_answer_and_is_not_followed(dialled) -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest\r\nContent-Length: 0\r\n\r\n"
    async with receiving(saying(moved)) as receiver:
        reply = await deliver(guard(Names(), "127.0.0.0/8"), receiver.url)
    assert (reply.status, reply.headers["location"]) == (302, "http://169.254.169.254/latest")
    assert dialled == [("127.0.0.1", receiver.port)]


async def test_a_proxy_of_the_environment_is_not_asked(monkeypatch, dialled) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.99:3128")
    async with receiving() as receiver:
        await deliver(guard(Names(), "127.0.0.0/8"), receiver.url)
    assert dialled == [("127.0.0.1", receiver.port)]


async def test_other_schemes_are_not_spoken(dialled) -> None:
    with pytest.raises(NotSent):
        await deliver(guard(Names(), "0.0.0.0/0"), "ftp://127.0.0.1/x")
    assert dialled == []


class Detour(httpcore.AsyncNetworkBackend):
    """A network that connects to another address than it was told, as a broken or hostile layer below might."""

    async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        return await httpcore.AnyIOBackend().connect_tcp("127.0.0.1", port, timeout)


async def test_a_socket_that_landed_elsewhere_is_refused_and_closed() -> None:
    async with receiving() as receiver:
        backend = guarded_network(guard(Names(), "127.0.0.0/8"), "http", inner=Detour())
        with pytest.raises(Elsewhere):
            await backend.connect_tcp("127.0.0.2", receiver.port)
        while receiver.open:
            await asyncio.sleep(0)
    assert receiver.asked == []


async def test_unix_sockets_are_not_dialled() -> None:
    with pytest.raises(httpcore.UnsupportedProtocol):
        await guarded_network(guard(Names()), "https").connect_unix_socket("/run/docker.sock")


def test_a_refusal_is_no_connection_failure_that_would_be_retried() -> None:
    assert not issubclass(Refused, (httpcore.NetworkError, httpcore.TimeoutException, httpx.HTTPError, OSError))
    assert not issubclass(Elsewhere, (httpcore.ConnectError, httpcore.ConnectTimeout))


async def test_a_delivery_that_landed_elsewhere_is_not_sent() -> None:
    network = guarded_network(guard(Names(), "127.0.0.0/8"), "http", inner=Detour())
    async with receiving() as receiver, httpx.AsyncClient(transport=OriginTransport(network)) as client:
        request = client.build_request("POST", f"http://127.0.0.2:{receiver.port}/", content=b"{}")
        with pytest.raises(NotSent, match="elsewhere"):
            await send_once(client, request, deadline_seconds=5)
    assert receiver.asked == []


class Tarpit(httpcore.AsyncNetworkBackend):
    """A network where one address swallows every packet."""

    def __init__(self) -> None:
        self.limits: dict[str, float | None] = {}

    async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        self.limits[host] = timeout
        if host != "127.0.0.1":
            raise httpcore.ConnectTimeout("swallowed")
        return await httpcore.AnyIOBackend().connect_tcp(host, port, timeout)


async def test_a_silent_address_leaves_time_for_the_next() -> None:
    names = Names().set("hook.example.com.", ["127.0.0.9", "127.0.0.8", "127.0.0.1"])
    tarpit = Tarpit()
    async with receiving() as receiver:
        backend = guarded_network(guard(names, "127.0.0.0/8"), "http", inner=tarpit)
        stream = await backend.connect_tcp("hook.example.com", receiver.port, timeout=9.0)
        await stream.aclose()
    shares = [tarpit.limits[host] or 0 for host in ("127.0.0.9", "127.0.0.8", "127.0.0.1")]
    assert 2.5 < shares[0] <= 3
    assert 4 < shares[1] <= 4.5
    assert 8 < shares[2] <= 9


async def test_a_slow_resolver_ends_with_the_connect_timeout() -> None:
    async def never(name: str, port: int) -> list[Address]:
        return await asyncio.Future()

    backend = guarded_network(EgressGuard(EgressPolicy(), never), "https")
    with pytest.raises(httpcore.ConnectTimeout):
        await backend.connect_tcp("hook.example.com", 443, timeout=0.01)


async def test_the_system_resolver_answers_nothing_after_its_deadline_and_asks_once_per_name(monkeypatch) -> None:
    stuck, asked = threading.Event(), []

    def getaddrinfo(name, *_args, **_keywords):
        asked.append(name)
        stuck.wait()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    resolver = SystemResolver(deadline=0.05, workers=1)
    answers = await asyncio.gather(*(resolver(name, 443) for name in ("slow.", "slow.", "queued.")))
    stuck.set()
    resolver.close()
    assert answers == [[], [], []]
    assert asked == ["slow."]


class Hanging:
    """A `getaddrinfo` that does not answer for names with "slow" in them until it is released."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.release = threading.Event()

    def __call__(self, name, *_args, **_keywords):
        self.asked.append(name)
        if "slow" in name:
            self.release.wait()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 443))]


async def test_names_that_hang_have_few_threads_and_others_are_found_meanwhile(monkeypatch) -> None:
    hanging = Hanging()
    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    resolver = SystemResolver(deadline=1.0, workers=4, slow_workers=2)
    slow = [f"slow-{number}." for number in range(4)]
    assert await asyncio.gather(*(resolver(name, 443) for name in slow)) == [[]] * 4
    hanging.release.set()
    while resolver._hanging:
        await asyncio.sleep(0)
    hanging.release.clear()
    quick = [f"quick-{number}." for number in range(20)]
    answers = await asyncio.gather(*(resolver(name, 443) for name in [*slow, *quick]))
    assert [len(found) for found in answers] == [0] * 4 + [1] * 20
    hanging.release.set()
    resolver.close()


async def test_a_name_that_hangs_is_not_asked_for_a_second_time_meanwhile(monkeypatch) -> None:
    hanging = Hanging()
    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    resolver = SystemResolver(deadline=0.05, workers=2)
    assert [await resolver("slow.", 443) for _ in range(5)] == [[]] * 5
    assert hanging.asked == ["slow."]
    hanging.release.set()
    while resolver._hanging:
        await asyncio.sleep(0)
    assert len(await resolver("slow.", 443)) == 1
    assert hanging.asked == ["slow."] * 2
    assert not resolver._slow
    resolver.close()


async def test_a_name_that_only_stood_in_line_is_not_called_slow(monkeypatch) -> None:
    hanging = Hanging()
    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    resolver = SystemResolver(deadline=0.05, workers=1)
    assert await asyncio.gather(resolver("slow.", 443), resolver("quick.", 443)) == [[], []]
    assert list(resolver._slow) == ["slow."]
    hanging.release.set()
    resolver.close()


async def test_a_caller_that_gives_up_does_not_spoil_the_lookup_of_another(monkeypatch) -> None:
    release = threading.Event()

    def getaddrinfo(*_args, **_keywords):
        release.wait()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 443))] * 2

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    resolver = SystemResolver()
    first, second = (asyncio.create_task(resolver("hook.example.com.", 443)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    release.set()
    assert [str(address) for address in await second] == ["93.184.216.34"]
    resolver.close()


async def test_names_that_are_numbers_for_the_resolver_never_reach_it() -> None:
    names = Names()
    for host in ("2130706433", "0x7f.1", "127.1", "0"):
        with pytest.raises(Refused):
            await guard(names, "0.0.0.0/0").check(f"http://{host}/")
    assert names.looked_up == []


async def test_vetting_says_whether_the_operators_word_alone_opened_the_way() -> None:
    names = Names().set("in.example.com.", ["10.0.0.1"]).set("out.example.com.", ["93.184.216.34"])
    guarded = guard(names, "10.0.0.0/8")
    assert (await guarded.vet(Target("http", "in.example.com", 80))).exempt
    assert not (await guarded.vet(Target("https", "out.example.com", 443))).exempt


def test_a_lost_delivery_is_not_a_refusal() -> None:
    assert not issubclass(Lost, Refused)
    assert not issubclass(NotSent, Refused)


async def test_a_receiver_that_has_become_this_server_is_refused_at_each_attempt_and_when_handed_in(tmp_path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "seconds=1", provider="dashscope")
        await it.stop()
        await it.start(public_url=it.inbox.url)
        await it.settle(8)
        [shown] = (await record(it, task_id))["deliveries"]
        assert len(shown["log"]) == 2
        told = {(one["verdict"], one["reason"]) for one in shown["log"]}
        assert told == {("refused", "not dialled: The URL leads back to this server.")}
        refused = await create(it, provider="dashscope")
        assert refused.status_code == 400
        assert "back to this server" in refused.text
    assert it.inbox.received == []
