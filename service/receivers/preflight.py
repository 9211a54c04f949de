"""A check of a receiver before it matters: every step of a delivery is taken and explained, and forged messages show
whether the receiver verifies signatures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from uuid import uuid4

from service.clock import Clock
from service.domain.deliveries import Way
from service.domain.findings import Finding, good, problem, warning
from service.domain.header_rules import wrong_headers
from service.domain.tell import iso
from service.keys.asymmetric import PRIVATE, new_signing_key
from service.keys.clients import Clients
from service.keys.signing import TOLERANCE, new_secret, sign
from service.keys.vault import Unopenable
from service.network.egress import Refused, Target
from service.network.guard import EgressGuard
from service.network.http import URL, Client, Hindered, NoReply, Reply, send_once
from service.network.phases import Phases
from service.receivers.shares import Share

TYPE = "webhook.test"
DEADLINE_SECONDS = 20.0
SLOW_MS = 5_000
OLD_SECONDS = 3_600
MOST_SHOWN = 200
MOST_OPEN = 4
"""Checks that one client may have under way: each holds one of the connections that a host's deliveries share."""

STEPS = {
    401: "It does not take this secret: give the receiver the one that was shown with the key or the endpoint.",
    403: "It does not take this secret or this sender: compare the secret, and look for a firewall in front of it.",
    404: "There is nothing at this path: compare the URL with the receiver's routes.",
    405: "The path does not take POST: add a route for it.",
    410: "It says that it is gone, which ends deliveries there: change the URL.",
    413: "It takes smaller bodies only: allow 256 KiB.",
    415: "It does not take application/json: allow it.",
    429: "It takes fewer requests: raise its limit, or set rate_per_second of the endpoint.",
}


class Preflight:
    def __init__(self, clients: Clients, guard: EgressGuard, client: Client, clock: Clock) -> None:
        self._clients = clients
        self._guard = guard
        self._client = client
        self._clock = clock
        self._share = Share(MOST_OPEN, "checks", "too_many_checks")

    async def check(self, url: str, client: str, endpoint: str | None = None) -> list[Finding]:
        """What a delivery to this URL would meet, in the order of its steps. What stops one is the last finding. Raises
        `Refused` (429) of `service.errors`: too many are under way."""
        with self._share.taken(client):
            return await self._steps(url, client, endpoint)

    async def _steps(self, url: str, client: str, endpoint: str | None) -> list[Finding]:
        try:
            dialled = self._guard.policy.check_url(url)
            vetted = await self._guard.vet(Target.of(dialled))
        except Refused as error:
            return [problem("address", error.reason, "Use a public https URL on port 443.")]
        if not vetted.addresses and not self._guard.proxied:
            step = "Correct the name, or wait until its DNS record is published."
            return [problem("dns", f"{dialled.host} does not resolve.", step)]
        found = _addresses(dialled, len(vetted.addresses)) if vetted.addresses else [_by_proxy()]
        return [*found, *await self._messages(dialled, client, endpoint)]

    async def _messages(self, url: URL, client: str, endpoint: str | None) -> list[Finding]:
        try:
            way = await self._clients.way_to(client, endpoint)
        except Unopenable as error:
            step = "Give the server the key in RINGBACK_SECRET_KEYS again, or rotate the secret."
            return [problem("signature", f"The secret cannot be read: {error}.", step)]
        if way is None:
            return [problem("endpoint", "It was deleted meanwhile.", "Make a new one.")]
        if (said := wrong_headers(way.headers)) is not None:
            return [problem("headers", f"They cannot be sent: {said}.", "Change the endpoint's headers.")]
        try:
            reply = await self._post(url, way, way.secrets, 0)
        except (NoReply, Refused) as error:
            return [_unreached(error)]
        found = [*_tls(url), *_latency(reply.phases, way), _answer(reply, self._shown_location(reply))]
        return found if found[-1].step else [*found, *await self._forgeries(url, way)]

    async def _forgeries(self, url: URL, way: Way) -> list[Finding]:
        """Of a receiver that takes a good message: whether it refuses two that are not."""
        forged = [new_signing_key() if secret.startswith(PRIVATE) else new_secret() for secret in way.secrets]
        try:
            wrong, old = await self._post(url, way, forged, 0), await self._post(url, way, way.secrets, OLD_SECONDS)
        except (NoReply, Refused) as error:
            said = f"It did not answer a forged message ({error.reason})."
            return [warning("signature", said, "Answer it with 401.")]
        return [_forged(wrong), _replayed(old)]

    async def _post(self, url: URL, way: Way, secrets: Sequence[str], age: int) -> Reply:
        now = self._clock()
        body = json.dumps({"type": TYPE, "timestamp": iso(now), "data": {"message": "A test; nothing happened."}})
        content = body.encode()
        signed = sign(secrets, f"msg_test_{uuid4().hex}", now // 1000 - age, content)
        headers = {**way.headers, "content-type": "application/json", **signed}
        request = self._client.build_request("POST", url, content=content, headers=headers)
        return await send_once(self._client, request, deadline_seconds=way.timeout_seconds or DEADLINE_SECONDS)

    def _shown_location(self, reply: Reply) -> str:
        """Where a redirect leads; nothing of a receiver that may not be quoted."""
        place = reply.headers.get("location", "") if self._guard.policy.may_quote(reply.peer) else ""
        return f" to {place[:MOST_SHOWN]}" if place.isprintable() and place else ""


def _addresses(url: URL, count: int) -> list[Finding]:
    several = "address" if count == 1 else "addresses"
    if Target.of(url).literal is not None:
        return [good("address", "It may be called.")]
    return [
        good("dns", f"{url.host} resolves to {count} {several}."),
        good("address", "Each of them may be called."),
    ]


def _by_proxy() -> Finding:
    return good("address", "The server's proxy looks the name up and judges where it leads.")


def _tls(url: URL) -> list[Finding]:
    if url.scheme == "https":
        return [good("tls", "The certificate fits the name and is trusted.")]
    return [warning("tls", "The URL is http: what is sent there can be read on the way.", "Use https.")]


def _latency(phases: Phases, way: Way) -> list[Finding]:
    seconds = f"{phases.total_ms / 1000:.2f} s"
    if phases.total_ms <= SLOW_MS:
        return [good("latency", f"It answered in {seconds}.")]
    step = "Answer first and work later: queue the message, then say 204."
    allowed = f"{way.timeout_seconds or DEADLINE_SECONDS:g} s"
    return [warning("latency", f"It answered in {seconds}; after {allowed} an attempt has failed.", step)]


def _unreached(error: NoReply | Refused) -> Finding:
    step = "Start the receiver, and look at its TLS and its firewall."
    if isinstance(error, Hindered):
        return problem("proxy", f"No message got through: {error.reason}.", "Tell the operator of this server.")
    if isinstance(error, Refused):
        return problem("address", error.reason, "Use a public https URL on port 443.")
    if "TLS" in error.reason:
        return problem("tls", f"No message got through: {error.reason}.", "Mend the certificate or the TLS settings.")
    return problem("connection", f"No message got through: {error.reason}.", step)


def _answer(reply: Reply, location: str) -> Finding:
    status = reply.status
    if 200 <= status < 300:
        return good("answer", f"A signed test message was answered {status}.")
    if 300 <= status < 400:
        step = "Redirects are not followed: use the final URL."
        return problem("redirect", f"A signed test message was answered {status}{location}.", step)
    step = STEPS.get(status) or ("Look at the receiver's log." if status >= 500 else "Answer 2xx to a good message.")
    return problem("answer", f"A signed test message was answered {status}; a 2xx is needed.", step)


def _forged(reply: Reply) -> Finding:
    if 200 <= reply.status < 300:
        step = "Verify webhook-signature with a library of Standard Webhooks, and answer 401 if it is wrong."
        said = f"A message with a wrong signature was answered {reply.status}: anybody can forge one."
        return warning("signature", said, step)
    return good("signature", f"A message with a wrong signature was refused ({reply.status}).")


def _replayed(reply: Reply) -> Finding:
    if 200 <= reply.status < 300:
        step = f"Refuse a webhook-timestamp that is more than {TOLERANCE // 60} minutes off."
        said = f"A message signed an hour ago was answered {reply.status}: one can be replayed."
        return warning("replay", said, step)
    return good("replay", f"A message signed an hour ago was refused ({reply.status}).")
