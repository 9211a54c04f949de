"""Reading an upstream's list page by page: nothing is left out, whatever the pages look like."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.messages import Listing, Page, Report, State
from service.domain.proof import Doubt
from service.domain.tasks import Placement, Verdict
from service.doubts.survey import WIDEST_MS, Survey, together

NOW = 1_760_000_000_000


def doubt(name: str, since: int, until: int) -> Doubt:
    return Doubt(Placement(name, name, "x", Verdict.IN_DOUBT, sent_at=since), None, since, until)


def survey(*, counted: bool = True) -> Survey:
    return Survey({"p": doubt("p", NOW, NOW + 9)}, Listing(limit=100), NOW, counted)


def rows(count: int, start: int = 0) -> list[Report]:
    return [Report(str(number), State.SUCCEEDED, created_at=NOW) for number in range(start, start + count)]


def read(it: Survey, tasks: Sequence[Report], cap: int) -> int:
    """Answers every page as an upstream does that gives at most `cap` tasks; says how many pages that took."""
    for pages in range(1, 100):
        size = min(it.page.limit, cap)
        start = it.page.offset // it.page.limit * size
        part = tuple(tasks[start : start + size])
        it.heard(Page(part, total=len(tasks) if it.counted else len(part)))
        if it.listed:
            return pages
    raise AssertionError("it never ends")


@given(st.integers(0, 350), st.sampled_from([10, 37, 100, 200]), st.booleans())
def test_all_tasks_are_read_whatever_the_size_of_a_page_and_whatever_it_counts(
    count: int, cap: int, counted: bool
) -> None:
    it, tasks = survey(counted=counted), rows(count)
    read(it, tasks, cap)
    assert set(it.rows) == {task.task_id for task in tasks}


def test_a_short_list_takes_one_page_or_where_totals_mean_nothing_an_empty_one_more() -> None:
    assert read(survey(), rows(100), 100) == 1
    assert read(survey(counted=False), rows(100), 100) == 2
    assert read(survey(counted=False), [], 100) == 1


def test_a_reading_is_complete_when_all_is_proven() -> None:
    it = survey(counted=False)
    it.heard(Page(tuple(rows(3)), total=3))
    assert not it.complete
    it.proven["p"] = rows(1)[0]
    assert it.complete


def test_a_list_that_passes_over_the_time_is_read_until_then() -> None:
    it = survey(counted=False)
    older = [Report(f"older {number}", State.SUCCEEDED, created_at=NOW - 1) for number in range(1000)]
    assert read(it, [*rows(150), *older], 100) == 3


def test_a_list_without_an_end_is_not_read_for_ever() -> None:
    for size, most in ((100, 50), (1, 500)):
        it = survey(counted=False)
        for page in range(most):
            assert not it.too_long
            it.heard(Page(tuple(rows(size, start=page * size)), total=size))
        assert it.too_long


def test_tasks_that_are_created_meanwhile_hide_none() -> None:
    it, tasks = survey(), rows(250)
    for new in range(100):
        offset = it.page.offset
        tasks = [*rows(1, start=1000 + new), *tasks]
        it.heard(Page(tuple(tasks[offset : offset + 100]), total=len(tasks)))
        if it.listed:
            break
    assert {task.task_id for task in rows(250)} <= set(it.rows)


def test_a_page_that_was_too_large_is_asked_for_again_and_smaller() -> None:
    it = survey()
    assert it.declined(10)
    assert (it.page.offset, it.page.limit) == (0, 10)
    assert not it.declined(10)


def test_only_strangers_of_the_time_that_ended_well_are_looked_at() -> None:
    it = survey()
    early, live = Report("early", State.SUCCEEDED, created_at=NOW - 1), Report("live", State.RUNNING, created_at=NOW)
    it.heard(Page((*rows(3), early, live), total=5))
    known = Report("1", State.SUCCEEDED, prompt="a cat")
    it.sift({"1", "2", "early", "live"}, {"1": known})
    assert set(it.candidates) == {"1", "2", "live"}
    assert it.unasked == ["2"]
    assert not it.complete
    it.looked("2", None)
    assert it.complete
    assert it.candidates["2"].seen is None
    assert it.candidates["1"].seen == known


@pytest.mark.parametrize(
    ("due", "members"),
    [
        (["a"], {"a", "b", "c"}),
        (["c"], {"a", "b", "c"}),
        (["d"], {"d"}),
        (["d", "b"], {"a", "b", "c"}),
    ],
)
def test_doubts_whose_times_overlap_are_read_together(due: list[str], members: set[str]) -> None:
    spans = {"a": (0, 10), "b": (8, 12), "c": (9, 20), "d": (21, 30)}
    doubts = {name: doubt(name, NOW + since, NOW + until) for name, (since, until) in spans.items()}
    assert set(together([doubts[name] for name in due], list(doubts.values()))) == members


def test_not_more_is_read_together_than_half_an_hour() -> None:
    step = WIDEST_MS // 10
    chain = [doubt(f"{number:02}", NOW + number * step, NOW + (number + 2) * step) for number in range(30)]
    for due in chain:
        group = together([due], chain).values()
        assert due.id in {one.id for one in group}
        assert max(one.until for one in group) - min(one.since for one in group) <= WIDEST_MS
