"""What the checks of `ringback doctor` are given in tests, and how their findings are read."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.providers import PROVIDERS
from service.domain.findings import Finding, Level
from service.settings import Account

KEYS = {"api_keys": ("me:client-key",)}
CLOSED = "http://127.0.0.1:9"
"""Where nobody listens."""


def accounts(names: Sequence[str], base_url: str, key: str = "sk-upstream") -> tuple[Account, ...]:
    return tuple(
        Account(provider=PROVIDERS[name], base_url=f"{base_url}/{name}", api_key=key, poll_seconds=60) for name in names
    )


def said(findings: Sequence[Finding]) -> dict[str, tuple[Level, str]]:
    return {finding.check: (finding.level, finding.said) for finding in findings}
