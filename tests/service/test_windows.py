"""No lane, host or kind of receiver gets more than its share, and none is forgotten."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from service.domain.deliveries import Delivery, DeliveryState
from service.domain.lanes import Lane, Standing, Turn
from service.telling.windows import HOST_SHARE, SHARE, Windows

NOW, LEASE, SLOTS = 1_760_000_000_000, 60_000, 128


def a_lane(name: str = "ep_1", **changes: Any) -> Lane:
    return replace(Lane(name, "a.example.com", Standing.WELL), **changes)


def turn(lane: Lane) -> Turn:
    message = Delivery("msg", "task", "sub", "me", "https://a/", lane.receiver, "t", DeliveryState.PENDING, b"{}", NOW)
    return Turn(lane, replace(message, endpoint=lane.id), None)


def opened(windows: Windows, lane: Lane, now: int = NOW, free: int = SLOTS) -> int:
    [grant] = windows.open([lane], free, now)
    return grant.count


def test_a_lane_begins_with_one_attempt_and_doubles_with_every_good_round() -> None:
    windows, lane, rounds = Windows(SLOTS, LEASE), a_lane(), []
    for _ in range(6):
        rounds.append(opened(windows, lane))
        assert opened(windows, lane) == 0  # until one ends
        for _ in range(rounds[-1]):
            windows.closed(turn(lane), well=True)
    assert rounds == [1, 2, 4, 8, 16, 16]
    opened(windows, lane)
    for _ in range(SHARE):
        windows.closed(turn(lane), well=False)
    assert opened(windows, lane) == 1


def test_whose_end_makes_room_is_said_so_that_its_lane_is_opened_again() -> None:
    windows, lane = Windows(SLOTS, LEASE), a_lane()
    opened(windows, lane)
    assert windows.closed(turn(lane), well=True)  # it was full
    opened(windows, lane, free=1)
    assert not windows.closed(turn(lane), well=True)


def test_so_is_a_lane_that_asked_for_more_when_it_had_none_left() -> None:
    windows, wide = Windows(SLOTS, LEASE), a_lane()
    for _ in range(3):
        opened(windows, wide, free=1)
        windows.closed(turn(wide), well=True)
    assert opened(windows, wide, free=1) == 1
    assert opened(windows, a_lane(at_once=1)) == 0  # its endpoint wants less by now
    assert windows.closed(turn(wide), well=True)
    opened(windows, wide, free=1)
    assert not windows.closed(turn(wide), well=True)


def test_a_message_past_the_line_has_no_more_than_the_slots() -> None:
    windows = Windows(1, LEASE)
    one, other = a_lane("ep_1"), replace(a_lane("ep_2"), receiver="b.example.com")
    assert windows.opened(one, NOW)
    assert not windows.opened(other, NOW)
    assert not windows.opened(one, NOW)
    windows.closed(turn(one), well=True)
    assert windows.opened(other, NOW)


def test_an_endpoints_own_limits_are_kept() -> None:
    windows, lane = Windows(SLOTS, LEASE), a_lane(at_once=2, per_second=4.0)
    counts = []
    for step in range(0, 3000, 50):
        counts.append(opened(windows, lane, NOW + step))
        for _ in range(counts[-1]):
            windows.closed(turn(lane), well=True)
    assert max(counts) <= 2
    assert 4 * 3 <= sum(counts) <= 4 * 3 + 4  # a second's worth at once, then the pace


@pytest.mark.parametrize("per_second", [0.1, 1.0, 7.0])
def test_a_paced_lane_is_asked_again_just_when_it_may(per_second: float) -> None:
    windows, lane, now = Windows(SLOTS, LEASE), a_lane(per_second=per_second), NOW
    times = []
    while len(times) < 20:
        [grant] = windows.open([lane], SLOTS, now)
        for _ in range(grant.count):
            windows.closed(turn(lane), well=True)
            times.append(now)
        now = now if grant.count else grant.again_at
        assert now < NOW + LEASE * 10
    assert (times[-1] - times[0]) / 1000 == pytest.approx((len(times) - max(1, per_second)) / per_second, rel=0.2)


lanes = st.builds(
    lambda number, host, standing: Lane(f"ep_{number}", f"host-{host}", standing),
    st.integers(0, 40),
    st.integers(0, 3),
    st.sampled_from(Standing),
)


def test_ones_dead_receivers_leave_others_room_at_a_host_that_they_share() -> None:
    windows = Windows(SLOTS, LEASE)
    dead = [a_lane(f"ep_dead_{number}", standing=Standing.NEW) for number in range(HOST_SHARE)]
    assert sum(grant.count for grant in windows.open(dead, SLOTS, NOW)) == HOST_SHARE // 2
    full = windows.full_hosts()
    assert full == {Standing.WELL: [], Standing.NEW: ["a.example.com"], Standing.ILL: ["a.example.com"]}
    assert opened(windows, a_lane("ep_well")) == 1


class Shares(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.windows = Windows(SLOTS, LEASE)
        self.turns: list[Turn] = []

    @rule(found=st.lists(lanes, max_size=30, unique_by=lambda lane: lane.id), unused=st.integers(0, 3))
    def some_are_claimed(self, found: list[Lane], unused: int) -> None:
        free = SLOTS - len(self.turns)
        room = self.windows.room(free) if free else {}
        full = self.windows.full_hosts()
        served: Counter[Standing] = Counter()
        ready = []
        for lane in found:
            if lane.receiver not in full[lane.standing] and served[lane.standing] < room.get(lane.standing, 0):
                served[lane.standing] += 1
                ready.append(lane)
        for lane, grant in zip(ready, self.windows.open(ready, free, NOW), strict=True):
            left = min(unused, grant.count)
            self.windows.unused(lane, left)
            self.turns += [turn(lane)] * (grant.count - left)

    @precondition(lambda self: self.turns)
    @rule(number=st.integers(0, 10**6), well=st.sampled_from([True, False, None]))
    def one_ends(self, number: int, well: bool | None) -> None:
        self.windows.closed(self.turns.pop(number % len(self.turns)), well=well)

    @invariant()
    def nobody_has_more_than_its_share(self) -> None:
        assert len(self.turns) <= SLOTS
        assert max(Counter(one.lane.id for one in self.turns).values(), default=0) <= SHARE
        assert max(Counter(one.lane.receiver for one in self.turns).values(), default=0) <= HOST_SHARE
        doubtful = (one.lane.receiver for one in self.turns if one.lane.standing is not Standing.WELL)
        assert max(Counter(doubtful).values(), default=0) <= HOST_SHARE // 2

    def teardown(self) -> None:
        """When all have ended there is room for everybody."""
        for one in self.turns:
            self.windows.closed(one, well=None)
        for standing in Standing:
            assert opened(self.windows, Lane(f"ep_{standing}", f"fresh-{standing}", standing)) == 1


TestShares = Shares.TestCase
TestShares.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(st.integers(0, 400))
def test_those_that_are_well_always_find_a_slot_however_many_are_not(doubtful: int) -> None:
    windows, free = Windows(SLOTS, LEASE), SLOTS
    for number in range(doubtful):
        standing = (Standing.NEW, Standing.ILL)[number % 2]
        if windows.room(free).get(standing):
            free -= opened(windows, Lane(f"ep_{number}", f"host-{number}", standing), free=free)
    assert windows.room(free)[Standing.WELL] >= min(free, SLOTS // 16)
    assert opened(windows, Lane("well", "well", Standing.WELL), free=free) == 1
