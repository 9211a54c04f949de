"""When to try again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.backoff import (
    DELIVERY_DELAYS,
    LONGEST_LOOK,
    SEND_DELAYS,
    SPREAD,
    next_delivery,
    next_doubt,
    next_look,
    next_send,
    random_jitter,
    spread,
)

NOW = 1_760_000_000_000
HOUR_MS = 3_600_000
seconds = st.floats(0, 1e9)
jitters = st.sampled_from([min, max, lambda low, high: (low + high) / 2])


def middle(low: float, high: float) -> float:
    return (low + high) / 2


def test_the_delivery_schedule_spans_three_days() -> None:
    at, tries = 0, 0
    while (due := next_delivery(tries + 1, at, None, middle)) is not None:
        at, tries = due, tries + 1
    assert tries == len(DELIVERY_DELAYS)
    assert 3 * 24 * HOUR_MS < at < 4 * 24 * HOUR_MS
    assert next_delivery(1, 0, None, middle) == 5000


def test_a_retry_after_moves_a_delivery_later_never_earlier() -> None:
    assert next_delivery(1, NOW, 60, middle) == NOW + 60_000
    assert next_delivery(3, NOW, 1, middle) == NOW + 120_000
    assert next_delivery(1, NOW, 0, middle) == NOW + 5000


def test_a_retry_after_moves_a_delivery_by_an_hour_or_its_step_at_most() -> None:
    assert next_delivery(1, NOW, 1e9, middle) == NOW + HOUR_MS
    assert next_delivery(7, NOW, 1e9, middle) == NOW + 2 * HOUR_MS


@given(st.integers(1, len(DELIVERY_DELAYS)), st.none() | seconds, jitters)
def test_no_attempt_is_due_in_the_past_or_much_after_its_step(tries: int, asked: float | None, jitter) -> None:
    due = next_delivery(tries, NOW, asked, jitter)
    step = DELIVERY_DELAYS[tries - 1] * 1000
    assert due is not None
    assert NOW + step * (1 - SPREAD) - 1 <= due <= NOW + max(step * (1 + SPREAD), HOUR_MS) + 1


def test_sends_slow_down_to_one_a_minute() -> None:
    pauses = [next_send(sends, 0, None, middle) // 1000 for sends in range(1, 9)]
    assert pauses == [2, 5, 15, 30, 60, 60, 60, 60]
    assert len(SEND_DELAYS) == 5


@given(st.integers(1, 10_000), st.none() | seconds, jitters)
def test_a_send_waits_as_asked_but_an_hour_at_most(sends: int, asked: float | None, jitter) -> None:
    due = next_send(sends, NOW, asked, jitter)
    assert NOW < due <= NOW + HOUR_MS
    assert due >= NOW + min(asked or 0, 3600) * 1000 - 1


@given(st.floats(0.05, 600), st.integers(0, 10**6), jitters)
def test_looks_that_hear_nothing_slow_down_to_half_an_hour(every: float, misses: int, jitter) -> None:
    pause = next_look(every, misses, 0, jitter) / 1000
    assert every * (1 - SPREAD) - 0.001 <= pause <= max(every, LONGEST_LOOK) * (1 + SPREAD) + 0.001


def test_looks_double_their_pause() -> None:
    assert [next_look(5, misses, 0, middle) // 1000 for misses in range(8)] == [5, 10, 20, 40, 80, 160, 320, 640]
    assert next_look(5, 9, 0, middle) == next_look(5, 10**6, 0, middle) == 1_800_000
    assert next_look(5, 10**6, 0, middle, 300.0) == 300_000
    assert next_look(7200, 3, 0, middle) == 7_200_000


def test_what_failed_together_does_not_return_together() -> None:
    pauses = {spread(10, random_jitter) for _ in range(200)}
    assert len(pauses) > 100
    assert min(pauses) >= 8000
    assert max(pauses) <= 12_000


def test_a_lost_answer_is_looked_for_ever_more_slowly_up_to_once_a_minute() -> None:
    at, times = 0, []
    for _ in range(7):
        at = next_doubt(0, at)
        times.append(at // 1000)
    assert times == [5, 10, 20, 40, 80, 140, 200]
    assert next_doubt(NOW, NOW) == NOW + 5000
