"""How long videos take: learned, forgotten slowly, and what it says about the next look."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.providers import PROVIDERS
from service.domain.completion import FULL, Completion
from service.domain.look_times import look_pause
from service.store import Store
from tests.service.nouns import ENGINES, opened

SECONDS = st.floats(0.0, 20_000.0)
GATEWAY = PROVIDERS["laozhang"]


def learned(median: float, spread: float, videos: int = 300, seed: int = 7) -> Completion:
    chance, model = random.Random(seed), Completion()
    for _ in range(videos):
        model = model.with_one(chance.lognormvariate(math.log(median), spread))
    return model


def test_nothing_known_means_about_a_minute_and_a_half() -> None:
    assert 80 < Completion().quantile(0.5) < 100
    assert Completion().quantile(0.05) < 45 < 180 < Completion().quantile(0.95)


@pytest.mark.parametrize("median", [8.0, 90.0, 900.0])
def test_the_quantiles_are_those_of_what_was_seen(median: float) -> None:
    model = learned(median, 0.3)
    for share, deviations in ((0.1, -1.2816), (0.5, 0.0), (0.9, 1.2816)):
        assert model.quantile(share) == pytest.approx(median * math.exp(0.3 * deviations), rel=0.12)


def test_one_video_does_not_outweigh_what_is_usual() -> None:
    assert Completion().with_one(3.0).quantile(0.5) > 50


def test_old_videos_fade() -> None:
    model = learned(90.0, 0.3)
    chance = random.Random(8)
    for _ in range(1000):
        model = model.with_one(chance.lognormvariate(math.log(30.0), 0.3))
    assert model.seen <= FULL
    assert model.quantile(0.5) == pytest.approx(30, rel=0.15)


@given(st.lists(SECONDS, max_size=30), st.floats(0.0, 1.0), st.floats(0.0, 1.0), SECONDS)
def test_quantiles_rise_and_never_lie_in_the_past(
    videos: list[float], first: float, second: float, elapsed: float
) -> None:
    model = Completion()
    for seconds in videos:
        model = model.with_one(seconds)
    low, high = sorted((first, second))
    assert elapsed <= model.quantile(low, elapsed) <= model.quantile(high, elapsed) + 1e-6


@given(st.lists(SECONDS, max_size=10), SECONDS, st.floats(3.0, 30.0))
def test_a_look_is_never_sooner_than_allowed_nor_put_off_for_ever(
    videos: list[float], elapsed: float, every: float
) -> None:
    model = Completion()
    for seconds in videos:
        model = model.with_one(seconds)
    pause = look_pause(GATEWAY, every, model, elapsed)
    assert 0 < pause <= max(60.0, every, model.soonest)
    assert pause >= every or elapsed + pause == pytest.approx(GATEWAY.first_look_seconds)


def looks_at(seconds: float, model: Completion) -> list[float]:
    """When a video that takes `seconds` is looked at, until it is found done."""
    at, looks = 0.0, []
    while at < seconds:
        at += look_pause(GATEWAY, 5.0, model, at)
        looks.append(at)
    return looks


def test_looks_come_late_and_then_often() -> None:
    model = learned(90.0, 0.3)
    looks = looks_at(90.0, model)
    assert looks[0] == 3.0
    assert looks[1] > 45
    assert looks[-1] - 90.0 <= 6.0
    assert len(looks) <= 90.0 / 5.0 / 2


def test_what_has_outlived_all_others_is_not_left_alone() -> None:
    model = Completion()
    for _ in range(40):
        model = model.with_one(10.0)
    assert look_pause(GATEWAY, 5.0, model, 12.0) == 5.0
    assert look_pause(GATEWAY, 5.0, model, 60.0) <= 15.0


def test_what_takes_far_longer_than_usual_is_still_looked_at() -> None:
    looks = looks_at(3000.0, learned(90.0, 0.3))
    assert max(later - earlier for earlier, later in pairwise(looks)) <= 60.0


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as it:
        yield it


@pytest.mark.anyio
async def test_what_was_learned_is_kept_for_each_workload(store: Store) -> None:
    for _ in range(40):
        await store.completions.learn("apiyi", "wan2.7-t2v/720P/5", 30.0)
    assert (await store.completions.get("apiyi", "wan2.7-t2v/720P/5")).quantile(0.5) == pytest.approx(30, rel=0.15)
    assert await store.completions.get("laozhang", "wan2.7-t2v/720P/5") == Completion()


@pytest.mark.anyio
async def test_no_video_of_a_race_is_forgotten(store: Store) -> None:
    await asyncio.gather(*(store.completions.learn("apiyi", "w", float(each + 1)) for each in range(40)))
    assert (await store.completions.get("apiyi", "w")).seen == 40
