"""Pushes of a whole upstream account: every task that ends is told to one URL, ours or not.

The URL holds an installation's token and every push is signed; still nothing in it is believed but which task to look
at now. What is cheap is judged first: the time, the token, the certificate's host; only then is anything fetched.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping

from adapters.eventbridge import Claim, is_certificate_of, read_claim
from adapters.messages import Unreadable
from adapters.providers import Provider
from service.clock import Clock
from service.keys.signing import CallbackTokens
from service.looking.certificates import Certificates

TOLERANCE_MS = 60_000  # EventBridge's own documents ask for it (wire notes 4)


class Forged(Exception):
    """A push that is not believed; the text is half a sentence without anything secret."""


class PushDesk:
    """`regions` are the regions whose certificates count, `token` the one that was configured at the sender, if any."""

    def __init__(
        self,
        public_url: str | None,
        tokens: CallbackTokens,
        certificates: Certificates,
        clock: Clock,
        regions: Collection[str],
        token: str | None = None,
    ) -> None:
        self._base = public_url.rstrip("/") if public_url else None
        self._tokens = tokens
        self._certificates = certificates
        self._clock = clock
        self._regions = frozenset(regions)
        self._token = token

    def url(self, provider: Provider) -> str | None:
        """The URL to configure at the sender; None where the provider has no push or this server no public URL."""
        if self._base is None or not provider.pushes:
            return None
        return f"{self._base}/callbacks/{provider.name}/{self._tokens.issue(installation(provider))}"

    async def check(self, provider: Provider, token: str, headers: Mapping[str, str], body: bytes) -> None:
        """Of a push that came with this path token. Raises `Forged`, after at most one fetch."""
        try:
            claim = read_claim(headers, body, f"{self._base}/callbacks/{provider.name}/{token}")
        except Unreadable as error:
            raise Forged(str(error)) from error
        self._judge(claim)
        if not await self._certificates.verify(claim.certificate, claim.signature, claim.signed):
            raise Forged("the signature does not fit, or its certificate could not be had")

    def _judge(self, claim: Claim) -> None:
        if abs(self._clock() - claim.at) > TOLERANCE_MS:
            raise Forged("its time is more than a minute off")
        if self._token is not None and not hmac.compare_digest((claim.token or "").encode(), self._token.encode()):
            raise Forged("its token is not the configured one")
        if not is_certificate_of(claim.certificate, self._regions):
            raise Forged("its certificate is not of a configured region")


def installation(provider: Provider) -> str:
    """What the token of a provider's push URL names, where others name a placement (a UUID)."""
    return f"push-{provider.name}"
