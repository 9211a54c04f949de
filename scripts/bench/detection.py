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
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache

from scripts.bench.figures import Goal, Row, figures_of, judge, table
from scripts.bench.house import Way, play_house
from scripts.bench.plain import play_plain
from scripts.bench.turned import Course, Load
from scripts.bench.wires import ACEDATA, DASHSCOPE, LAOZHANG, Wire

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


def main(argv: Sequence[str] | None = None) -> int:
    chosen = _options().parse_args(argv)
    rows = []
    plain = cache(lambda wire, load, limits: _plain(wire, load, limits=limits))
    for kind in chosen.kind or WAYS:
        for rate in chosen.rate or RATES:
            load = load_of(rate, quick=chosen.quick, seed=chosen.seed)
            wire = WAYS[kind].wire
            rows.append(_row(kind, load, plain(wire, load, False), plain(wire, load, True)))
    told = table(rows, load.patience)
    if chosen.json:
        print(told, file=sys.stderr)
        print(json.dumps([row.as_json() for row in rows], indent=2))
    else:
        print(told)
    return 0


def load_of(rate: float, *, quick: bool = False, seed: int = 1) -> Load:
    """Long enough that the model has learned and the videos in flight are as many as they stay; then for some hundred
    videos, at the least rate for fewer."""
    if quick:
        return Load(rate, warm=150, counted=30, seed=seed)
    return Load(rate, warm=max(300.0, 120 * 60 / rate), counted=max(120.0, 150 * 60 / rate), seed=seed)


def _row(kind: str, load: Load, plain: Course, limited: Course) -> Row:
    way, started = WAYS[kind], time.monotonic()
    watched = asyncio.run(play_house(way, load))
    _progress(f"{way.title}, {load.rate:g} a minute: Ringback", started)
    if not watched.course.ends == plain.ends == limited.ends:
        raise RuntimeError("These were not the same videos.")
    own, free, kept = map(figures_of, (watched.course, plain, limited))
    goal = judge(GOALS.get(kind), load.rate, own, free)
    return Row(way.title, load.rate, own, free, kept, dict(watched.detectors.most_common()), goal)


def _plain(wire: Wire, load: Load, *, limits: bool) -> Course:
    started = time.monotonic()
    course = asyncio.run(play_plain(wire, load, limits=limits))
    _progress(f"{wire.provider}, {load.rate:g} a minute: plain loop{' within limits' if limits else ''}", started)
    return course


def _progress(what: str, started: float) -> None:
    print(f"{what} ({time.monotonic() - started:.0f} s)", file=sys.stderr, flush=True)


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
