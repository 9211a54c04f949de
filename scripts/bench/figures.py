"""What a bench found, as numbers and as a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from scripts.bench.turned import Course


@dataclass(frozen=True)
class Figures:
    """Seconds from the provider's end of a video to when it was known; None: it was not known when the bench ended.
    `requests` are queries for each video that ended, `refused` the 429s."""

    p50: float | None
    p95: float | None
    requests: float
    queries_per_second: float
    refused: int
    videos: int


@dataclass(frozen=True)
class Goal:
    """`p95` seconds at `rate` a minute, without a 429, and with at most `share` of the plain loop's requests."""

    rate: float
    p95: float
    share: float = math.inf


@dataclass(frozen=True)
class Row:
    """One way at one rate: Ringback, the loop without limits, and the loop within them."""

    way: str
    rate: float
    ringback: Figures
    plain: Figures
    plain_limited: Figures
    detectors: Mapping[str, int]
    goal: str

    @property
    def all(self) -> tuple[Figures, Figures, Figures]:
        return self.ringback, self.plain, self.plain_limited

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def figures_of(course: Course) -> Figures:
    ended = max(course.ended, 1)
    return Figures(
        _quantile(course.delays, 0.50),
        _quantile(course.delays, 0.95),
        round(course.queries / ended, 2),
        round(course.queries / course.seconds, 2),
        course.refused,
        len(course.delays),
    )


def judge(goal: Goal | None, rate: float, found: Figures, plain: Figures) -> str:
    """Whether a goal is met; nothing where there is none."""
    if goal is None or goal.rate != rate:
        return ""
    quick = found.p95 is not None and found.p95 <= goal.p95 and not found.refused
    met = quick and found.requests <= goal.share * plain.requests
    wanted = f"p95 <= {goal.p95:g} s" + (f", <= {goal.share:g} of the plain requests" if goal.share < math.inf else "")
    return f"{'met' if met else 'NOT met'}: {wanted}"


HEAD = (
    "how",
    "videos a minute",
    "Ringback",
    "requests",
    "found by",
    "plain loop",
    "requests",
    "plain loop within the limits",
    "requests",
    "goal",
)


def table(rows: Sequence[Row], patience: float) -> str:
    """A table that Markdown understands too: p50 / p95 in seconds, and queries for each video."""
    cells = [HEAD, *(_cells(row, patience) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEAD))]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |" for line in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _cells(row: Row, patience: float) -> tuple[str, ...]:
    own, plain, limited = ((_delays(each, patience), f"{each.requests:.1f}") for each in row.all)
    found = sum(row.detectors.values())
    shares = ", ".join(f"{name} {count / found:.0%}" for name, count in row.detectors.items())
    return (row.way, f"{row.rate:g}", *own, shares, *plain, *limited, row.goal)


def brief(figures: Figures, patience: float) -> str:
    """For somebody who waits for the table."""
    return f"{_delays(figures, patience)} s, {figures.requests:.1f} requests a video, {figures.refused} refused"


def _delays(figures: Figures, patience: float) -> str:
    return " / ".join(f"> {patience:g}" if each is None else f"{each:.1f}" for each in (figures.p50, figures.p95))


def _quantile(delays: Sequence[float | None], share: float) -> float | None:
    """By nearest rank; what was not found comes last."""
    ordered = sorted(math.inf if delay is None else delay for delay in delays)
    value = ordered[math.ceil(share * len(ordered)) - 1] if ordered else math.inf
    return None if value == math.inf else round(value, 3)
