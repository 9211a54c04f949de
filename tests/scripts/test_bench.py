"""The bench of the detectors runs from its beginning to its end, at a size that shows nothing but that."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.bench.figures import Goal, figures_of, judge
from scripts.bench.turned import Course

ROOT = Path(__file__).resolve().parent.parent.parent


def test_a_bench_of_a_few_videos_gives_figures_and_a_table() -> None:
    words = ["--quick", "--kind", "gateway", "--rate", "30", "--json"]
    command = [sys.executable, "-m", "scripts.bench.detection", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["way"], row["rate"]) == ("LaoZhang, single looks", 30)
    for name in ("ringback", "plain", "plain_limited"):
        figures = row[name]
        assert figures["videos"] > 5
        assert 0 <= figures["p50"] <= figures["p95"]
        assert figures["requests"] >= 1
    assert row["plain"]["p95"] <= 5.1, "five seconds and a step"
    assert sum(row["detectors"].values()) == row["ringback"]["videos"]
    assert "| LaoZhang, single looks | 30 " in done.stderr


def course(*delays: float | None, queries: int = 10, refused: int = 0) -> Course:
    count = len(delays)
    return Course(range(count), (0,) * count, delays, queries, ended=count, seconds=60.0, refused=refused)


def test_what_was_not_found_in_time_comes_last() -> None:
    found = figures_of(course(None, 1.0, 3.0, 2.0))
    assert (found.p50, found.p95, found.requests) == (2.0, None, 2.5)


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (course(1.0, 2.0, queries=4), "met: p95 <= 2 s, <= 0.5 of the plain requests"),
        (course(1.0, 2.1, queries=4), "NOT met: p95 <= 2 s, <= 0.5 of the plain requests"),
        (course(1.0, 2.0, queries=6), "NOT met: p95 <= 2 s, <= 0.5 of the plain requests"),
        (course(1.0, 2.0, queries=4, refused=1), "NOT met: p95 <= 2 s, <= 0.5 of the plain requests"),
        (course(1.0, None, queries=4), "NOT met: p95 <= 2 s, <= 0.5 of the plain requests"),
    ],
)
def test_a_goal_is_of_one_rate_and_needs_all_of_its_parts(own: Course, said: str) -> None:
    goal, plain = Goal(100, 2.0, share=0.5), figures_of(course(1.0, 1.0, queries=10))
    assert judge(goal, 100, figures_of(own), plain) == said
    assert judge(goal, 10, figures_of(own), plain) == judge(None, 100, figures_of(own), plain) == ""
