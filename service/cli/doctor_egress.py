"""Whom clients can make this server call: the networks that RINGBACK_EGRESS_ALLOW opens."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from service.addresses import CLOSED_V4, Network, parse_allow, why_closed
from service.cli.doctor_findings import Finding, good, problem, warning

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


def _closed_otherwise(network: Network) -> str:
    """The kinds of non-public addresses in a network, in words; empty for none."""
    if network.version == 6:
        return why_closed(network.network_address) or ""
    kinds = list(dict.fromkeys(words for closed, words in CLOSED_V4.items() if closed.overlaps(network)))
    return " and ".join((*kinds[:2], *(["more"] if len(kinds) > 2 else [])))
