"""How soon Ringback knows that a video is done, and what it asks for that, compared with a loop that looks at every
video every five seconds: one that minds no limits, and one that keeps the provider's. All watch the same videos.

    python3 scripts/run.py bench detection [--kind gateway] [--rate 100] [--quick] [--json]

Time is turned, so nothing here depends on how fast the machine is. Requests take no time, and what the simulator's
providers send leaves when a video ends: delays are those of the watching alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass

from scripts.bench.figures import Goal, Row, brief, figures_of, judge, table
from scripts.bench.house import Watched, Way, play_house
from scripts.bench.plain import play_plain
from scripts.bench.turned import Load
from scripts.bench.wires import ACEDATA, DASHSCOPE, LAOZHANG

RATES = (10.0, 100.0, 500.0)
WAYS: Mapping[str, Way] = {
    "push": Way("DashScope, push and list", DASHSCOPE, pushes=True),
    "list-100": Way("DashScope, list, pages of 100", DASHSCOPE),
    "list-10": Way("DashScope, list, pages of 10", DASHSCOPE, page_size=10),
    "gateway": Way("LaoZhang, single looks", LAOZHANG),
    "callback": Way("AceData, callbacks and batch", ACEDATA),
    "callback-lost": Way("AceData, batch, callbacks lost", ACEDATA, marker="[sim:callback=lost]"),
}
GOALS: Mapping[str, Goal] = {
    "push": Goal(500, 2.0),
    "list-100": Goal(500, 2.0),
    "gateway": Goal(100, 6.0, share=0.5),
}


@dataclass(frozen=True)
class Job:
    """A load and who watches it: Ringback in one of its ways, or (`limits` is not None) the plain loop at that way's
    provider. Every job is a world of its own, so they may run side by side."""

    kind: str
    load: Load
    limits: bool | None = None

    @property
    def title(self) -> str:
        way = WAYS[self.kind]
        if self.limits is None:
            return f"{way.title}, {self.load.rate:g} a minute: Ringback"
        return f"{way.wire.provider}, {self.load.rate:g} a minute: plain loop{' within limits' if self.limits else ''}"

    def run(self) -> Watched:
        started, way = time.monotonic(), WAYS[self.kind]
        if self.limits is None:
            watched = asyncio.run(play_house(way, self.load))
        else:
            watched = Watched(asyncio.run(play_plain(way.wire, self.load, limits=self.limits)))
        found = brief(figures_of(watched.course), self.load.patience)
        print(f"{self.title}: {found} ({time.monotonic() - started:.0f} s)", file=sys.stderr, flush=True)
        return watched


def main(argv: Sequence[str] | None = None) -> int:
    chosen = _options().parse_args(argv)
    kinds, rates = chosen.kind or list(WAYS), chosen.rate or RATES
    loads = [load_of(rate, quick=chosen.quick, seed=chosen.seed) for rate in rates]
    rows = _rows([(kind, load) for kind in kinds for load in loads])
    told = table(rows, loads[0].patience)
    if chosen.json:
        print(told, file=sys.stderr)
        print(json.dumps([row.as_json() for row in rows], indent=2))
    else:
        print(told)
    return 0


def _rows(wanted: Sequence[tuple[str, Load]]) -> list[Row]:
    """The longest jobs begin first; providers that are asked for in several ways have their plain loops once."""
    plain = {(WAYS[kind].wire.provider, load): kind for kind, load in reversed(wanted)}
    jobs = [Job(kind, load) for kind, load in wanted]
    jobs += [Job(kind, load, limits) for (_, load), kind in plain.items() for limits in (False, True)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        runs = {job: pool.submit(job.run) for job in sorted(jobs, key=lambda job: -job.load.rate)}
        return [_row(kind, load, plain[WAYS[kind].wire.provider, load], runs) for kind, load in wanted]


def load_of(rate: float, *, quick: bool = False, seed: int = 1) -> Load:
    """Long enough that the model has learned and the videos in flight are as many as they stay (until 400 have come, or
    for twelve minutes); then for 150 to 500 videos that count."""
    if quick:
        return Load(rate, warm=150, counted=30, seed=seed)
    warm = min(max(200.0, 400 * 60 / rate), 720.0)
    return Load(rate, warm, counted=min(max(120.0, 150 * 60 / rate), 500 * 60 / rate), seed=seed)


def _row(kind: str, load: Load, plain_kind: str, runs: Mapping[Job, Future[Watched]]) -> Row:
    watched = runs[Job(kind, load)].result()
    free, kept = (runs[Job(plain_kind, load, limits)].result().course for limits in (False, True))
    if not watched.course.ends == free.ends == kept.ends:
        raise RuntimeError("These were not the same videos.")
    own, plain, limited = map(figures_of, (watched.course, free, kept))
    goal = judge(GOALS.get(kind), load.rate, own, plain)
    return Row(WAYS[kind].title, load.rate, own, plain, limited, dict(watched.detectors.most_common()), goal)


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser("run.py bench detection", description=__doc__)
    options.add_argument("--kind", action="append", choices=[*WAYS], help="only this one; may be given again")
    options.add_argument("--rate", action="append", type=float, help="videos a minute (10, 100 and 500)")
    options.add_argument("--quick", action="store_true", help="few videos: to see that it works")
    options.add_argument("--json", action="store_true", help="the figures as JSON; the table goes to stderr")
    options.add_argument("--seed", type=int, default=1, help="other videos")
    return options


if __name__ == "__main__":
    sys.exit(main())
