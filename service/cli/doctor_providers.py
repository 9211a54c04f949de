"""Are the providers' keys good, and is this machine's clock? Both are told by one free question to each provider."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from adapters import SHAPES
from adapters.messages import Category, Response, Unreadable
from service.accounts.upstream import Upstream
from service.accounts.upstreams import upstreams_of
from service.clock import Clock
from service.domain.findings import Finding, good, problem, warning
from service.network.http import Client, NoReply
from service.settings import Settings, variables

MOST_SECONDS = 60
"""How far off the clock may be. Receivers accept a signature for 300 s, and a clock that is off goes on drifting."""

NO_KEY = frozenset({Category.AUTH, Category.FORBIDDEN_MODEL, Category.CONTENT})
"""How a refused key reads: a 403 without a code is about content elsewhere, but here nothing was asked for."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One provider's answer, or why there is none; `at` in milliseconds is when it came."""

    upstream: Upstream
    answer: Response | NoReply
    at: int


async def check_providers(settings: Settings, client: Client, clock: Clock) -> list[Finding]:
    if not settings.accounts:
        names = ", ".join(row.api_key_env for row in settings.catalogue.providers.values())
        return [problem("providers", "No provider is configured: every task is refused.", f"Set one of {names}.")]
    shapes = {name: shape(settings.catalogue) for name, shape in SHAPES.items()}
    upstreams = upstreams_of(settings, shapes, client, clock)
    heard = await asyncio.gather(*(_asked(upstream, clock) for upstream in upstreams))
    known = variables(settings.catalogue.providers)
    return [*(_key(each, known[f"{each.upstream.name}_base_url"]) for each in heard), _clock(heard)]


async def _asked(upstream: Upstream, clock: Clock) -> Heard:
    try:
        answer: Response | NoReply = await upstream.probe()
    except NoReply as error:
        answer = error
    return Heard(upstream, answer, clock())


def _key(heard: Heard, base_url: str) -> Finding:
    row, answer = heard.upstream.provider, heard.answer
    which = f"key {heard.upstream.account}" if heard.upstream.holds else "key"  # one of several, or the only one
    check = f"{which} of {row.title}"
    if isinstance(answer, NoReply):
        step = f"Check this machine's network and {base_url}; proxies of the environment are not used."
        return problem(check, f"{row.title} cannot be reached: {answer.reason}.", step)
    refusal = heard.upstream.adapter.read_refusal(answer)
    category, code = refusal.failure.category, refusal.failure.code
    told = f"HTTP {answer.status}{f' {code}' if code else ''}"
    if category in NO_KEY:
        step = f"Set {row.api_key_env} to a key that the provider's console shows as valid."
        return problem(check, f"{row.title} refuses the key ({told}).", step)
    with suppress(Unreadable):
        heard.upstream.adapter.read_report(answer)
        return good(check, f"{row.title} takes the key of {row.api_key_env}.")
    if category is Category.BILLING:
        return problem(check, f"{row.title} says that the account cannot pay ({told}).", "Top the account up.")
    if category is Category.THROTTLED or answer.status >= 500:
        return warning(check, f"{row.title} is busy or in trouble ({told}).", "Run this again in a minute.")
    step = f"If {base_url} is set, check it; else the provider may have changed its API."
    return warning(check, f"{row.title} answers in a way that says nothing about the key ({told}).", step)


def _clock(heard: Sequence[Heard]) -> Finding:
    """By the provider that agrees best: one wrong clock elsewhere says nothing about ours."""
    offsets = [offset for each in heard for offset in _offsets(each)]
    if not offsets:
        return warning("clock", "No provider's reply says what time it is.", "Compare this machine's clock by hand.")
    off = min(offsets, key=abs)
    if abs(off) <= MOST_SECONDS:
        return good("clock", "The clock agrees with the providers'.")
    ahead = "ahead of" if off > 0 else "behind"
    said = f"The clock is {abs(off):.0f} s {ahead} the providers'; receivers will refuse our signatures."
    return problem("clock", said, "Set it by NTP: `timedatectl set-ntp true`, or the host's if this is a container.")


def _offsets(heard: Heard) -> Iterator[float]:
    """How many seconds we are ahead, by the Date header; a header that is none counts as absent."""
    if isinstance(heard.answer, Response):
        with suppress(ValueError):
            yield heard.at / 1000 - parsedate_to_datetime(heard.answer.headers.get("date", "")).timestamp()
