"""Signatures by certificate: where a sender's certificate says that its key lies, fetched through the guard.

Whoever can name a certificate can make us fetch. So a fetch is rare (one URL once an hour, whatever came of it, and all
together one a minute), small and short; and the caller decides first which URLs may be named at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import Certificate, load_pem_x509_certificate

from service.clock import Clock
from service.logs import get_logger
from service.network.egress import Refused
from service.network.http import Client, NoReply, send_once

log = get_logger("certificates")
CAP = 64 * 1024
DEADLINE_SECONDS = 10.0
KEPT_MS = 3600 * 1000
PAUSE_MS = 60 * 1000
MOST = 8
SMALLEST_KEY = 2048

Fetch = Callable[[str], Awaitable[bytes | None]]
"""What lies at a URL; None if it could not be had."""


def fetch_by(client: Client) -> Fetch:
    """Through a client whose guard decides where it may lead."""

    async def fetch(url: str) -> bytes | None:
        try:
            request = client.build_request("GET", url)
            reply = await send_once(client, request, deadline_seconds=DEADLINE_SECONDS, body_cap=CAP)
        except (NoReply, Refused) as error:
            log.event("certificate.unfetched", reason=str(error))
            return None
        return reply.body if reply.status == 200 and not reply.truncated else None

    return fetch


@dataclass(frozen=True, slots=True)
class _Kept:
    """`certificate` is None where there was none to be had."""

    certificate: Certificate | None
    at: int


class Certificates:
    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._fetched_at: int | None = None
        self._fetching = asyncio.Lock()

    async def verify(self, url: str, signature: bytes, texts: Sequence[bytes]) -> bool:
        """Whether `signature` (RSA, PKCS#1 v1.5, SHA-256) is of one of `texts`, by the certificate at `url`. False too
        where that cannot be had now."""
        certificate = await self._certificate(url)
        key = certificate.public_key() if certificate else None
        if certificate is None or not isinstance(key, RSAPublicKey) or key.key_size < SMALLEST_KEY:
            return False
        return self._is_valid(certificate) and any(_signed(key, signature, text) for text in texts)

    async def _certificate(self, url: str) -> Certificate | None:
        async with self._fetching:
            now, kept = self._clock(), self._kept.get(url)
            paused = self._fetched_at is not None and now - self._fetched_at < PAUSE_MS
            if paused or (kept is not None and now - kept.at < KEPT_MS):
                return kept.certificate if kept else None
            self._fetched_at = now
            found = _read(await self._fetch(url))
            if found is None and kept is not None:
                found = kept.certificate  # what was good an hour ago outlives an outage; it has an end of its own
            self._kept.pop(url, None)
            self._kept[url] = _Kept(found, now)
            while len(self._kept) > MOST:
                del self._kept[next(iter(self._kept))]
            return found

    def _is_valid(self, certificate: Certificate) -> bool:
        now = self._clock() / 1000
        first, last = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
        return first <= now <= last


def _read(pem: bytes | None) -> Certificate | None:
    try:
        return load_pem_x509_certificate(pem) if pem else None
    except ValueError:
        return None


def _signed(key: RSAPublicKey, signature: bytes, text: bytes) -> bool:
    try:
        key.verify(signature, text, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True
