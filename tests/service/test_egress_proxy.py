"""Deliveries through the operator's proxy: what goes to it, what it may say, and whose trouble that is."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from service.network.addresses import Address, parse_allow
from service.network.egress import EgressPolicy, Refused
from service.network.guard import EgressGuard
from service.network.http import Hindered, NotSent, Reply, egress_client, send_once
from service.network.proxy import Proxy, parse_proxy, proxy_of
from service.settings import Settings, SettingsError, load
from tests.service.hostile.tls import Authority
from tests.service.loopback import Receiver, receiving, saying, silence
from tests.service.proxying import ForwardProxy, proxying

pytestmark = pytest.mark.anyio
HOST = "hook.example-shop.com"


async def nobody_asks(name: str, port: int) -> list[Address]:
    raise AssertionError(f"{name} was looked up here, which is the proxy's to do")


async def deliver(proxy: Proxy, url: str, *, tls: ssl.SSLContext | None = None, plain_http: bool = False) -> Reply:
    guard = EgressGuard(EgressPolicy(plain_http=plain_http), nobody_asks, proxied=True)
    async with egress_client(guard, proxy=proxy, tls_context=tls) as client:
        request = client.build_request("POST", guard.policy.check_url(url), content=b"{}")
        return await send_once(client, request, deadline_seconds=5)


@asynccontextmanager
async def secure(tmp_path: Path, password: str = "") -> AsyncIterator[tuple[ForwardProxy, Receiver, ssl.SSLContext]]:
    authority = Authority(tmp_path)
    async with (
        receiving(tls=authority.serves(HOST)) as receiver,
        proxying({f"{HOST}:443": receiver.port}, password=password) as proxy,
    ):
        yield proxy, receiver, authority.trusted


async def test_https_goes_through_a_tunnel_and_the_proxy_sees_neither_path_nor_body(tmp_path: Path) -> None:
    async with secure(tmp_path) as (proxy, receiver, trusted):
        reply = await deliver(parse_proxy(proxy.url), f"https://{HOST}/hook?secret=1", tls=trusted)
    assert (reply.status, reply.body) == (200, b"ok")
    [head] = proxy.asked
    assert head == b"CONNECT hook.example-shop.com:443 HTTP/1.1\r\nHost: hook.example-shop.com:443\r\n\r\n"
    assert receiver.asked[0].head.startswith(b"POST /hook?secret=1 HTTP/1.1\r\n")
    assert receiver.asked[0].headers["host"] == HOST
    assert receiver.sni == [HOST]


async def test_the_peer_behind_a_proxy_is_unknown_so_its_reply_is_not_quoted(tmp_path: Path) -> None:
    async with secure(tmp_path) as (proxy, _, trusted):
        reply = await deliver(parse_proxy(proxy.url), f"https://{HOST}/", tls=trusted)
    assert reply.peer is None
    assert not EgressPolicy().may_quote(reply.peer)
    assert (reply.phases.dns_ms, reply.phases.connect_ms is None, reply.phases.tls_ms is None) == (None, False, False)


async def test_credentials_go_to_the_proxy_and_to_nobody_else(tmp_path: Path) -> None:
    async with secure(tmp_path, "me:p@ss word".replace("@", "%40").replace(" ", "%20")) as (proxy, receiver, trusted):
        proxy.password = "me:p@ss word"
        url = f"http://me:p%40ss%20word@127.0.0.1:{proxy.port}"
        assert (await deliver(parse_proxy(url), f"https://{HOST}/", tls=trusted)).status == 200
    assert b"Proxy-Authorization: Basic" in proxy.asked[0]
    assert "proxy-authorization" not in receiver.asked[0].headers
    assert "p%40ss" not in repr(parse_proxy(url))
    assert str(parse_proxy(url)) == f"127.0.0.1:{proxy.port}"


async def test_a_kept_tunnel_serves_the_next_delivery(tmp_path: Path) -> None:
    async with secure(tmp_path) as (proxy, receiver, trusted):
        guard = EgressGuard(EgressPolicy(), nobody_asks, proxied=True)
        async with egress_client(guard, proxy=parse_proxy(proxy.url), tls_context=trusted) as client:
            for _ in range(2):
                await send_once(client, client.build_request("POST", f"https://{HOST}/"), deadline_seconds=5)
    assert len(proxy.asked) == 1
    assert [asked.connection for asked in receiver.asked] == [0, 0]


async def test_http_is_asked_for_by_its_whole_url() -> None:
    async with receiving() as receiver, proxying({f"{HOST}:80": receiver.port}, password="a:b") as proxy:
        reply = await deliver(parse_proxy(proxy.url), f"http://{HOST}/hook?x=1", plain_http=True)
    assert reply.status == 200
    assert proxy.asked[0].startswith(b"POST http://hook.example-shop.com/hook?x=1 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic YTpi" in proxy.asked[0]
    assert receiver.asked[0].headers["host"] == HOST


@pytest.mark.parametrize("url", [f"https://{HOST}/", f"http://{HOST}/"])
async def test_a_proxy_that_wants_a_password_is_the_operators_trouble(url: str) -> None:
    async with receiving() as receiver:
        leads = {f"{HOST}:443": receiver.port, f"{HOST}:80": receiver.port}
        async with proxying(leads, password="me:right") as proxy:
            wrong = parse_proxy(f"http://me:wrong-password@127.0.0.1:{proxy.port}")
            with pytest.raises(Hindered, match="does not accept its user name and password") as caught:
                await deliver(wrong, url, plain_http=True)
    assert "wrong-password" not in str(caught.value)
    assert receiver.asked == []


NOISE = [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200", b"\0" * 200_000, b"HTTP/1.1 103 E\r\n\r\n" * 20_000]


@pytest.mark.parametrize("raw", NOISE, ids=["SSH", "half", "zeros", "flood"])
async def test_a_proxy_that_speaks_no_http_is_the_operators_trouble(raw: bytes) -> None:
    async with proxying({}) as proxy:
        proxy.raw = raw
        with pytest.raises(Hindered, match="no answer that is HTTP"):
            await deliver(parse_proxy(proxy.url), f"https://{HOST}/")


async def test_a_proxy_that_is_down_is_the_operators_trouble() -> None:
    async with proxying({}) as proxy:
        pass
    with pytest.raises(Hindered, match="the proxy cannot be reached"):
        await deliver(parse_proxy(proxy.url), f"https://{HOST}/")


@pytest.mark.parametrize("status", [502, 503, 504, 500, 404])
async def test_a_receiver_that_the_proxy_cannot_reach_is_the_receivers_trouble(status: int) -> None:
    async with proxying({}) as proxy:
        proxy.says[f"{HOST}:443"] = status
        with pytest.raises(NotSent, match=f"could not connect to the receiver .it answered {status}") as caught:
            await deliver(parse_proxy(proxy.url), f"https://{HOST}/")
    assert not isinstance(caught.value, Hindered)


@pytest.mark.parametrize("status", [403, 451])
async def test_where_the_proxy_forbids_to_go_is_refused(status: int) -> None:
    async with proxying({}) as proxy:
        proxy.says[f"{HOST}:443"] = status
        with pytest.raises(Refused, match="proxy does not let deliveries go there"):
            await deliver(parse_proxy(proxy.url), f"https://{HOST}/")


@pytest.mark.parametrize("status", [400, 405, 429, 301])
async def test_any_other_answer_is_the_operators_trouble(status: int) -> None:
    async with proxying({}) as proxy:
        proxy.says[f"{HOST}:443"] = status
        with pytest.raises(Hindered, match=f"the proxy answered {status}"):
            await deliver(parse_proxy(proxy.url), f"https://{HOST}/")


async def test_a_tunnel_that_is_not_made_in_time_is_no_connection() -> None:
    guard = EgressGuard(EgressPolicy(), nobody_asks, proxied=True)
    async with receiving(silence) as silent, egress_client(guard, proxy=Proxy("127.0.0.1", silent.port)) as client:
        request = client.build_request("POST", f"https://{HOST}/", content=b"{}")
        with pytest.raises(NotSent, match="no connection in time"):
            await send_once(client, request, deadline_seconds=0.1)


REFUSED = """
http://hook.example-shop.com/ https://127.0.0.1/ https://169.254.169.254/ https://8.8.8.8/ https://[::1]/ https://2130706433/
https://localhost/ https://db.internal/ https://metadata.google.internal/ https://hook.example-shop.com:8443/
https://user@hook.example-shop.com/ https://single/ ftp://hook.example-shop.com/
""".strip()


@pytest.mark.parametrize("url", REFUSED.split())
async def test_what_is_forbidden_by_its_spelling_is_not_asked_of_a_proxy(url: str) -> None:
    async with proxying({}) as proxy:
        with pytest.raises(Refused):
            await EgressGuard(EgressPolicy(), nobody_asks, proxied=True).check(url)
        with pytest.raises(Refused):
            await deliver(parse_proxy(proxy.url), url)
    assert proxy.asked == []


async def test_no_name_is_exempt_behind_a_proxy_for_nobody_here_knows_where_it_leads() -> None:
    policy = EgressPolicy(parse_allow("10.0.0.0/8"))
    guard = EgressGuard(policy, nobody_asks, proxied=True)
    with pytest.raises(Refused):
        await guard.check("http://receiver:9000/")
    assert await guard.check("http://10.0.0.7:9000/")
    assert await guard.check(f"https://{HOST}/")


@pytest.mark.parametrize(
    "text",
    ["https://p:3128", "socks5://p:1080", "p:3128", "http://p", "http://:3128", "http://u:hush@p:x", "http://p:1/x", "http://p:1?x",
     "http://u:hush hush@p:1", "http://p:99999"],
)  # fmt: skip
def test_a_proxy_that_cannot_be_meant_is_an_error_that_quotes_nothing(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        proxy_of(Settings(egress_proxy=text))
    [said] = caught.value.problems
    assert said.startswith("RINGBACK_EGRESS_PROXY: use http://host:port")
    assert "hush" not in said


def test_the_setting_comes_from_the_environment_and_is_never_shown(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load(None, {"RINGBACK_EGRESS_PROXY": "http://me:hush-hush@proxy.internal:3128"})
    assert proxy_of(settings) == Proxy("proxy.internal", 3128, b"Basic bWU6aHVzaC1odXNo")
    assert "hush" not in repr(settings)
    assert proxy_of(Settings()) is None


async def test_a_reply_of_the_receiver_that_looks_like_the_proxys_is_the_receivers(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    denied = saying(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    async with (
        receiving(denied, tls=authority.serves(HOST)) as receiver,
        proxying({f"{HOST}:443": receiver.port}) as proxy,
    ):
        reply = await deliver(parse_proxy(proxy.url), f"https://{HOST}/", tls=authority.trusted)
    assert reply.status == 407
