"""Two more ways to read the host of a URL: Python's own, and that of browsers (the URL standard of the WHATWG)."""

from __future__ import annotations

import re
import unicodedata
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import unquote_to_bytes, urlsplit

import idna

SPECIAL = re.compile(r"(https?|wss?|ftp):[/\\]*", re.IGNORECASE)
FORBIDDEN = re.compile(r"[\x00-\x20#/:<>?@\[\\\]^|%\x7f]")


def by_urllib(text: str) -> str | None:
    """None if it does not read a host."""
    try:
        host = urlsplit(text).hostname
    except ValueError:
        return None
    return _plain(host) if host else None


def by_browsers(text: str) -> str | None:
    """As https://url.spec.whatwg.org parses the host of an absolute URL of a special scheme."""
    text = re.sub(r"[\t\n\r]", "", text.strip("".join(map(chr, range(0x21)))))
    found = SPECIAL.match(text)
    if not found:
        return None
    authority = re.split(r"[/\\?#]", text[found.end() :], maxsplit=1)[0]
    host = authority.rpartition("@")[2]
    if host.startswith("["):
        return _address(host[1:].partition("]")[0], IPv6Address)
    return _domain(host.partition(":")[0])


def _domain(host: str) -> str | None:
    decoded = unicodedata.normalize("NFKC", unquote_to_bytes(host).decode(errors="replace"))
    try:
        mapped = idna.uts46_remap(decoded, std3_rules=False, transitional=False)
        name = mapped if mapped.isascii() else ".".join(_label(label) for label in re.split(r"[.。]", mapped))
    except (idna.IDNAError, UnicodeError):
        return None
    if not name or FORBIDDEN.search(name):
        return None
    return _number(name) or name.lower().removesuffix(".")


def _label(label: str) -> str:
    return label if label.isascii() else "xn--" + label.encode("punycode").decode()


def _number(name: str) -> str | None:
    """The address that a name ending in a number is: one to four numbers, in base 8, 10 or 16, the last one filling."""
    parts = name.removesuffix(".").split(".")
    if len(parts) > 4 or not re.fullmatch(r"[0-9]+|0x[0-9a-f]*", parts[-1], re.IGNORECASE):
        return None
    try:
        numbers = [_value(part) for part in parts]
    except ValueError:
        return None
    value = sum(number << (24 - 8 * place) for place, number in enumerate(numbers[:-1])) + numbers[-1]
    return str(IPv4Address(value)) if value < 1 << 32 else None


def _value(part: str) -> int:
    if part.lower().startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8 if len(part) > 1 and part.startswith("0") else 10)


def _address(text: str, kind: type[IPv4Address] | type[IPv6Address]) -> str | None:
    try:
        return str(kind(text))
    except ValueError:
        return None


def _plain(host: str) -> str:
    """In the one spelling in which hosts are compared."""
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    try:
        return host.removesuffix(".") if host.isascii() else str(_domain(host))
    except ValueError:
        return host
