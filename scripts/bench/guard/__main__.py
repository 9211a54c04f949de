"""The guard against hostile URLs, and against ordinary ones.

    python3 scripts/run.py bench guard [--hostile 100000] [--ordinary 10000] [--seed 1] [--json]

Each URL is handed in as a client does and then attempted, by the server's own guard, resolver and connections. An audit
hook sees every socket that is to be connected, and keeps all but loopback from it; a listener on loopback waits for
whom it should never see. Exit code 1 if a hostile URL got a connection, or an ordinary one did not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence

from scripts.bench.guard.run import Tally, hostile_urls, ordinary_urls, self_check

SHOWN = 20


def main(argv: Sequence[str] | None = None) -> int:
    chosen = _options().parse_args(argv)
    begun = time.monotonic()
    wrong = asyncio.run(self_check())
    if wrong:
        print(wrong, file=sys.stderr)
        return 2
    hostile = asyncio.run(hostile_urls(chosen.hostile, chosen.seed))
    ordinary = asyncio.run(ordinary_urls(chosen.ordinary, chosen.seed))
    print(_as_json(hostile, ordinary) if chosen.json else _table(hostile, ordinary, time.monotonic() - begun))
    for broken in [*hostile.broken, *ordinary.broken][:SHOWN]:
        print(f"BROKEN: {broken}", file=sys.stderr)
    return 1 if hostile.broken or ordinary.broken or _refused(ordinary) else 0


def _refused(tally: Tally) -> int:
    return tally.refused_when_given + tally.refused_when_dialled


def _table(hostile: Tally, ordinary: Tally, seconds: float) -> str:
    kinds = "\n".join(f"  {count:8}  {kind}" for kind, count in hostile.tried.most_common())
    readings = ", ".join(f"{name}: {count}" for name, count in sorted((hostile.readings + ordinary.readings).items()))
    return f"""\
{hostile.tried.total()} hostile URLs
{kinds}
  refused when handed in            {hostile.refused_when_given}
  refused when attempted            {hostile.refused_when_dialled}
  name not found                    {hostile.not_found}
  dialled, at public addresses only {hostile.dialled_public}
  connections to public addresses   {hostile.connections["public"]} (begun, and cut off by the watch)
  connections to forbidden ones     {hostile.connections["forbidden"]}
{ordinary.tried.total()} ordinary URLs
  refused                           {_refused(ordinary)}
  dialled at their own addresses    {ordinary.dialled_public}
Other readers of what passed: {readings}
Promises broken: {len(hostile.broken) + len(ordinary.broken)}. {seconds:.0f} s."""


def _as_json(hostile: Tally, ordinary: Tally) -> str:
    return json.dumps(
        {
            "hostile": hostile.tried.total(),
            "kinds": dict(hostile.tried.most_common()),
            "refused_when_handed_in": hostile.refused_when_given,
            "refused_when_attempted": hostile.refused_when_dialled,
            "connections_to_public": hostile.connections["public"],
            "connections_to_forbidden": hostile.connections["forbidden"],
            "ordinary": ordinary.tried.total(),
            "ordinary_refused": _refused(ordinary),
            "ordinary_dialled": ordinary.dialled_public,
            "readings": dict(hostile.readings + ordinary.readings),
            "broken": len(hostile.broken) + len(ordinary.broken),
        },
        indent=2,
    )


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="bench guard", description=__doc__.partition("\n")[0])
    options.add_argument("--hostile", type=int, default=100_000, metavar="N", help="how many hostile URLs")
    options.add_argument("--ordinary", type=int, default=10_000, metavar="N", help="how many ordinary URLs")
    options.add_argument("--seed", type=int, default=1, help="the same number gives the same URLs")
    options.add_argument("--json", action="store_true", help="print the counts as JSON")
    return options


if __name__ == "__main__":
    sys.exit(main())
