"""Which URLs a delivery may go to: the rules against server-side request forgery, without any input or output.

One parser only: what is judged is the very `httpx.URL` that is dialled. Names are judged twice, by how they are spelled
here and by where they lead in `service.network.guard`, which asks `EgressPolicy.clear` at every single attempt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

import httpx

from service.network.addresses import Address, AllowEntry, parse_allow, read_address, why_closed
from service.settings import Settings, SettingsError

MAX_URL = 2048
MAX_HOST = 253
DEFAULT_PORTS = {"https": 443, "http": 80}
LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # how the URL standard tells that a host "ends in a number"
INTERNAL = {"localhost", "localdomain", "local", "internal", "intranet", "lan", "corp", "home", "private", "home.arpa"}
RESERVED = {"onion", "test", "invalid", "example"}  # RFC 6761 and 7686: never in public DNS
CLOSED_SUFFIXES = frozenset(INTERNAL | RESERVED)
WAY_OUT = " If the receiver is on the operator's own network, RINGBACK_EGRESS_ALLOW opens it."


class Refused(Exception):
    """This destination is forbidden. `reason` is a sentence that says why and what is allowed.

    It is no kind of `httpcore.ConnectError`, which connections retry: a refusal is final.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads: what a connection is opened by. `host` is ASCII, lower-case, without brackets."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: httpx.URL) -> Target:
        port = url.port if url.port is not None else DEFAULT_PORTS.get(url.scheme, 0)
        return cls(url.scheme, url.raw_host.decode("ascii"), port)

    @property
    def literal(self) -> Address | None:
        return read_address(self.host)


@dataclass(frozen=True)
class EgressPolicy:
    """What the operator lets deliveries reach.

    `allow` opens networks that are closed otherwise. A URL whose every address lies in it is exempt from the rules for
    scheme, port, literals and names. `own` are the server's own (host, port) pairs, its public one and the ones it
    listens on: never reachable, lest a delivery call the server that sends it. `plain_http` permits http on port 80.
    """

    allow: tuple[AllowEntry, ...] = ()
    own: tuple[tuple[str, int], ...] = ()
    nat64: bool = False
    plain_http: bool = False

    def check_url(self, text: str) -> httpx.URL:
        """The URL to dial, a trailing dot of its host removed. Raises `Refused`.

        Nothing is resolved here. A name that `allow` might still exempt once its addresses are known passes when it is
        well formed.
        """
        url = read_url(text)
        target = Target.of(url)
        if target.literal is not None:
            self.clear(target, (target.literal,))
        elif not self._may_be_exempt(target):
            self.check_public(target)
        return url

    def clear(self, target: Target, addresses: Sequence[Address], *, search_free: bool = True) -> bool:
        """Whether this target is exempt; raises `Refused` if it must not be dialled at any one of these addresses.

        `addresses` is the whole answer of one lookup: one bad address refuses all. `search_free` says that the name
        was found with a trailing dot; one that was not means something on this machine only.
        """
        self._check_not_own(target, addresses)
        if addresses and all(self._allowed(address, target.port) for address in addresses):
            return True
        self.check_public(target)
        if not search_free:
            raise Refused("The host is known only to this machine or its search domain; use a full public name.")
        for address in addresses:
            closed = why_closed(address, nat64=self.nat64)
            if closed:
                raise Refused(f"The host leads to an address that is not public ({closed}).{WAY_OUT}")
        return False

    def check_public(self, target: Target) -> None:
        """The rules for everything that is not exempt. Raises `Refused`."""
        ports = [DEFAULT_PORTS["https"], *([DEFAULT_PORTS["http"]] if self.plain_http else [])]
        way_out = WAY_OUT if _looks_inward(target) else ""
        if any(host == target.host for host, _ in self.own_pairs):
            beside = way_out and (target.host, target.port) not in self.own_pairs
            raise Refused(
                f"The URL leads to this machine.{way_out}" if beside else "The URL leads back to this server."
            )
        if target.scheme != "https" and not self.plain_http:
            raise Refused(f"The URL must be https.{way_out}")
        if target.port != DEFAULT_PORTS[target.scheme]:
            raise Refused(f"Port {target.port} is not allowed; allowed: {' and '.join(map(str, ports))}.{way_out}")
        if target.literal is not None:
            raise Refused(f"The host must be a name, not an IP address.{way_out}")
        _check_name(target.host)

    def may_quote(self, peer: tuple[str, int] | None) -> bool:
        """Whether the reply of this (address, port) may be kept and shown: not if the operator's word alone opened it,
        or a client could read through us what it cannot reach itself. None, an unknown peer, may not be quoted."""
        address = read_address(peer[0]) if peer else None
        return peer is not None and address is not None and not self._allowed(address, peer[1])

    @cached_property
    def own_pairs(self) -> frozenset[tuple[str, int]]:
        """`own` in the spelling of a `Target`."""
        return frozenset((str(read_address(host) or host.lower().removesuffix(".")), port) for host, port in self.own)

    def _allowed(self, address: Address, port: int) -> bool:
        return any(entry.covers(address, port) for entry in self.allow)

    def _may_be_exempt(self, target: Target) -> bool:
        return any(entry.port in (None, target.port) for entry in self.allow)

    def _check_not_own(self, target: Target, addresses: Iterable[Address]) -> None:
        if any((host, target.port) in self.own_pairs for host in (target.host, *map(str, addresses))):
            raise Refused("The URL leads back to this server.")


def read_url(text: str) -> httpx.URL:
    """A well-formed http or https URL, whoever is meant by it. Raises `Refused`."""
    if len(text) > MAX_URL:
        raise Refused(f"The URL is longer than {MAX_URL} characters.")
    if not text.isprintable() or " " in text or "\\" in text:
        raise Refused("The URL contains a space, a backslash or a control character; percent-encode them.")
    try:
        url = httpx.URL(text)
        url.host.encode()  # decodes an international name, as httpx does when it dials
        url.raw_host.decode("ascii")  # the zone of an IPv6 literal may be anything for httpx
    except (httpx.InvalidURL, ValueError):
        raise Refused("This is not a URL.") from None
    if url.scheme not in DEFAULT_PORTS:
        raise Refused("The URL must start with https://.")
    if url.userinfo:
        raise Refused("The URL must not carry a user name or password.")
    if "#" in text:
        raise Refused("The URL must not have a fragment (#...), which is never sent.")
    if url.port is not None and not 1 <= url.port <= 65535:
        raise Refused("The port must be between 1 and 65535.")
    if len(url.raw_path) > MAX_URL:
        raise Refused(f"The URL is longer than {MAX_URL} characters when it is percent-encoded.")
    return _with_plain_host(url)


def _with_plain_host(url: httpx.URL) -> httpx.URL:
    """The same URL without the dot that may end a full name: one receiver, one spelling. Raises `Refused`."""
    host = url.raw_host.decode("ascii")
    if not host:
        raise Refused("The URL has no host.")
    if read_address(host) is not None and "%" not in host:
        return url
    plain = host.removesuffix(".")
    labels = plain.split(".")
    if len(plain) > MAX_HOST or not all(LABEL.fullmatch(label) for label in labels):
        raise Refused("The host is not a host name: dot-separated labels of 1 to 63 letters, digits and hyphens.")
    if NUMBER.fullmatch(labels[-1]):
        raise Refused("The host ends in a number but is not a plain IP address.")
    return url if plain == host else url.copy_with(host=plain)


def _looks_inward(target: Target) -> bool:
    """Whether the spelling alone says that a receiver of one's own is meant, as in http://localhost:3000/."""
    if target.literal is not None:
        return why_closed(target.literal) is not None
    return "." not in target.host or target.host.rpartition(".")[2] in INTERNAL


def _check_name(host: str) -> None:
    labels = host.split(".")
    if len(labels) < 2:
        raise Refused(f"The host must be a full public name with a dot in it.{WAY_OUT}")
    if labels[0] == "metadata" or not CLOSED_SUFFIXES.isdisjoint((labels[-1], ".".join(labels[-2:]))):
        raise Refused("The host is a name for internal use; use a public one.")


def egress_policy(settings: Settings) -> EgressPolicy:
    """Raises `SettingsError`."""
    own = [(settings.host, settings.port)]
    if settings.public_url:
        public = urlsplit(settings.public_url)
        ports = [public.port] if public.port else DEFAULT_PORTS.values()  # the usual two are one server's
        own += [(public.hostname or "", port) for port in ports]
    try:
        return EgressPolicy(allow=parse_allow(settings.egress_allow), own=tuple(own))
    except ValueError as error:
        raise SettingsError([f"RINGBACK_EGRESS_ALLOW: {error}."]) from error
