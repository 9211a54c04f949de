"""What sends cost: quoted when a task is submitted, settled when a send has ended. Pure.

Money is integers, millionths of a currency unit ("micros"). A send that may have been accepted and of which nothing
more is known keeps its charge open: it is in doubt, and counts as spent until something is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from adapters.catalogue import Catalogue
from adapters.messages import Report, State, Usage
from service.domain.price import Cost
from service.domain.tasks import NO_RESULT, OUTCOME_UNKNOWN, TASK_EXPIRED, Verdict

MICROS = 1_000_000
NEVER_BILLED = frozenset({Verdict.NOT_ACCEPTED, Verdict.REFUSED})
NOTHING_KNOWN = frozenset({OUTCOME_UNKNOWN.code, TASK_EXPIRED.code})
"""Our own ends of a task, after which its send may have been billed all the same."""

LONGEST_SECONDS = 24 * 3600
"""More than this in one usage is a slip of the upstream's, and counts as nothing said."""


@dataclass(frozen=True, slots=True)
class Quote:
    """What a send of a task costs at one provider: `estimate` at most (see `Cost`). Without a `per_second` the
    catalogue knows no price, without an `estimate` no limit."""

    currency: str = ""
    resolution: str = ""
    per_second: int | None = None
    estimate: int | None = None


UNPRICED = Quote()


@dataclass(frozen=True, slots=True)
class Charge:
    """What one send costs. `at` is when its task was submitted (or the operator had it sent again): the budgets of that
    time pay for it, however often and however late it is sent. `amount` is None while the send is open or in doubt,
    and for good where nothing is known of its price."""

    placement: str
    task: str
    client: str
    provider: str
    model: str
    at: int
    currency: str
    resolution: str
    per_second: int | None
    estimate: int | None
    amount: int | None = None


Settle = Callable[[Charge, Verdict, Report | None], int | None]
"""The amount of a charge whose send ends with this verdict and this last word of the upstream; None: it stays open."""


def quote_of(cost: Cost | None) -> Quote:
    if cost is None:
        return UNPRICED
    per_second = micros(cost.per_second)
    most = None if cost.most_seconds is None else per_second * cost.most_seconds
    return Quote(cost.currency, cost.resolution, per_second, most)


def settled(charge: Charge, verdict: Verdict, outcome: Report | None, catalogue: Catalogue | None = None) -> int | None:
    """Nothing for a send that failed (wire notes 6: failed tasks are not billed anywhere); for a success the seconds of
    the upstream's usage at the price of its resolution, or the estimate where it said none. A success that had no video
    is a success to the one who bills."""
    if verdict in NEVER_BILLED:
        return 0
    if verdict is not Verdict.ENDED or outcome is None:
        return None
    ours = outcome.failure.code if outcome.failure and not outcome.failure.family else ""
    if ours in NOTHING_KNOWN:
        return None
    succeeded = outcome.state is State.SUCCEEDED or ours == NO_RESULT.code
    return _billed(charge, outcome.usage, catalogue) if succeeded else 0


def settled_by(catalogue: Catalogue) -> Settle:
    """`settled`, with the catalogue's prices of other resolutions than the one that was quoted."""
    return partial(settled, catalogue=catalogue)


def micros(amount: float) -> int:
    return round(Decimal(repr(amount)) * MICROS)


def decimal_of(amount: int) -> str:
    """Micros as a plain decimal number: 420000 is 0.42."""
    whole, part = divmod(abs(amount), MICROS)
    digits = f"{whole}.{part:06}".rstrip("0").rstrip(".")
    return f"-{digits}" if amount < 0 else digits


def _billed(charge: Charge, usage: Usage | None, catalogue: Catalogue | None) -> int | None:
    seconds = _seconds(usage) if usage else None
    if charge.per_second is None or usage is None or seconds is None:
        return charge.estimate
    return round(Decimal(repr(seconds)) * _per_second(charge, charge.per_second, usage, catalogue))


def _seconds(usage: Usage) -> float | None:
    """AceData's Wan 3 says input and output and not their sum."""
    parts = [each for each in (usage.input_video_duration, usage.output_video_duration) if each is not None]
    said = usage.duration if usage.duration is not None else (sum(parts) if parts else None)
    return said if said is not None and 0 <= said <= LONGEST_SECONDS else None


def _per_second(charge: Charge, quoted: int, usage: Usage, catalogue: Catalogue | None) -> int:
    model = catalogue.find(charge.model) if catalogue else None
    wanted = (charge.provider, (usage.resolution or "").upper(), charge.currency)
    for price in model.prices if model else ():
        if wanted == (price.provider, price.resolution, price.currency) and price.resolution != charge.resolution:
            return micros(price.per_second)
    return quoted
