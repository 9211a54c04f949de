"""Which addresses are public: the matrix against which other projects' rules leaked, and the edges of every range."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.network.addresses import CLOSED_V4, CLOSED_V6, AllowEntry, parse_allow, why_closed
from service.network.egress import EgressPolicy, Refused, Target

CLOSED = """
0.0.0.0 0.1.2.3 0.255.255.255 10.0.0.0 10.0.0.1 10.255.255.255 100.64.0.0 100.100.100.200 100.127.255.255
127.0.0.1 127.1.2.3 127.255.255.255 168.63.129.16 169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255
192.0.0.1 192.0.0.8 192.0.0.9 192.0.0.10 192.0.0.170 192.0.0.192 192.0.2.1 192.31.196.1 192.52.193.1 192.88.99.1
192.168.0.1 192.168.255.255 192.175.48.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.250
240.0.0.1 255.255.255.255
:: ::1 ::7f00:1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:0:127.0.0.1 ::ffff:169.254.169.254
64:ff9b::7f00:1 64:ff9b::10.0.0.1 64:ff9b::8.8.8.8 64:ff9b:1::1 64:ff9b:1:fffe::7f00:1 100::1 100:0:0:1::1
2001::1 2001:0:7f00:1:: 2001:2::1 2001:3::1 2001:4:112::1 2001:10::1 2001:20::1 2001:1ff:ffff::1 2001:db8::1
2001:db8:ffff:ffff:ffff:ffff:ffff:ffff 2002:7f00:1::1 2002:a9fe:a9fe::1 2620:4f:8000::1 3fff::1 3fff:fff::1
4000::1 5f00::1 8000::1 c000::1 f000::1 f800::1 fc00::1 fd00::1 fd00:ec2::254 fd20:ce::254 fd00:c1::a9fe:a9fe
fd7a:115c:a1e0::1 fe80::1 fe80::5efe:7f00:1 fe80::1%2 2606:4700::1%2 fec0::1 ff02::1 ff0e::1
"""

PUBLIC = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 52.95.110.1 100.63.255.255 100.128.0.0 168.63.129.15 172.32.0.0 192.0.1.1
223.255.255.255 2001:200::1 2001:4860:4860::8888 2003::1 2606:4700:4700::1111 2620:fe::fe 2a00:1450:4001:81c::200e
"""


def leads_to(address: str, policy: EgressPolicy | None = None) -> bool:
    """Whether a public name may be dialled that resolves to this address."""
    try:
        (policy or EgressPolicy()).clear(Target("https", "hook.example.com", 443), [ip_address(address)])
    except Refused:
        return False
    return True


@pytest.mark.parametrize("address", CLOSED.split())
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert why_closed(ip_address(address))
    assert not leads_to(address)


@pytest.mark.parametrize("address", PUBLIC.split())
def test_a_public_address_passes(address: str) -> None:
    assert why_closed(ip_address(address)) is None
    assert leads_to(address)


@pytest.mark.parametrize("network", [*CLOSED_V4, *CLOSED_V6], ids=str)
def test_a_range_is_closed_from_its_first_to_its_last_address_and_no_further(network) -> None:
    first, last = network[0], network[-1]
    assert why_closed(first)
    assert why_closed(last)
    for outside in (int(first) - 1, int(last) + 1):
        if 0 <= outside < 2**network.max_prefixlen:
            neighbour = type(first)(outside)
            others = [other for other in (*CLOSED_V4, *CLOSED_V6) if other is not network and neighbour in other]
            assert bool(others) == bool(why_closed(neighbour))


@given(st.ip_addresses(v=6))
def test_no_ipv6_address_outside_of_the_public_block_passes(address) -> None:
    if int(address) >> 125 != 1:
        assert why_closed(address)


def test_nat64_is_closed_unless_the_operator_says_that_the_network_uses_it() -> None:
    behind = EgressPolicy(nat64=True)
    assert not leads_to("64:ff9b::8.8.8.8")
    assert leads_to("64:ff9b::8.8.8.8", behind)
    assert not leads_to("64:ff9b::127.0.0.1", behind)
    assert not leads_to("64:ff9b::169.254.169.254", behind)
    assert not leads_to("64:ff9b:1::8.8.8.8", behind)


@given(st.ip_addresses(v=4))
def test_nat64_judges_as_the_ipv4_address_inside_is_judged(inside: IPv4Address) -> None:
    outside = ip_address(int(ip_address("64:ff9b::")) + int(inside))
    assert why_closed(outside, nat64=True) == why_closed(inside)


def test_one_bad_address_refuses_the_whole_answer() -> None:
    target = Target("https", "hook.example.com", 443)
    with pytest.raises(Refused, match="not public"):
        EgressPolicy().clear(target, [ip_address("8.8.8.8"), ip_address("10.0.0.1")])


def test_the_allow_list_reads_networks_with_and_without_ports() -> None:
    entries = parse_allow(" 127.0.0.0/8:9000, 10.0.0.0/8,192.168.1.7:80 ,[fd00::]/8:9443, fd00::/8, ::1, [::1]:80,")
    assert [str(entry) for entry in entries] == [
        "127.0.0.0/8:9000",
        "10.0.0.0/8",
        "192.168.1.7/32:80",
        "[fd00::]/8:9443",
        "fd00::/8",
        "::1/128",
        "[::1]/128:80",
    ]
    assert parse_allow("") == parse_allow(" , ") == ()


NO_NETWORKS = """
localhost; 10.0.0.1/8; 10.0.0.0/33; 10.0.0.0/8:0; 10.0.0.0/8:65536; 10.0.0.0/8:x; fd00::/129; 1.2; [10.0.0.0/8]:80;
10.0.0.0/8 127.0.0.0/8; http://10.0.0.1; [fd00::/8]:80; 10.0.0.0/-1; 256.0.0.0/8; 10.0.0.0/; /8; :80; [fd00::/8
"""


@pytest.mark.parametrize("text", [text.strip() for text in NO_NETWORKS.split(";")])
def test_an_entry_that_is_no_network_is_an_error_that_names_it(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_allow(f"127.0.0.1,{text}")
    assert repr(text) in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_an_allow_list_or_a_value_error(text: str) -> None:
    try:
        entries = parse_allow(text)
    except ValueError:
        return
    assert parse_allow(",".join(map(str, entries))) == entries


def test_an_entry_covers_its_network_on_its_port_only() -> None:
    (entry,) = parse_allow("10.1.0.0/16:9000")
    assert entry.covers(ip_address("10.1.2.3"), 9000)
    assert not entry.covers(ip_address("10.1.2.3"), 9001)
    assert not entry.covers(ip_address("10.2.0.1"), 9000)
    assert not entry.covers(ip_address("::ffff:10.1.2.3"), 9000)
    assert AllowEntry(entry.network).covers(ip_address("10.1.2.3"), 1)
