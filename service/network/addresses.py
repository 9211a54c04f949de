"""Which addresses a delivery may go to: public ones by their shape, others only by the operator's word.

Public is what this table leaves over, never what `ipaddress` calls global: `is_global` lets multicast, NAT64, 6to4 and
`::127.0.0.1` through, `is_private` misses 100.64.0.0/10 and with it a cloud's metadata service at 100.100.100.200.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# IANA's special-purpose registry and what clouds keep for themselves. The order is that of the numbers.
CLOSED_V4 = {
    IPv4Network("0.0.0.0/8"): "this network",
    IPv4Network("10.0.0.0/8"): "a private network",
    IPv4Network("100.64.0.0/10"): "shared carrier space, where clouds keep their metadata",
    IPv4Network("127.0.0.0/8"): "loopback",
    IPv4Network("168.63.129.16/32"): "a cloud's host agent",
    IPv4Network("169.254.0.0/16"): "link-local, where clouds keep their metadata",
    IPv4Network("172.16.0.0/12"): "a private network",
    IPv4Network("192.0.0.0/24"): "reserved for protocols",
    IPv4Network("192.0.2.0/24"): "documentation",
    IPv4Network("192.31.196.0/24"): "reserved for AS112",
    IPv4Network("192.52.193.0/24"): "reserved for AMT",
    IPv4Network("192.88.99.0/24"): "6to4 relays",
    IPv4Network("192.168.0.0/16"): "a private network",
    IPv4Network("192.175.48.0/24"): "reserved for AS112",
    IPv4Network("198.18.0.0/15"): "benchmarking",
    IPv4Network("198.51.100.0/24"): "documentation",
    IPv4Network("203.0.113.0/24"): "documentation",
    IPv4Network("224.0.0.0/3"): "multicast or reserved",
}

# One block holds all public IPv6. Everything outside is refused unread: mapped, compatible and translated IPv4,
# NAT64, unique-local, link-local, site-local, SRv6, discard-only, multicast and what nobody has been given.
PUBLIC_V6 = IPv6Network("2000::/3")
CLOSED_V6 = {
    IPv6Network("2001::/23"): "reserved for protocols (Teredo, ORCHID)",
    IPv6Network("2001:db8::/32"): "documentation",
    IPv6Network("2002::/16"): "6to4, which hides an IPv4 address",
    IPv6Network("2620:4f:8000::/48"): "reserved for AS112",
    IPv6Network("3fff::/20"): "documentation",
}
NAT64 = IPv6Network("64:ff9b::/96")


def why_closed(address: Address, *, nat64: bool = False) -> str | None:
    """What kind of non-public address this is, in words; None if it is public.

    `nat64` is for a host whose network reaches IPv4 through the well-known NAT64 prefix: an address inside it is judged
    by the IPv4 address that it carries.
    """
    if isinstance(address, IPv4Address):
        return next((words for network, words in CLOSED_V4.items() if address in network), None)
    if address.scope_id is not None:
        return "bound to one interface"
    if nat64 and address in NAT64:
        return why_closed(IPv4Address(address.packed[-4:]))
    if address not in PUBLIC_V6:
        return "outside of public IPv6 (2000::/3)"
    return next((words for network, words in CLOSED_V6.items() if address in network), None)


def read_address(text: str) -> Address | None:
    """The address that this text spells canonically enough for `ipaddress`; None for anything else, a name included."""
    try:
        return ip_address(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class AllowEntry:
    """A network that the operator opens for deliveries, on one port or (None) on all."""

    network: Network
    port: int | None = None

    def covers(self, address: Address, port: int) -> bool:
        return self.port in (None, port) and address in self.network

    def __str__(self) -> str:
        if self.port is None:
            return str(self.network)
        host, prefix = self.network.network_address, self.network.prefixlen
        return f"[{host}]/{prefix}:{self.port}" if self.network.version == 6 else f"{host}/{prefix}:{self.port}"


ENTRY = re.compile(
    r"(?:\[(?P<bracketed>[0-9a-fA-F:.]+)\]|(?P<v4>[0-9.]+)|(?P<v6>[0-9a-fA-F:.]+))"
    r"(?:/(?P<prefix>[0-9]{1,3}))?(?::(?P<port>[0-9]{1,5}))?"
)


def parse_allow(text: str) -> tuple[AllowEntry, ...]:
    """Reads `RINGBACK_EGRESS_ALLOW`: entries `CIDR[:port]` between commas, IPv6 with a port as `[fd00::]/8:port`.

    Raises `ValueError` naming the entry. Host bits are an error: `10.0.0.1/8` is more likely a slip than a wish.
    """
    return tuple(_parse_entry(entry) for entry in (part.strip() for part in text.split(",")) if entry)


def _parse_entry(entry: str) -> AllowEntry:
    found = ENTRY.fullmatch(entry)
    if not found:
        raise ValueError(f"{entry!r} is not CIDR[:port], like 10.0.0.0/8, 127.0.0.0/8:9000 or [fd00::]/8:443")
    host = found["bracketed"] or found["v4"] or found["v6"]
    port = int(found["port"]) if found["port"] else None
    if port is not None and not 1 <= port <= 65535:
        raise ValueError(f"{entry!r} has a port outside of 1 to 65535")
    try:
        return AllowEntry(ip_network(f"{host}/{found['prefix']}" if found["prefix"] else host), port)
    except ValueError as error:
        raise ValueError(f"{entry!r} is not a network: {error}") from None
