"""How a delivery's URL may be spelled. Whatever passes is a plain https URL of a public-looking name."""

from __future__ import annotations

import re

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.network.addresses import parse_allow, read_address
from service.network.egress import EgressPolicy, Refused, Target, egress_policy
from service.network.guard import EgressGuard
from service.settings import Settings
from tests.service.loopback import Names

POLICY = EgressPolicy(own=(("Ringback.example.com", 443), ("127.0.0.1", 8000)))
OPEN = EgressPolicy(allow=parse_allow("0.0.0.0/0, ::/0"))
"""Every network is allowed: what this one refuses is refused for its spelling alone."""

NUMBERS = """
2130706433 0x7f000001 0x7f.1 127.1 0 017700000001 0xa9fea9fe 127.0.1 0x7F.0x1 0177.0.0.1 127.000.000.001 1.2.3.4.5
256.256.256.256 999 1e1.0x example.0x1f a.1 127.0.0.1. 0x 4294967295 00000000000000000000 1.0x7f 3232235777.
""".strip()
LITERALS = """
127.0.0.1 8.8.8.8 169.254.169.254 [::1] [::ffff:127.0.0.1] [2606:4700::1] [fd00::1] 127。0。0。1 127．0．0．1
[0:0:0:0:0:0:0:1] [::ffff:7f00:1] [64:ff9b::7f00:1]
""".strip()
INTERNAL = """
localhost localhost. LOCALHOST app.localhost printer.local db.internal x.intranet metadata.google.internal metadata
metadata.google.com METADATA.goog nas.lan x.home.arpa x.corp x.onion x.test x.invalid x.example db x.localdomain
kubernetes a.b.local.
""".strip()
BAD_HOSTS = """
. .. .com a..b.com exam%20ple.com %6cocalhost a%00.com ex{}.com *.example.com -a.example.com a-.example.com
a.com.. a,b.com [::1%25eth0] [fe80::1%eth0] [::1 ::1 [] [127.0.0.1] [::g] a;b.com exam_ple!.com a'b.com a&b.com
$(id).example.com "a".com １２７.0.0.1 ⓛocalhost xn--a.example.com xn--ls8h.la xn-- xn--.com
""".strip()
HOSTS = [*NUMBERS.split(), *LITERALS.split(), *INTERNAL.split(), *BAD_HOSTS.split()]
HOSTS += ["", "exa mple.com", "a\u200b.com", "a" * 64 + ".example.com", ".".join(["a" * 49] * 6)]
PORTS = ["80", "8443", "22", "25", "6379", "444", "0", "65536", "99999", "-1", "x", "443x", "4 43", "1" * 30, "443:443"]
WHOLE = """
/
example.com
//example.com/
https:/example.com
https:example.com
https:///path
https://
https://%
http://hook.example.com/
ftp://hook.example.com/
gopher://hook.example.com/
file:///etc/passwd
javascript:alert(1)
data:text/plain,x
unix:/run/x.sock
http+unix://%2Frun/x
ws://hook.example.com
https://user@hook.example.com/
https://user:pass@hook.example.com/
https://:@hook.example.com/
https://example.com:80@127.0.0.1:22/
https://1.1.1.1 &@2.2.2.2# @3.3.3.3/
https://hook.example.com#@evil.example.com
https://hook.example.com/#
https://hook.example.com/#part
https://a.example.com\\@b.example.com/
https:\\\\hook.example.com/
https://hook.example.com\\evil
https://hook.example.com/a b
https://[::1%℀]/
https://[fe80::1%25ethß]/
https://ringback.example.com/callbacks
https://RINGBACK.example.com./
http://127.0.0.1:8000/
""".strip().split("\n")
UNPRINTABLE = ["\n", "\r\nHost: x", "\t", "\0", "\x7f", "\u2028", "\ud800", "\u00a0", "\ufeff"]

FORBIDDEN = [f"https://{host}/" for host in HOSTS] + [f"https://{host}:443/hook?a=b" for host in HOSTS]
FORBIDDEN += [f"https://hook.example.com:{port}/" for port in PORTS] + ["", *WHOLE]
FORBIDDEN += [f"https://hook.example.com/{text}" for text in UNPRINTABLE]
FORBIDDEN += [f"{text}https://hook.example.com/" for text in UNPRINTABLE]
FORBIDDEN += [f"https://hook.example.com/{path}" for path in ("a" * 2048, "é" * 500)]

FINE = {
    "https://hook.example.com": "https://hook.example.com",
    "https://hook.example.com/": "https://hook.example.com/",
    "HTTPS://Hook.Example.COM/Path?q=%20": "https://hook.example.com/Path?q=%20",
    "https://hook.example.com:443/": "https://hook.example.com/",
    "https://hook.example.com./x": "https://hook.example.com/x",
    "https://hook.example.com?mail=a@b": "https://hook.example.com?mail=a@b",
    "https://hook.example.com//evil.com/@x": "https://hook.example.com//evil.com/@x",
    "https://xn--bcher-kva.example.com/": "https://xn--bcher-kva.example.com/",
    "https://bücher.example.com/": "https://xn--bcher-kva.example.com/",
    "https://my_app.example.com/": "https://my_app.example.com/",
    "https://1password.com/": "https://1password.com/",
    "https://0x7f.com/": "https://0x7f.com/",
    "https://127.0.0.1.nip.io/": "https://127.0.0.1.nip.io/",
    "https://localhost.example.com/": "https://localhost.example.com/",
    "https://hook.example.com/钩子": "https://hook.example.com/%E9%92%A9%E5%AD%90",
}


@pytest.mark.parametrize("text", FORBIDDEN)
def test_a_hostile_or_sloppy_url_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(Refused) as caught:
        POLICY.check_url(text)
    assert re.fullmatch(r"[A-Z].*\.", caught.value.reason)


@pytest.mark.parametrize("text", FINE)
def test_an_ordinary_url_passes_and_is_what_will_be_dialled(text: str) -> None:
    assert str(POLICY.check_url(text)) == FINE[text]


@pytest.mark.parametrize("host", [*NUMBERS.split(), *BAD_HOSTS.split()])
def test_no_allow_list_admits_a_host_that_is_spelled_strangely(host: str) -> None:
    with pytest.raises(Refused):
        OPEN.check_url(f"https://{host}/")


def test_an_allowed_network_lifts_the_rules_for_scheme_port_and_literals() -> None:
    policy = EgressPolicy(allow=parse_allow("127.0.0.0/8:9000, [fd00::]/8"))
    for text in ("http://127.0.0.1:9000/", "https://127.0.0.1:9000/", "http://[fd00::1]:1234/x"):
        assert str(policy.check_url(text)) == text
    for text in ("http://127.0.0.1:9001/", "http://127.0.0.1/", "http://10.0.0.1:9000/", "http://[::1]:9000/"):
        with pytest.raises(Refused):
            policy.check_url(text)


def test_a_name_that_the_allow_list_may_exempt_waits_for_its_addresses() -> None:
    policy = EgressPolicy(allow=parse_allow("10.0.0.0/8:9000"))
    assert policy.check_url("http://receiver:9000/")
    with pytest.raises(Refused):
        policy.check_url("http://receiver:9001/")


def test_plain_http_is_the_operators_choice_and_only_on_its_own_port() -> None:
    policy = EgressPolicy(plain_http=True)
    assert policy.check_url("http://hook.example.com/")
    assert policy.check_url("https://hook.example.com/")
    for text in ("http://hook.example.com:443/", "https://hook.example.com:80/", "http://127.0.0.1/"):
        with pytest.raises(Refused):
            policy.check_url(text)


def test_our_own_address_is_refused_even_in_an_allowed_network() -> None:
    policy = EgressPolicy(allow=parse_allow("127.0.0.0/8, ::1"), own=(("127.0.0.1", 8000), ("0:0:0:0:0:0:0:1", 8000)))
    for text in ("http://127.0.0.1:8000/v1", "http://[::1]:8000/v1"):
        with pytest.raises(Refused, match="back to this server"):
            policy.check_url(text)
    assert policy.check_url("http://127.0.0.1:8001/")


OWN = """
https://ringback.example-shop.com https://RINGBACK.Example-Shop.COM/callbacks/x https://ringback.example-shop.com./
https://ringback.example-shop.com:443/ https://ringback.example-shop.com:8443/ http://ringback.example-shop.com/
https://ringback。example-shop。com/ https://RINGBACK.EXAMPLE-SHOP.COM.:443/v1/tasks
""".strip()


@pytest.mark.anyio
@pytest.mark.parametrize("text", OWN.split())
async def test_our_own_public_address_is_refused_in_every_spelling(text: str) -> None:
    settings = Settings(public_url="https://Ringback.example-shop.com/base")
    with pytest.raises(Refused, match="back to this server"):
        egress_policy(settings).check_url(text)
    opened = egress_policy(settings.model_copy(update={"egress_allow": "10.0.0.0/8"}))
    names = Names().set("ringback.example-shop.com.", ["93.184.216.34"])
    with pytest.raises(Refused, match="back to this server"):
        await EgressGuard(opened, names).check(text)


def test_names_beside_and_below_our_own_are_not_ours() -> None:
    policy = egress_policy(Settings(public_url="https://ringback.example-shop.com"))
    for text in (
        "https://hook.ringback.example-shop.com/",
        "https://example-shop.com/",
        "https://ringback.example.net/",
    ):
        assert policy.check_url(text)


@pytest.mark.parametrize("text", ["https://bücher.example-shop.com/", "https://BÜCHER.example-shop.com.:443/x"])
def test_our_own_international_name_is_refused_however_it_is_written(text: str) -> None:
    policy = egress_policy(Settings(public_url="https://xn--bcher-kva.example-shop.com"))
    with pytest.raises(Refused, match="back to this server"):
        policy.check_url(text)


def test_another_port_of_our_machine_is_not_ourselves() -> None:
    policy = egress_policy(Settings(public_url="http://127.0.0.1:8000", egress_allow="127.0.0.0/8"))
    assert policy.check_url("http://127.0.0.1:9100/")
    with pytest.raises(Refused, match="back to this server"):
        policy.check_url("http://127.0.0.1:8000/hook")


def test_only_replies_of_public_peers_may_be_quoted() -> None:
    policy = EgressPolicy(allow=parse_allow("10.0.0.0/8:9000"))
    assert policy.may_quote(("93.184.216.34", 443))
    assert not policy.may_quote(("10.0.0.1", 9000))
    assert not policy.may_quote(None)
    assert not policy.may_quote(("no address", 443))


PIECES = r"""
https:// http:// // hook.example.com 127.0.0.1 localhost [::1] @ : 443 0 # ? / \ % %2e . .. 。 0x7f 1 xn-- é _ - a
metadata [ ]
"""
PARTS = st.sampled_from([*PIECES.split(), " ", "\u200d"])


@settings(max_examples=600)
@given(st.one_of(st.text(), st.lists(PARTS, max_size=9).map("".join), st.text().map("https://{}".format)))
@example("https://xn--a/")
def test_any_text_is_refused_or_is_a_plain_https_url_of_a_public_name(text: str) -> None:
    try:
        url = POLICY.check_url(text)
    except Refused:
        return
    target = Target.of(url)
    assert (url.scheme, target.port, url.userinfo, url.fragment) == ("https", 443, b"", "")
    assert re.fullmatch(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})+", target.host)
    assert read_address(target.host) is None
    assert not target.host.rpartition(".")[2].isdigit()
    httpx.Request("POST", url)
    again = POLICY.check_url(str(url))
    assert (Target.of(again), again.raw_path) == (target, url.raw_path)
