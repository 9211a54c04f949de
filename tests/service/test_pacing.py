"""The token bucket of one upstream account."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.pacing import Bucket

NOW = 1_760_000_000_000
rates = st.sampled_from([0.1, 0.8, 1.0, 2.5, 10.0, 100.0])


def test_a_slow_account_saves_up_one_query_only() -> None:
    bucket = Bucket(0.8, NOW)
    assert bucket.room(NOW) == 1
    assert bucket.room(NOW + 60_000) == 1
    bucket.take(1, NOW + 60_000)
    assert bucket.room(NOW + 61_249) == 0
    assert bucket.room(NOW + 61_250) == 1


def test_a_fast_account_saves_up_one_seconds_worth() -> None:
    bucket = Bucket(10, NOW)
    assert bucket.room(NOW + 60_000) == 10
    bucket.take(4, NOW + 60_000)
    assert bucket.room(NOW + 60_000) == 6


def test_a_pause_forbids_queries_until_it_is_over() -> None:
    bucket = Bucket(10, NOW)
    bucket.pause(NOW + 5000)
    assert bucket.room(NOW + 4999) == 0
    assert bucket.room(NOW + 5000) >= 1
    bucket.pause(NOW)  # a shorter one takes nothing back
    assert bucket.room(NOW + 4999) == 0


def test_what_is_reserved_says_when_its_turn_is_and_others_wait_for_it() -> None:
    bucket = Bucket(0.8, NOW)
    assert [bucket.reserve(1, NOW) for _ in range(3)] == [NOW, NOW + 1250 + 1, NOW + 2500 + 1]
    assert bucket.room(NOW + 3749) == 0
    assert bucket.room(NOW + 3750) == 1


def test_several_are_reserved_for_the_time_when_all_of_them_may_be_made() -> None:
    bucket = Bucket(10, NOW)
    assert bucket.reserve(10, NOW + 1000) == NOW + 1000
    assert bucket.reserve(5, NOW + 1000) == NOW + 1500 + 1


def test_nothing_is_reserved_within_a_pause() -> None:
    bucket = Bucket(10, NOW)
    bucket.pause(NOW + 5000)
    assert bucket.reserve(1, NOW) > NOW + 4999


@pytest.mark.parametrize("rate", [0.8, 1.0, 10.0])
def test_a_minute_of_greed_stays_at_the_rate(rate: float) -> None:
    bucket, asked = Bucket(rate, NOW), 0
    for now in range(NOW, NOW + 60_000, 10):
        room = bucket.room(now)
        bucket.take(room, now)
        asked += room
    assert 60 * rate - 1 <= asked <= 60 * rate + max(rate, 1)


@given(rates, st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 12)), max_size=40))
def test_no_second_holds_more_than_two_seconds_worth(rate: float, steps: list[tuple[int, int]]) -> None:
    bucket, now, taken = Bucket(rate, NOW), NOW, []
    for pause, wish in steps:
        now += pause
        count = min(wish, bucket.room(now))
        bucket.take(count, now)
        taken += [now] * count
    for start in taken:
        assert sum(start <= at < start + 1000 for at in taken) <= 2 * max(rate, 1)


@given(rates, st.integers(0, 50), st.integers(0, 5000))
def test_there_is_room_when_the_bucket_says_so(rate: float, count: int, pause: int) -> None:
    bucket = Bucket(rate, NOW)
    bucket.take(count, NOW)  # a batch may overdraw: its queries were split by service
    bucket.pause(NOW + pause)
    assert bucket.room(bucket.free_at) >= 1
