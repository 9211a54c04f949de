"""The guard of outgoing deliveries: resolves once, judges the whole answer, dials nothing but what it judged.

`EgressGuard.check` is for the moment when a URL is given to us, `guarded_network` for every attempt. The connection
pool above stays keyed by host name, so TLS and the Host header keep the name while the socket goes to a vetted address.
"""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

import httpcore
import httpx

from service.network.addresses import Address, read_address
from service.network.dialling import Network
from service.network.egress import EgressPolicy, Refused, Target

Resolve = Callable[[str, int], Awaitable[list[Address]]]
"""Looks a name up for a port; an empty list when it has no address or no server answered in time. Never raises."""

MOST_SLOW = 10_000
UNSPECIFIED_V4, UNSPECIFIED_V6 = IPv4Address(0), IPv6Address(0)


class SystemResolver:
    """The machine's own resolver on threads of its own and with a deadline: `getaddrinfo` cannot be cancelled, and on
    the loop's shared threads slow names would pile up until nothing else runs.

    A name has one lookup at a time, and while one hangs it has no answer at once. Names that hung the last time have a
    few threads apart (`slow_workers`), so that whoever owns many of them does not keep others waiting.
    """

    def __init__(self, *, deadline: float = 5.0, workers: int = 64, slow_workers: int = 16) -> None:
        self._deadline = deadline
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="resolve")
        self._slow_threads = ThreadPoolExecutor(slow_workers, thread_name_prefix="resolve-slow")
        self._running: dict[tuple[str, int], asyncio.Task[list[Address]]] = {}
        self._hanging: set[str] = set()
        self._slow: OrderedDict[str, None] = OrderedDict()  # the latest last

    async def __call__(self, name: str, port: int) -> list[Address]:
        key = (name, port)
        if key not in self._running:
            if name in self._hanging:
                return []
            task = asyncio.create_task(self._look_up(name, port))
            self._running[key] = task
            task.add_done_callback(lambda _: self._running.pop(key))
        return await asyncio.shield(self._running[key])

    def close(self) -> None:
        for threads in (self._threads, self._slow_threads):
            threads.shutdown(wait=False, cancel_futures=True)

    async def _look_up(self, name: str, port: int) -> list[Address]:
        lookup = (self._slow_threads if name in self._slow else self._threads).submit(_getaddrinfo, name, port)
        try:
            async with asyncio.timeout(self._deadline):
                found = await asyncio.wrap_future(lookup)
        except TimeoutError:
            if lookup.running():  # one that still stood in line says nothing of its name
                self._note_hanging(name, lookup)
            return []
        except (OSError, UnicodeError):
            found = []
        self._slow.pop(name, None)
        addresses = (read_address(text) for text in found)
        return list(dict.fromkeys(address for address in addresses if address is not None))

    def _note_hanging(self, name: str, lookup: Future[list[str]]) -> None:
        self._slow[name] = None
        if len(self._slow) > MOST_SLOW:
            self._slow.popitem(last=False)
        self._hanging.add(name)
        lookup.add_done_callback(lambda _: self._hanging.discard(name))


def _getaddrinfo(name: str, port: int) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True, slots=True)
class Vetted:
    """Where a target may be dialled, in the resolver's order; empty if the name leads nowhere."""

    addresses: tuple[Address, ...]
    exempt: bool = False


class EgressGuard:
    """An `EgressPolicy` that can look names up. `proxied`: a proxy does that, and judges where they lead."""

    def __init__(self, policy: EgressPolicy, resolve: Resolve | None = None, *, proxied: bool = False) -> None:
        self.policy = policy
        self.proxied = proxied
        self._resolve = resolve or SystemResolver()

    async def check(self, text: str) -> httpx.URL:
        """For a URL that somebody hands in. Raises `Refused` if it is forbidden; a name that does not resolve passes,
        since it may be our DNS that is down and every attempt asks again."""
        url = self.policy.check_url(text)
        await self.vet(Target.of(url))
        return url

    async def vet(self, target: Target) -> Vetted:
        """The addresses that this target may be dialled at, from one lookup. Raises `Refused`."""
        if self.proxied and target.literal is None:
            self.policy.check_public(target)
            return Vetted(())
        addresses, search_free = await self._addresses(target)
        if not addresses:
            return Vetted(())
        exempt = self.policy.clear(target, addresses, search_free=search_free)
        self._check_not_listening_here(target, addresses)
        return Vetted(addresses, exempt)

    def close(self) -> None:
        """Lets the resolver's threads go."""
        if isinstance(self._resolve, SystemResolver):
            self._resolve.close()

    async def _addresses(self, target: Target) -> tuple[tuple[Address, ...], bool]:
        if target.literal is not None:
            return (target.literal,), True
        # The trailing dot keeps search domains away; a name of the hosts file is found only without it.
        found = await self._resolve(f"{target.host}.", target.port)
        if found:
            return tuple(found), True
        return tuple(await self._resolve(target.host, target.port)), False

    def _check_not_listening_here(self, target: Target, addresses: Iterable[Address]) -> None:
        """A server that listens on every interface is met at each of this machine's addresses."""
        everywhere = {(str(UNSPECIFIED_V4), target.port), (str(UNSPECIFIED_V6), target.port)}
        if not everywhere.isdisjoint(self.policy.own_pairs) and any(map(_is_of_this_machine, addresses)):
            raise Refused("The URL leads back to this server.")


def _is_of_this_machine(address: Address) -> bool:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))  # sends nothing; only an address of our own can be bound
    except OSError:
        return False
    return True


def guarded_network(
    guard: EgressGuard, scheme: str, *, reply_cap: int | None = None, inner: httpcore.AsyncNetworkBackend | None = None
) -> Network:
    """Connections for one URL scheme, and only to where the guard lets them. Raises `Refused` before a packet is sent.

    `Refused` is no `httpcore.ConnectError`, which would be retried.
    """

    async def choose(host: str, port: int) -> list[str]:
        vetted = await guard.vet(Target(scheme, host, port))
        if not vetted.addresses:
            raise httpcore.ConnectError("no such name") from socket.gaierror(socket.EAI_NONAME, "no address")
        return [str(address) for address in vetted.addresses]

    return Network(choose, reply_cap=reply_cap, inner=inner)
