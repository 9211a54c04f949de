"""Whether dead receivers move the deliveries of those that are well: nine of ten are black holes or drip, and the time
from a task's end to its first attempt is compared with the same messages without the dead, and with the same load
where those nine answer as well. And how many deliveries a second there are, beside a plain httpx loop that keeps
nothing.

    python3 scripts/run.py bench isolation [--endpoints 1000] [--seconds 60] [--rounds 3] [--json]

Real sockets on loopback, a real disk, real time: figures depend on the machine, the comparison is made in one run. A
machine is not equally fast all the time, so the cases are played in turn, and what counts is all rounds together.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from random import Random

from scripts.bench.receivers import Receivers, receiving
from scripts.bench.tellings import house, post_plainly
from service.cli.serving import more_files, settle

WELL_SHARE = 0.1
GOAL = 1.2
GRACE_SECONDS = 10.0
BODY = b'{"type":"task.succeeded","data":{"video_url":"https://video.example.com/1.mp4"}}'


@dataclass(frozen=True)
class Delays:
    """Milliseconds from the end of a task to the first attempt, of receivers that are well. `missing` got none."""

    p50: float
    p99: float
    messages: int
    missing: int


@dataclass(frozen=True)
class Throughput:
    """Deliveries a second to receivers that are well."""

    ringback: float
    plain_httpx: float


class Case(StrEnum):
    """What nine of ten receivers are."""

    ABSENT = "without the dead"
    DEAD = "with the dead"
    WELL = "with others that are well"


def main(argv: Sequence[str] | None = None) -> int:
    chosen = _options().parse_args(argv)
    more_files()
    settle()
    played: dict[Case, list[float | None]] = {case: [] for case in Case}
    for round_ in range(chosen.rounds):
        for case, all_delays in played.items():
            delays = asyncio.run(_play(chosen, 2 * round_, case))
            _progress(f"round {round_ + 1}, {case}: {_delays(delays)}")
            all_delays += delays
    pace = asyncio.run(_throughput(chosen.messages))
    found = {case: _delays(all_delays) for case, all_delays in played.items()}
    (_print_json if chosen.json else _print)(chosen, found, pace)
    return 0


def _print(chosen: argparse.Namespace, found: Mapping[Case, Delays], pace: Throughput) -> None:
    dead, ratio = round(chosen.endpoints * (1 - WELL_SHARE)), _ratio(found)
    loads = f"{chosen.rate * (chosen.endpoints - dead):g} messages a second to the others, {chosen.dead_rate * dead:g}"
    print(f"{os.cpu_count()} cores, {chosen.endpoints} endpoints, {loads} to {dead} that are dead in the second case")
    print("time to first attempt of those that are well in all cases")
    for case, delays in found.items():
        print(f"  {case + ':':27} p50 {delays.p50:5.1f} ms, p99 {delays.p99:5.1f} ms, {delays.missing} missing")
    met = ratio <= GOAL and not found[Case.DEAD].missing
    print(f"p99 with the dead is {ratio:.2f} of that without: {'met' if met else 'NOT met'} (<= {GOAL})")
    print(f"deliveries a second: Ringback {pace.ringback:.0f}, plain httpx loop {pace.plain_httpx:.0f}")


def _print_json(chosen: argparse.Namespace, found: Mapping[Case, Delays], pace: Throughput) -> None:
    cases = {case.name.lower(): asdict(delays) for case, delays in found.items()}
    print(json.dumps(cases | {"ratio": round(_ratio(found), 2), **asdict(pace), "cores": os.cpu_count()}, indent=2))


def _ratio(found: Mapping[Case, Delays]) -> float:
    without, beside = found[Case.ABSENT].p99, found[Case.DEAD].p99
    return beside / without if without else math.inf


async def _play(chosen: argparse.Namespace, seed: int, case: Case) -> list[float | None]:
    """The same messages for those that are well, alone or beside the others; the delays of those that count."""
    count, seconds = round(chosen.endpoints * WELL_SHARE), chosen.warm + chosen.seconds
    async with receiving() as receivers, house() as teller:
        teller.start()
        started = time.time()
        well = [receivers.well(number) for number in range(count)]
        streams = [_stream(teller.tell, well, seconds, chosen.rate, Random(seed))]
        if case is not Case.ABSENT:
            kind = receivers.dead if case is Case.DEAD else receivers.well
            others = [kind(number) for number in range(count, chosen.endpoints)]
            told = partial(teller.tell, watched=False)
            await asyncio.gather(*map(told, others))  # each has a message that waits for it
            streams.append(_stream(told, others, seconds, chosen.dead_rate, Random(seed + 1)))
        await asyncio.gather(*streams)
        await _until_came(receivers, teller.ended)
        counted = {name: at for name, at in teller.ended.items() if at >= started + chosen.warm}
        return [_delay(receivers.first.get(name), at) for name, at in counted.items()]


async def _stream(
    tell: Callable[[str], Awaitable[None]], urls: Sequence[str], seconds: float, rate: float, chance: Random
) -> None:
    """Messages for receivers chosen at random, `rate` a second for each of them, as they please."""
    clock = asyncio.get_running_loop().time
    due = started = clock()
    telling: set[asyncio.Task[None]] = set()
    while (due := due + chance.expovariate(rate * len(urls))) < started + seconds:
        await asyncio.sleep(max(due - clock(), 0))
        task = asyncio.ensure_future(tell(chance.choice(urls)))
        telling.add(task)
        task.add_done_callback(telling.discard)
    await asyncio.gather(*telling)


async def _until_came(receivers: Receivers, messages: Collection[str]) -> None:
    """Until all have come, or for a while."""
    with suppress(TimeoutError):
        async with asyncio.timeout(GRACE_SECONDS):
            while not receivers.first.keys() >= set(messages):
                receivers.news.clear()
                await receivers.news.wait()


async def _throughput(messages: int) -> Throughput:
    async with receiving() as receivers, house() as teller:
        urls = [receivers.well(number % 100) for number in range(messages)]
        await teller.tell_all(urls)
        started = time.time()
        teller.start()
        await _until_came(receivers, teller.ended)
        took = max(receivers.first.values()) - started
        plain = await post_plainly(urls, BODY)
    return Throughput(messages / took, messages / plain)


def _delay(came: float | None, ended: float) -> float | None:
    return None if came is None else (came - ended) * 1000


def _delays(delays: Sequence[float | None]) -> Delays:
    ordered = sorted(math.inf if delay is None else delay for delay in delays)
    p50, p99 = (ordered[math.ceil(share * len(ordered)) - 1] if ordered else math.inf for share in (0.50, 0.99))
    return Delays(round(p50, 2), round(p99, 2), len(ordered), delays.count(None))


def _progress(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser("run.py bench isolation", description=__doc__)
    options.add_argument("--endpoints", type=int, default=1000, help="one in ten is well (1000)")
    options.add_argument("--seconds", type=float, default=60.0, help="of each case that count (60)")
    options.add_argument("--warm", type=float, default=40.0, help="seconds before, in which the dead are met (40)")
    options.add_argument("--rate", type=float, default=0.5, help="messages a second for each that is well (0.5)")
    options.add_argument("--dead-rate", type=float, default=0.01, help="the same for each of the dead (0.01)")
    options.add_argument("--rounds", type=int, default=3, help="how often the cases are played, in turn (3)")
    options.add_argument("--messages", type=int, default=2000, help="for the deliveries a second (2000)")
    options.add_argument("--json", action="store_true", help="the figures as JSON")
    return options


if __name__ == "__main__":
    sys.exit(main())
