"""The tables of states, and the pure functions that move a task along them."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.messages import Category, Failure, Report, State
from service.domain.deliveries import DeliveryState, Format
from service.domain.tasks import (
    ENDED,
    NEXT,
    NO_RESULT,
    OUTCOME_UNKNOWN,
    REPORTED,
    TOLD,
    Task,
    TaskState,
    Verdict,
    advance,
    describe,
    end,
    fail,
)
from service.domain.tell import TYPES
from service.store.schema import STEPS
from tests.service.nouns import NOW, a_task

ORDER = ["ACCEPTED", "SUBMITTING", "IN_DOUBT", "QUEUED", "RUNNING"]
"""How far along a task is; the ended states come after all of them."""

reports = st.builds(
    Report,
    task_id=st.just("up-1"),
    state=st.sampled_from(State),
    video_url=st.none() | st.just("https://v.example.com/1.mp4"),
    failure=st.none() | st.just(Failure(Category.CONTENT, "forbidden", "no", "flat")),
    progress=st.none() | st.integers(0, 100),
    callback_url=st.none() | st.just("https://ringback.example.com/callbacks/acedata/token"),
    request=st.none() | st.just({"prompt": "what the upstream was sent"}),
    raw=st.just({"raw": True}),
)


def rank(state: TaskState) -> int:
    return len(ORDER) if state in ENDED else ORDER.index(state)


def test_every_state_says_what_may_follow_it_and_how_it_is_told() -> None:
    assert set(NEXT) == set(TOLD) == set(TaskState)
    assert set(TYPES) == ENDED | {TaskState.RUNNING}
    assert {state for state, after in NEXT.items() if not after} == ENDED


def test_a_task_never_goes_back_but_to_be_sent_again() -> None:
    back = {(a, b) for a, after in NEXT.items() for b in after if rank(b) <= rank(a)}
    known = (TaskState.SUBMITTING, TaskState.QUEUED, TaskState.RUNNING)  # provably not accepted, or said to have failed
    assert back == {(state, TaskState.ACCEPTED) for state in known}


def test_a_doubtful_task_is_never_sent_again_before_its_provider_has_said_how_it_is() -> None:
    assert NEXT[TaskState.IN_DOUBT] == {TaskState.QUEUED, TaskState.RUNNING} | ENDED
    assert {state for state, after in NEXT.items() if TaskState.SUBMITTING in after} == {TaskState.ACCEPTED}


def test_only_what_was_sent_can_succeed() -> None:
    """Where a task waits or is on its way, it is an earlier send that was."""
    assert {state for state, after in NEXT.items() if TaskState.SUCCEEDED in after} == set(TaskState) - ENDED


def test_unknown_is_no_news_of_a_task() -> None:
    assert set(State) - set(REPORTED) == {State.UNKNOWN}
    for state in TaskState:
        assert advance(a_task(state=state), Report("up-1", State.UNKNOWN), NOW, "look") is None


@pytest.mark.parametrize(("state", "report"), list(product(TaskState, State)))
def test_a_report_moves_a_task_exactly_where_the_tables_say(state: TaskState, report: State) -> None:
    moved = advance(a_task(state=state), Report("up-1", report), NOW + 5, "look")
    target = REPORTED.get(report)
    if target in NEXT[state]:
        assert moved is not None
        assert (moved.state, moved.updated_at, moved.detector) == (target, NOW + 5, "look")
        assert moved.finished_at == (NOW + 5 if target in ENDED else None)
    else:
        assert moved is None


@given(st.lists(reports, max_size=12))
def test_a_task_only_moves_forward_whatever_is_reported(stream: list[Report]) -> None:
    task = a_task(state=TaskState.QUEUED)
    for number, report in enumerate(stream):
        moved = advance(task, report, NOW + number, "look")
        if moved is None:
            continue
        assert not task.ended
        assert rank(moved.state) > rank(task.state)
        assert moved.state in NEXT[task.state]
        assert replace(moved, state=task.state, outcome=None, updated_at=0, finished_at=None, detector=None) == replace(
            task, outcome=None, updated_at=0, finished_at=None, detector=None
        )
        assert advance(moved, report, NOW + 99, "callback") is None  # a duplicate
        task = moved


@given(reports)
def test_an_ended_task_never_changes(report: Report) -> None:
    for state in ENDED:
        with pytest.raises(ValueError, match=f"cannot go from {state}"):
            end(a_task(state=state), TaskState.FAILED, report, NOW, "look")
    for state in ENDED - {TaskState.EXPIRED}:
        assert advance(a_task(state=state), report, NOW, "look") is None


@given(reports)
def test_a_task_that_was_given_up_changes_only_for_a_late_result(report: Report) -> None:
    unknown = Report("t", State.FAILED, failure=OUTCOME_UNKNOWN)
    late = report.state is State.SUCCEEDED and report.video_url is not None
    for task in (a_task(state=TaskState.EXPIRED), a_task(state=TaskState.FAILED, outcome=unknown)):
        moved = advance(task, report, NOW, "look")
        assert (moved is not None) == late
        assert moved is None or (moved.state, moved.finished_at) == (TaskState.SUCCEEDED, NOW)


@given(reports)
def test_a_task_keeps_of_a_report_what_is_ours_to_tell(report: Report) -> None:
    task = a_task(state=TaskState.QUEUED)
    moved = advance(task, report, NOW, "look")
    if moved is None:
        return
    assert moved.outcome is not None
    assert moved.outcome.task_id == task.id
    assert (moved.outcome.request, moved.outcome.callback_url, moved.outcome.raw) == (None, None, None)
    assert (moved.outcome.video_url, moved.outcome.failure) == (report.video_url, report.failure)


def test_an_end_takes_a_task_off_the_queue() -> None:
    waiting = a_task(state=TaskState.ACCEPTED, due_at=NOW + 1)
    ended = fail(waiting, NO_RESULT, NOW + 2, "send")
    assert (ended.due_at, ended.finished_at, ended.state) == (None, NOW + 2, TaskState.FAILED)
    assert ended.outcome is not None
    assert ended.outcome.failure == NO_RESULT


@given(reports, st.sampled_from(TaskState))
def test_a_client_is_told_its_own_ids_and_its_own_request(report: Report, state: TaskState) -> None:
    report = replace(report, model="upstream-name", request_id="theirs", trace_id="theirs", created_at=1, finished_at=2)
    task = a_task(state=state, outcome=replace(report, raw=None), finished_at=NOW + 9 if state in ENDED else None)
    told = describe(task)
    assert (told.task_id, told.request_id, told.trace_id) == (task.id, task.request_id, task.trace_id)
    assert (told.model, told.request, told.callback_url) == (task.model, task.body, None)
    assert (told.created_at, told.finished_at) == (task.created_at, task.finished_at)
    assert told.state is TOLD[state]
    assert (told.video_url, told.failure) == (report.video_url, report.failure)


def test_a_task_of_which_nothing_was_heard_is_told_as_queued() -> None:
    for state in ("ACCEPTED", "SUBMITTING", "IN_DOUBT", "QUEUED"):
        assert describe(a_task(state=TaskState(state))).state is State.QUEUED


def test_the_schema_repeats_the_tables() -> None:
    ddl = "\n".join(statement for statements in STEPS.values() for statement in statements)
    for words in (TaskState, Verdict, Format, DeliveryState):
        assert ", ".join(f"'{word}'" for word in words) in ddl


def test_tasks_are_values() -> None:
    task: Task = a_task()
    with pytest.raises(AttributeError):
        task.state = TaskState.FAILED  # type: ignore[misc]
