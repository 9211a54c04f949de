"""Addresses that must never be dialled, by class, addresses that may be, and the ways in which one can be spelled.

The classes are written down here a second time and not taken from the guard, which would then agree with itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from random import Random

Address = IPv4Address | IPv6Address


def words(text: str) -> list[str]:
    return text.split()


FORBIDDEN_V4 = words("""
0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 100.100.100.200/32 127.0.0.0/8 127.0.0.1/32 168.63.129.16/32 169.254.0.0/16
169.254.169.254/32 169.254.170.2/32 172.16.0.0/12 192.0.0.0/24 192.0.0.192/32 192.0.2.0/24 192.88.99.0/24
192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 255.255.255.255/32
""")
FORBIDDEN_V6 = words("""
::/128 ::1/128 100::/64 2001::/32 2001:10::/28 2001:20::/28 2001:db8::/32 3fff::/20 5f00::/16 fc00::/7
fd00:ec2::254/128 fd20:ce::254/128 fe80::/10 fec0::/10 ff00::/8 4000::/3 8000::/3
""")
PUBLIC = words("""
1.1.1.0/24 8.8.8.0/24 9.9.9.0/24 52.95.0.0/16 93.184.216.0/24 104.16.0.0/13 151.101.0.0/16 223.5.5.0/24
2001:4860:4860::/48 2606:4700::/32 2620:fe::/48 2a00:1450:4000::/36 2400:3200::/32
""")

EMBEDDED: Mapping[str, Callable[[int], int]] = {
    "mapped": lambda v4: 0xFFFF << 32 | v4,
    "compatible": lambda v4: v4,
    "translated": lambda v4: 0xFFFF << 48 | v4,
    "NAT64": lambda v4: 0x64FF9B << 96 | v4,
    "local NAT64": lambda v4: 0x64FF9B0001 << 80 | v4,
    "6to4": lambda v4: 0x2002 << 112 | v4 << 80 | 1,
    "Teredo": lambda v4: 0x20010000 << 96 | v4 << 64 | (v4 ^ 0xFFFFFFFF),
    "ISATAP": lambda v4: 0xFE80 << 112 | 0x5EFE << 32 | v4,
}
"""IPv6 addresses that carry an IPv4 address, and where."""


def forbidden(chance: Random) -> Address:
    kind = chance.random()
    if kind < 0.5:
        return within(chance, ip_network(chance.choice(FORBIDDEN_V4)))
    if kind < 0.75:
        return within(chance, ip_network(chance.choice(FORBIDDEN_V6)))
    carried = within(chance, ip_network(chance.choice([*FORBIDDEN_V4, "8.8.8.0/24"])))
    return IPv6Address(chance.choice(list(EMBEDDED.values()))(int(carried)))


def public(chance: Random) -> Address:
    return within(chance, ip_network(chance.choice(PUBLIC)))


def is_public(address: Address) -> bool:
    return any(address in network for network in map(ip_network, PUBLIC) if network.version == address.version)


def within(chance: Random, network: IPv4Network | IPv6Network) -> Address:
    return type(network.network_address)(int(network.network_address) + chance.randrange(network.num_addresses))


def spell(chance: Random, address: Address) -> str:
    """As the host of a URL, in one of the ways that some parser, browser or resolver reads as this address."""
    if isinstance(address, IPv6Address):
        return chance.choice(SPELLINGS_V6)(chance, address)
    text = chance.choice(SPELLINGS_V4)(chance, address)
    return chance.choice(DISGUISES)(chance, text) if chance.random() < 0.4 else text


def _number(chance: Random, value: int) -> str:
    forms = (
        str(value),
        hex(value),
        hex(value).upper().replace("X", "x"),
        f"0{value:o}",
        f"0x{value:08x}",
        f"00{value:o}",
    )
    return chance.choice(forms)


def _short(chance: Random, address: IPv4Address) -> str:
    """The last number of two or three takes all bytes that are left."""
    packed, parts = address.packed, chance.choice((2, 3))
    head = [_number(chance, byte) for byte in packed[: parts - 1]]
    return ".".join([*head, _number(chance, int.from_bytes(packed[parts - 1 :]))])


def _leading_zeros(chance: Random, address: IPv4Address) -> str:
    return ".".join(f"{byte:0{chance.choice((1, 2, 3, 4))}d}" for byte in address.packed)


SPELLINGS_V4: tuple[Callable[[Random, IPv4Address], str], ...] = (
    lambda _, address: str(address),
    lambda _, address: f"{address}.",
    lambda _, address: str(int(address)),
    lambda _, address: hex(int(address)),
    lambda _, address: f"0{int(address):o}",
    lambda _, address: str(int(address) + (1 << 32)),
    lambda chance, address: ".".join(_number(chance, byte) for byte in address.packed),
    lambda chance, address: ".".join(str(byte + 256) for byte in address.packed),
    _short,
    _leading_zeros,
    lambda _, address: f"[{address}]",
    lambda _, address: f"[::ffff:{address}]",
    lambda _, address: f"{address}.nip.io.",
    lambda _, address: f"{address}:443",
)  # fmt: skip


def _digits(zero: int) -> Callable[[Random, str], str]:
    table = {ord("0") + digit: zero + digit for digit in range(10)}
    return lambda _, text: text.translate(table)


DISGUISES: tuple[Callable[[Random, str], str], ...] = (
    _digits(0xFF10),  # fullwidth
    _digits(0x0660),  # Arabic-Indic
    _digits(0x1D7CE),  # mathematical
    lambda _, text: text.translate({ord(str(digit)): 0x245F + digit for digit in range(1, 10)}),  # circled
    lambda chance, text: text.replace(".", chance.choice("。．｡․")),
    lambda _, text: text.replace(".", "%2e"),
    lambda _, text: "".join(f"%{ord(each):02x}" for each in text),
    lambda chance, text: _insert(chance, text, chance.choice("\u00ad\u200b\u200d\u2060\ufeff\t\n\0")),
    lambda _, text: text.replace("1", "l").replace("0", "O"),
)


def _insert(chance: Random, text: str, what: str) -> str:
    place = chance.randrange(len(text) + 1)
    return text[:place] + what + text[place:]


SPELLINGS_V6: tuple[Callable[[Random, IPv6Address], str], ...] = (
    lambda _, address: f"[{address}]",
    lambda _, address: f"[{address.exploded}]",
    lambda _, address: f"[{str(address).upper()}]",
    lambda _, address: f"[{address}%25eth0]",
    lambda _, address: f"[{address}%eth0]",
    lambda _, address: f"[{address}%1]",
    lambda _, address: str(address),
    lambda _, address: f"[{address}].",
    lambda _, address: f"[{':'.join(address.exploded.split(':')[:6])}:{IPv4Address(address.packed[-4:])}]",
    lambda _, address: f"%5b{address}%5d",
    lambda _, address: f"[[{address}]]",
    lambda _, address: f"{str(address).replace(':', '-')}.ip6.name.",
)
