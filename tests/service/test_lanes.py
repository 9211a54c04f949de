"""When a lane is paused, and for how long; when somebody is told; when it is given up."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.backoff import DELIVERY_DELAYS, SPREAD
from service.domain.deliveries import receiver_of
from service.domain.lanes import (
    DAY_MS,
    ENOUGH,
    FOREVER,
    GIVE_UP_MS,
    TRIES,
    WARN_MS,
    Lane,
    Pause,
    Standing,
    failed,
    hopeless,
    worrying,
)

NOW = 1_760_000_000_000


def middle(low: float, high: float) -> float:
    return (low + high) / 2


def a_lane(failures: int, **changes: object) -> Lane:
    return replace(Lane("ep_1", "a.example.com", failures=failures, failing_since=NOW), **changes)


def seconds(lane: Lane) -> float:
    return ((lane.paused_until or NOW) - NOW) / 1000


def test_a_no_to_one_message_pauses_nothing() -> None:
    lane = failed(a_lane(50), NOW, middle, well=True)
    assert (lane.paused_until, lane.standing) == (None, Standing.WELL)


def test_the_circuit_opens_at_the_fifth_failure_and_waits_longer_with_each_probe() -> None:
    waits = [seconds(failed(a_lane(failures), NOW, middle, well=False)) for failures in range(1, 12)]
    assert waits == [0, 0, 0, 0, 30, 60, 120, 240, 480, 600, 600]


def test_a_circuit_never_keeps_a_single_message_from_its_schedule() -> None:
    for failures, step in enumerate(DELIVERY_DELAYS, 1):
        wait = seconds(failed(a_lane(failures), NOW, lambda low, high: high, well=False))
        assert wait <= step * (1 - SPREAD), failures


def test_a_receiver_that_asks_for_less_gets_nothing_for_as_long_as_it_says_up_to_an_hour() -> None:
    waits = {
        asked: failed(a_lane(1), NOW, middle, well=False, throttle=True, retry_after=asked) for asked in (None, 90, 9e9)
    }
    assert {asked: seconds(lane) for asked, lane in waits.items()} == {None: 5, 90: 90, 9e9: 3600}
    assert {lane.pause for lane in waits.values()} == {Pause.THROTTLED}


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    lane = a_lane(6, paused_until=NOW + 999_000, pause=Pause.THROTTLED)
    assert failed(lane, NOW, middle, well=False) == replace(lane, standing=Standing.ILL)


def test_a_disabled_lane_stays_so() -> None:
    lane = a_lane(9, paused_until=FOREVER, pause=Pause.DISABLED)
    assert failed(lane, NOW, middle, well=False, throttle=True) == replace(lane, standing=Standing.ILL)


def test_a_failure_that_says_nothing_of_the_receiver_leaves_its_standing() -> None:
    assert failed(a_lane(TRIES), NOW, middle, well=None) == a_lane(TRIES)


def test_somebody_is_told_every_day_and_it_is_given_up_after_five() -> None:
    lane, told = a_lane(ENOUGH), []
    for now in range(NOW, NOW + GIVE_UP_MS, DAY_MS // 24):
        assert not hopeless(lane, now)
        if worrying(lane, now):
            told.append(now - NOW)
            lane = replace(lane, warned_at=now)
    assert told == list(accumulate([WARN_MS] * 4))
    assert hopeless(lane, NOW + GIVE_UP_MS)
    assert not hopeless(replace(lane, failures=ENOUGH - 1), NOW + GIVE_UP_MS)


@given(st.integers(1, 10**6), st.booleans(), st.none() | st.floats(0, 1e12), st.sampled_from([True, False, None]))
def test_no_pause_is_longer_than_an_hour_and_some(
    failures: int, throttle: bool, asked: float | None, well: bool | None
) -> None:
    lane = failed(a_lane(failures), NOW, lambda low, high: high, well=well, throttle=throttle, retry_after=asked)
    assert 0 <= seconds(lane) <= 3600


@pytest.mark.parametrize(
    ("url", "receiver"),
    [
        ("https://Hook.Example.com/in", "hook.example.com"),
        ("https://hook.example.com:443/in?a=1", "hook.example.com"),
        ("https://hook.example.com.:0443/", "hook.example.com"),
        ("https://hook.example.com:8443/", "hook.example.com:8443"),
        ("http://hook.example.com:80", "hook.example.com"),
        ("https://hook.example.com:/in", "hook.example.com"),
        ("http://[::1]:9000/in", "[::1]:9000"),
    ],
)
def test_a_receiver_has_one_name_however_its_url_is_written(url: str, receiver: str) -> None:
    assert receiver_of(url) == receiver
