"""Each URL is handed in and then attempted, by the very parts that the server delivers with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from random import Random

from scripts.bench.guard.addresses import is_public, public
from scripts.bench.guard.readers import by_browsers, by_urllib
from scripts.bench.guard.urls import Case, hostile, ordinary, slow
from scripts.bench.guard.watch import Watch, watching
from service.network.addresses import parse_allow
from service.network.egress import EgressPolicy, Refused, Target
from service.network.guard import EgressGuard, SystemResolver
from service.network.http import Client, NoReply, egress_client, send_once

SLOW_SHARE = 2000
"""One case in so many has a name whose lookup hangs."""


@dataclass
class Tally:
    """`broken` are cases that broke the promise, each with what happened."""

    tried: Counter[str] = field(default_factory=Counter)
    refused_when_given: int = 0
    refused_when_dialled: int = 0
    not_found: int = 0
    dialled_public: int = 0
    connections: Counter[str] = field(default_factory=Counter)
    readings: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


async def hostile_urls(count: int, seed: int) -> Tally:
    """Nothing but public addresses may be dialled, whatever the URL, the resolver and the moment."""
    chance, tally = Random(seed), Tally()
    async with watching() as watch:
        resolver = SystemResolver(deadline=0.3)
        guard = EgressGuard(EgressPolicy(), resolver)
        async with egress_client(guard) as client:
            for number in range(count):
                case = slow(chance) if number % SLOW_SHARE == SLOW_SHARE - 1 else hostile(chance)
                tally.tried[case.kind] += 1
                watch.begin(case)
                await _hand_in(guard, case, watch, tally)
                await _attempt(guard, client, case, watch, tally)
        guard.close()
        tally.connections = watch.connections
        if watch.knocks:
            tally.broken.append(f"{watch.knocks} connections to loopback were made")
    return tally


async def ordinary_urls(count: int, seed: int) -> Tally:
    """None may be refused, and each must be dialled at the first address that its name has."""
    chance, tally = Random(seed), Tally()
    async with watching() as watch:
        guard = EgressGuard(EgressPolicy(), SystemResolver())
        async with egress_client(guard) as client:
            for _ in range(count):
                case = ordinary(chance)
                tally.tried[case.kind] += 1
                watch.begin(case)
                await _hand_in(guard, case, watch, tally)
                await _attempt(guard, client, case, watch, tally)
                [answer] = case.answers
                if not answer or [address for address, _ in watch.dialled] != list(dict.fromkeys(answer)):
                    tally.broken.append(f"{case.url!r} was not dialled at its addresses")
        guard.close()
        tally.connections = watch.connections
    return tally


async def self_check() -> str | None:
    """What is wrong with the watch itself: it must see a knock at the door, and a connection to elsewhere."""
    address = public(Random(1))
    async with watching() as watch:
        for host, policy in (
            ("127.0.0.1", EgressPolicy(parse_allow("127.0.0.0/8"))),
            ("hook.example-shop.com", EgressPolicy(parse_allow("0.0.0.0/0, ::/0"))),
        ):
            watch.begin(Case("self-check", "", ([address],)))
            guard = EgressGuard(policy)
            url = f"http://{host}:{watch.port}/"
            async with egress_client(guard) as client:
                with suppress(NoReply):
                    await send_once(client, client.build_request("POST", url), deadline_seconds=5)
            guard.close()
        if watch.knocks != 1 or watch.connections != {"forbidden": 1, "public": 1}:
            return f"the watch saw {watch.knocks} knocks and {dict(watch.connections)} connections instead of one each"
    return None


async def _hand_in(guard: EgressGuard, case: Case, watch: Watch, tally: Tally) -> None:
    try:
        await guard.check(case.url)
    except Refused:
        tally.refused_when_given += 1
    except Exception as error:
        tally.broken.append(f"{case.url!r} when handed in: {error!r}")
    if watch.dialled:
        tally.broken.append(f"{case.url!r} was dialled when it was handed in")


async def _attempt(guard: EgressGuard, client: Client, case: Case, watch: Watch, tally: Tally) -> None:
    watch.names.clear()
    try:
        url = guard.policy.check_url(case.url)
        host = Target.of(url).host
        _compare(case.url, host, tally)
        await send_once(client, client.build_request("POST", url, content=b"{}"), deadline_seconds=5)
    except Refused:
        tally.refused_when_dialled += 1
        return
    except NoReply:
        tally.not_found += not watch.dialled
    except Exception as error:
        tally.broken.append(f"{case.url!r} when attempted: {error!r}")
        return
    tally.dialled_public += bool(watch.dialled)
    if strangers := [str(address) for address, _ in watch.dialled if not is_public(address)]:
        tally.broken.append(f"{case.url!r} was dialled at {', '.join(strangers)}")
    if ports := {port for _, port in watch.dialled} - {443}:
        tally.broken.append(f"{case.url!r} was dialled on {ports}")
    if others := set(watch.names) - {host, f"{host}."}:
        tally.broken.append(f"{case.url!r} was judged as {host} and looked up as {others}")


READERS: dict[str, Callable[[str], str | None]] = {"urllib": by_urllib, "browsers": by_browsers}


def _compare(text: str, host: str, tally: Tally) -> None:
    """What passes must have one host only, whoever reads it; an address in any reading must be public."""
    for name, read in READERS.items():
        seen = read(text)
        tally.readings[f"{name} agrees" if seen == host else f"{name} differs"] += 1
        if seen != host:
            tally.broken.append(f"{text!r} is {host} here and {seen} for {name}")
        if seen and _is_closed_literal(seen):
            tally.broken.append(f"{text!r} passed, though {name} reads {seen}")


def _is_closed_literal(host: str) -> bool:
    try:
        return not is_public(ip_address(host))
    except ValueError:
        return False
