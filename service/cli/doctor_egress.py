"""Whom clients can make this server call, and how: the networks that RINGBACK_EGRESS_ALLOW opens, the proxy."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from service.domain.findings import Finding, good, problem, warning
from service.network.addresses import CLOSED_V4, Network, parse_allow, why_closed
from service.network.proxy import Proxy

PROXY_SECONDS = 3.0
METADATA = tuple(map(ip_address, ("169.254.169.254", "100.100.100.200", "168.63.129.16", "fd00:ec2::254")))
"""Where clouds tell every program of a machine the machine's own credentials."""


def check_egress(allow: str) -> Iterator[Finding]:
    """`allow` is the setting. Raises `ValueError` if it cannot be read."""
    opened = [(entry, words) for entry in parse_allow(allow) if (words := _closed_otherwise(entry.network))]
    for entry, words in opened:
        said = f"RINGBACK_EGRESS_ALLOW opens {entry} ({words})."
        if any(address in entry.network for address in METADATA):
            step = "Narrow it to your receivers: any client can have the cloud's credential service called."
            yield problem("egress", said, step)
        else:
            step = "Any client can have hosts there called; name single hosts and ports where you can."
            yield warning("egress", said, step)
    if not opened:
        yield good("egress", "Callbacks go to public https addresses only.")


async def check_proxy(proxy: Proxy | None) -> Sequence[Finding]:
    """Whether somebody listens at the proxy's address; nothing is asked of it."""
    if proxy is None:
        return []
    try:
        async with asyncio.timeout(PROXY_SECONDS):
            _, writer = await asyncio.open_connection(proxy.host, proxy.port)
            writer.close()
    except OSError:
        step = "Start it, or correct RINGBACK_EGRESS_PROXY; until then no callback is delivered."
        return [problem("egress", f"The proxy for callbacks, {proxy}, cannot be reached.", step)]
    named = "with a user name" if proxy.authorization else "without a user name"
    return [good("egress", f"Callbacks go through the proxy {proxy} ({named}), which guards where they lead.")]


def _closed_otherwise(network: Network) -> str:
    """The kinds of non-public addresses in a network, in words; empty for none."""
    if network.version == 6:
        return why_closed(network.network_address) or ""
    kinds = list(dict.fromkeys(words for closed, words in CLOSED_V4.items() if closed.overlaps(network)))
    return " and ".join((*kinds[:2], *(["more"] if len(kinds) > 2 else [])))
