"""Which of an upstream's tasks is the one that a send in doubt asked for. Pure: no input or output, no clock.

A wrong proof is worse than none: another program's video would be told as the client's own. So a task that does not say
who asked for it proves a send only if it is the one task of its time that can be meant, and only by its result.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from adapters.base import Adapter, ListAdapter
from adapters.messages import ENDED, Kind, Report, State, Submission, Usage
from service.domain.tasks import Placement, Verdict

SKEW_MS = 60_000
"""How far an upstream's clock may be from ours; `ringback doctor` calls more than that a problem."""

LONGEST_MS = 3600 * 1000
"""How long after it was sent a create is accepted at the latest, however long its answer was waited for."""

SETTLED_MS = 30_000
"""How old the latest send must be before a list is believed to be whole: new tasks are seen a little later (the gap
between a create and its first successful query is known of DashScope, wire notes 6, "lost")."""

ROUNDING = 1.0
"""Seconds by which what was billed may differ from what was asked for; usage may have fractions (wire notes 3.3)."""

VIDEOS = frozenset({Kind.VIDEO, Kind.REFERENCE, Kind.REFERENCE_VIDEO, Kind.FIRST_CLIP})
"""Input that may be billed with the output."""

LINES = (1080, 720, 480)


class Standing(StrEnum):
    """What is known of a doubt without a proof."""

    OPEN = "open"  # a task that may be meant is still at work, or could not be asked yet
    NOTHING = "nothing"  # as far as the upstream says there is no such task, or nobody can tell which
    ABSENT = "absent"  # there is no such task: whatever there is shows that something else was asked for


@dataclass(frozen=True, slots=True)
class Doubt:
    """A send that the upstream may have accepted from `since` to `until`, by its clock. `asked` is what it asked for as
    it went over the wire; None if that is not known any more."""

    placement: Placement
    asked: Submission | None
    since: int
    until: int

    @property
    def id(self) -> str:
        return self.placement.id

    def spans(self, row: Report) -> bool:
        """Whether a task in a list is of its time and its model. What the list does not say rules nothing out."""
        timely = row.created_at is None or self.since <= row.created_at <= self.until
        return timely and (self.asked is None or row.model in ("", self.asked.model))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A task that no placement has: its row in the list, and what it said when it was asked for by its id."""

    row: Report
    seen: Report | None = None

    @property
    def open(self) -> bool:
        """Whether it may still show that it is the one that is meant. Without a success it cannot."""
        if self.seen is not None and self.seen.state is not State.UNKNOWN:
            return self.seen.state not in ENDED
        return self.row.state not in ENDED or self.row.state is State.SUCCEEDED


def can_be_proven(adapter: Adapter, asked: Submission | None, *, echo: bool) -> bool:
    """Whether a list of the upstream could prove a send: by our callback URL, if it has one to `echo`, or by what it
    asked for (None: not known any more)."""
    if not isinstance(adapter, ListAdapter):
        return False
    return echo if adapter.lists_requests else asked is not None and bool(asked.prompt)


def span_of(placement: Placement, now: int) -> tuple[int, int]:
    """The time in which an upstream may say that it accepted a send. One without an answer may be accepted even now."""
    sending = placement.verdict is Verdict.SENDING
    last = now if sending else placement.sent_at if placement.lost_at is None else placement.lost_at
    return placement.sent_at - SKEW_MS, min(last, placement.sent_at + LONGEST_MS) + SKEW_MS


def prove(doubt: Doubt, candidates: Iterable[Candidate], others: Iterable[Doubt]) -> Report | Standing:
    """The report of the task that a doubtful send made. `candidates` are all tasks in the list that nobody has;
    `others` all sends of that time whose upstream id is not known."""
    possible = [one for one in candidates if doubt.spans(one.row)]
    if any(one.open for one in possible):
        return Standing.OPEN
    fitting = [one for one in possible if _claims(doubt, one)]
    if all(_is_another(doubt, one) for one in possible):
        return Standing.ABSENT
    if len(fitting) != 1 or fitting[0].seen is None:
        return Standing.NOTHING
    rivals = (other for other in others if other.id != doubt.id)
    return Standing.NOTHING if any(_claims(other, fitting[0]) for other in rivals) else fitting[0].seen


def fits(asked: Submission, report: Report) -> bool:
    """Whether a video is what was asked for. A field that was not set, or not billed, fits anything; a prompt must be
    the very same, and without one nothing is proven."""
    usage, prompt = report.usage, (asked.prompt or "").strip()
    if report.state is not State.SUCCEEDED or usage is None or not prompt or (report.prompt or "").strip() != prompt:
        return False
    return _seconds_fit(asked, usage) and _lines_fit(asked, usage) and _ratio_fits(asked, usage)


def _claims(doubt: Doubt, candidate: Candidate) -> bool:
    if candidate.seen is None or not doubt.spans(candidate.row):
        return False
    return doubt.asked is None or fits(doubt.asked, candidate.seen)


def _is_another(doubt: Doubt, candidate: Candidate) -> bool:
    """Whether it says itself that it was made of another prompt; one that was cut off says nothing."""
    ours = (doubt.asked.prompt or "").strip() if doubt.asked else ""
    theirs = (candidate.seen.prompt or "").strip() if candidate.seen else ""
    return bool(ours and theirs) and not (ours.startswith(theirs) or theirs.startswith(ours))


def _seconds_fit(asked: Submission, usage: Usage) -> bool:
    """A duration of 0 or -1 leaves the length to the model; a clip that is continued counts as part of it."""
    wanted, made, billed = asked.parameters.get("duration"), usage.output_video_duration, usage.duration
    if not isinstance(wanted, int) or wanted <= 0:
        return True
    kinds = {piece.kind for piece in asked.media}
    if made is not None and Kind.FIRST_CLIP not in kinds:
        return abs(made - wanted) < ROUNDING
    if made is not None:
        return made < wanted + ROUNDING
    if billed is None or kinds & VIDEOS:
        return billed is None or billed > wanted - ROUNDING
    return abs(billed - wanted) < ROUNDING


def _lines_fit(asked: Submission, usage: Usage) -> bool:
    """`SR` of a size is its shorter side, or the resolution that it counts as: 960*960 is a 720P (wire notes 3.5)."""
    said, wanted, size = usage.resolution, asked.parameters.get("resolution"), asked.parameters.get("size")
    sides = re.fullmatch(r"([0-9]{1,5})\*([0-9]{1,5})", str(size))
    if said is None or (wanted is None and sides is None):
        return True
    if wanted is not None or sides is None:
        return said.upper() == str(wanted).upper()
    shorter = min(int(side) for side in sides.groups())
    return said.upper() in {f"{shorter}P", f"{_counts_as(shorter)}P"}


def _counts_as(lines: int) -> int:
    return next((known for known in LINES if known <= lines), lines)


def _ratio_fits(asked: Submission, usage: Usage) -> bool:
    """A first frame decides the ratio, whatever was asked for; "adaptive" leaves it open."""
    ratios: Sequence[str] = (str(asked.parameters.get("ratio")), usage.ratio or "")
    if any(piece.kind is Kind.FIRST_FRAME for piece in asked.media):
        return True
    return not all(re.fullmatch(r"[0-9]+:[0-9]+", ratio) for ratio in ratios) or ratios[0] == ratios[1]
