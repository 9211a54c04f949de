"""The token bucket of one upstream account."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.accounts.pacing import RECOVERY_MS, Bucket

NOW = 1_760_000_000_000
rates = st.sampled_from([0.1, 0.8, 1.0, 2.5, 10.0, 100.0])


def test_a_slow_account_saves_up_one_query_only() -> None:
    bucket = Bucket(0.8, NOW)
    assert bucket.room(NOW) == 1
    assert bucket.room(NOW + 60_000) == 1
    bucket.take(1, NOW + 60_000)
    assert bucket.room(NOW + 61_249) == 0
    assert bucket.room(NOW + 61_250) == 1


def test_a_fast_account_saves_up_hardly_anything_for_its_provider_counts_by_the_second() -> None:
    bucket = Bucket(18, NOW)
    assert bucket.room(NOW + 60_000) == 1
    asked = [now for now in range(NOW + 60_000, NOW + 63_000) for _ in range(taken(bucket, now))]
    assert max(sum(start <= at < start + 1000 for at in asked) for start in asked) <= 20
    assert len(asked) >= 3 * 18


def test_what_no_provider_counts_may_be_saved_up_for_a_second() -> None:
    bucket = Bucket(10, NOW, saved=1000)
    assert bucket.room(NOW + 60_000) == 10
    bucket.take(4, NOW + 60_000)
    assert bucket.room(NOW + 60_000) == 6


def taken(bucket: Bucket, now: int) -> int:
    room = bucket.room(now)
    bucket.take(room, now)
    return room


def test_after_too_many_queries_an_account_is_asked_more_slowly_and_recovers() -> None:
    bucket = Bucket(10, NOW)
    bucket.slow(NOW)
    assert bucket.room(NOW + 1999) == 0
    slowed = sum(taken(bucket, now) for now in range(NOW + 2000, NOW + 4000))
    assert 10 <= slowed <= 12, "about half of twenty"
    later = NOW + RECOVERY_MS
    assert sum(taken(bucket, now) for now in range(later, later + 2000)) >= 20


def test_several_refusals_of_one_burst_are_one() -> None:
    bucket, other = Bucket(10, NOW), Bucket(10, NOW)
    bucket.slow(NOW)
    for late in range(10):
        other.slow(NOW + late)
    assert abs(bucket.free_at - other.free_at) <= 10


def test_who_is_refused_again_and_again_asks_ever_more_rarely() -> None:
    bucket, now, asked = Bucket(10, NOW), NOW, 0
    while now < NOW + 600_000:
        now = max(now, bucket.free_at)
        bucket.take(1, now)
        bucket.slow(now)
        asked += 1
    assert asked <= 600 / 15
    assert bucket.free_at - now <= 33_000, "but it asks"


def test_what_a_provider_asks_for_is_done_within_reason() -> None:
    bucket = Bucket(10, NOW)
    bucket.slow(NOW, retry_after=40.0)
    assert bucket.room(NOW + 39_999) == 0
    bucket = Bucket(10, NOW)
    bucket.slow(NOW, retry_after=1e308)
    assert bucket.room(NOW + 300_001) == 1


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
    bucket = Bucket(10, NOW, saved=1000)
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
