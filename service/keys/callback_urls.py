"""The URL that an upstream is asked to call: unguessable, and the proof that a record of the upstream is ours."""

from __future__ import annotations

from adapters.providers import Provider
from service.keys.signing import CallbackTokens


class CallbackUrls:
    """`public_url` is this server's address for upstreams; without one nobody is asked to call."""

    def __init__(self, public_url: str | None, tokens: CallbackTokens) -> None:
        self._base = public_url.rstrip("/") if public_url else None
        self._tokens = tokens

    def of(self, provider: Provider, placement: str) -> str | None:
        """None where the provider cannot call or this server cannot be called."""
        if self._base is None or not provider.calls_back:
            return None
        return self._prefix(provider) + self._tokens.issue(placement)

    def example(self, provider: Provider) -> str | None:
        """What such a URL looks like, without a token that means anything."""
        return None if self._base is None or not provider.calls_back else f"{self._prefix(provider)}<token>"

    def placement(self, provider: Provider, url: str | None) -> str | None:
        """The placement that a URL names, if it is exactly one that we gave out (under any of our keys)."""
        if self._base is None or url is None or not url.startswith(self._prefix(provider)):
            return None
        return self._tokens.read(url.removeprefix(self._prefix(provider)))

    def _prefix(self, provider: Provider) -> str:
        return f"{self._base}/callbacks/{provider.name}/"
