"""One reading of an upstream's list, for all doubtful sends of one account and time: its pages, then a look at those
tasks that ended well and that nobody has. A value that grows; whoever asks the upstream feeds it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from adapters.messages import Listing, Page, Report, State
from service.domain.proof import Candidate, Doubt

MOST_TASKS, MOST_PAGES = 5000, 500
"""Read in one go; of a longer list nothing is said by what is missing."""

WIDEST_MS = 30 * 60 * 1000
"""Doubts of one reading: what was lost over more time than this is read in parts."""


@dataclass(slots=True)
class Survey:
    """`page` is the next one to be asked for. `turn` is when the upstream's pace lets the next question through (None:
    not reserved), `proven` what the pages themselves have proven, by placement, `named` what they say of other sends.
    `counted`: the total of a page is to be believed; else only an empty page is the end."""

    doubts: Mapping[str, Doubt]
    page: Listing
    begun_at: int
    counted: bool = True
    turn: int | None = None
    rows: dict[str, Report] = field(default_factory=dict)
    pages: int = 0
    listed: bool = False
    candidates: dict[str, Candidate] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    proven: dict[str, Report] = field(default_factory=dict)
    named: dict[str, Report] = field(default_factory=dict)

    @property
    def since(self) -> int:
        return min(doubt.since for doubt in self.doubts.values())

    @property
    def until(self) -> int:
        return max(doubt.until for doubt in self.doubts.values())

    @property
    def unasked(self) -> list[str]:
        """The candidates that a look may prove."""
        return [
            each
            for each, one in self.candidates.items()
            if one.seen is None and one.row.state is State.SUCCEEDED and each not in self.asked
        ]

    @property
    def complete(self) -> bool:
        return (self.listed and not self.unasked) or len(self.proven) == len(self.doubts)

    @property
    def too_long(self) -> bool:
        return not (self.listed or self.complete) and (self.page.offset >= MOST_TASKS or self.pages >= MOST_PAGES)

    def heard(self, page: Page) -> None:
        """Takes a page. New tasks come first, so that one which is created meanwhile moves the others on: a page may
        repeat some, but leaves none out. An upstream that passes over the time it was asked for is read until then."""
        self.rows |= {report.task_id: report for report in page.reports}
        self.pages += 1
        found, before = len(page.reports), self.page.offset
        older = all(one.created_at is not None and one.created_at < self.since for one in page.reports)
        self.listed = older or (self.counted and before + found >= page.total)
        size = found if not before and 0 < found < self.page.limit else self.page.limit  # its pages are smaller
        self.page = replace(self.page, offset=before + size, limit=size)

    def declined(self, usual: int) -> bool:
        """The page was too large for the upstream; the reading begins again with one that never is. False: it was of
        that size."""
        smaller = self.page.limit > usual
        self.page = replace(self.page, offset=0, limit=usual)
        return smaller

    def sift(self, strangers: Collection[str], known: Mapping[str, Report]) -> None:
        """All pages are read. What may be meant of the tasks that nobody has; `known` is what some of them said before
        (an ended task does not change)."""
        self.candidates = {
            each: Candidate(self.rows[each], known.get(each))
            for each in strangers
            if any(doubt.spans(self.rows[each]) for doubt in self.doubts.values())
        }

    def looked(self, task_id: str, report: Report | None) -> None:
        """A look at a candidate; None: it said nothing."""
        self.asked.add(task_id)
        if report is not None:
            self.candidates[task_id] = replace(self.candidates[task_id], seen=report)


def together(due: Sequence[Doubt], peers: Sequence[Doubt]) -> dict[str, Doubt]:
    """The earliest of the doubts that are due and whatever one reading tells too: those of `peers` whose times overlap
    with it or with each other."""
    groups: list[list[Doubt]] = []
    until = 0
    for doubt in sorted({one.id: one for one in (*peers, *due)}.values(), key=lambda one: (one.since, one.id)):
        if not groups or doubt.since > until or doubt.until > groups[-1][0].since + WIDEST_MS:
            groups.append([])
            until = 0
        groups[-1].append(doubt)
        until = max(until, doubt.until)
    wanted = {doubt.id for doubt in due}
    group = next(group for group in groups if any(doubt.id in wanted for doubt in group))
    return {doubt.id: doubt for doubt in group}
