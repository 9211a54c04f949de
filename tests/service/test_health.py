"""Whether an account is heard, as a value; and when a send is looked at next."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapters.providers import PROVIDERS
from service.accounts.health import LONG_SILENT_MS, SILENT_LOOKS, SILENT_MS, Health
from service.domain.look_times import LAST_CALL_MS, LATE_MS, UNHEARD_LOOKS, UNHEARD_MS, LookTimes, stalled
from service.domain.tasks import Placement, Verdict

NOW = 1_760_000_000_000
PROVIDER = PROVIDERS["laozhang"]
RETENTION_MS = PROVIDER.retention_seconds * 1000
jitters = st.sampled_from((lambda low, high: low, lambda low, high: high, lambda low, high: (low + high) / 2))


def times(started: int = NOW) -> LookTimes:
    return LookTimes(PROVIDER, 5.0, started, lambda low, high: (low + high) / 2)


def sent(verdict: Verdict = Verdict.ACCEPTED, misses: int = 0, sent_at: int = NOW) -> Placement:
    return Placement("p", "t", PROVIDER.name, verdict, sent_at, upstream_id="up-1", misses=misses)


def test_the_first_success_after_a_start_is_a_turn_and_later_ones_are_none() -> None:
    health = Health()
    health.heard()
    assert health.turned
    health.turned = False
    health.heard()
    assert not health.turned
    health.unheard(NOW)
    assert not health.turned
    health.heard()
    assert health.turned


def test_a_turn_that_nobody_noticed_is_not_lost_in_new_trouble() -> None:
    health = Health()
    health.heard()
    health.unheard(NOW)
    assert health.turned


def test_an_account_is_silent_after_a_minute_of_looks_or_five_of_any() -> None:
    health = Health()
    assert not health.silent(NOW + 10 * LONG_SILENT_MS)  # nobody asked it anything
    health.unheard(NOW)
    assert not health.silent(NOW + LONG_SILENT_MS - 1)
    assert health.silent(NOW + LONG_SILENT_MS)
    for number in range(1, SILENT_LOOKS):
        assert not health.silent(NOW + SILENT_MS)
        health.unheard(NOW + number)
    assert not health.silent(NOW + SILENT_MS - 1)
    assert health.silent(NOW + SILENT_MS)
    assert health.since == NOW
    health.heard()
    assert not health.silent(NOW + LONG_SILENT_MS)


@given(st.integers(0, 40), st.integers(0, RETENTION_MS), jitters)
def test_before_the_end_looks_are_never_more_than_36_minutes_apart_and_one_is_a_last_call(misses, age, jitter) -> None:
    now = NOW + age
    due_at = LookTimes(PROVIDER, 5.0, NOW, jitter).later(sent(misses=misses), 5.0, now)
    assert due_at is not None
    assert now < due_at <= now + 36 * 60_000
    last_call = NOW + RETENTION_MS - LAST_CALL_MS
    assert due_at <= last_call or now >= last_call


def test_what_was_given_up_is_looked_at_hourly_for_a_week() -> None:
    late = sent(Verdict.UNPROVEN, misses=30)
    now = NOW + RETENTION_MS
    assert times().later(late, 5.0, now) == times().again(late, 5.0, now) == times().rarely(now) == now + 3_600_000
    assert times().later(late, 5.0, NOW + LATE_MS - 1) is not None
    assert times().later(late, 5.0, NOW + LATE_MS) is times().again(late, 5.0, NOW + LATE_MS) is None


def test_a_task_ends_unheard_only_after_some_looks_and_some_time_past_the_end_and_the_start() -> None:
    end = NOW + RETENTION_MS
    asked = sent(misses=UNHEARD_LOOKS - 1)
    assert times().unheard(asked, end + UNHEARD_MS + 1)
    assert not times().unheard(asked, end + UNHEARD_MS)
    assert not times().unheard(sent(misses=UNHEARD_LOOKS - 2), end + UNHEARD_MS + 1)
    assert not times(started=end + 1).unheard(asked, end + UNHEARD_MS + 1)
    for verdict in (Verdict.IN_DOUBT, Verdict.UNPROVEN, Verdict.ENDED):
        assert not times().unheard(sent(verdict, misses=9), end + 10 * UNHEARD_MS)
    assert times().forgotten(asked, end + 1)
    assert not times().forgotten(asked, end)


def test_stalled_is_what_is_accepted_and_was_not_heard() -> None:
    assert [stalled(sent(misses=misses)) for misses in (0, 1, 9)] == [False, True, True]
    assert not stalled(sent(Verdict.UNPROVEN, misses=9))
