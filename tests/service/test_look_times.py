"""No task is looked at more often than its provider allows, whatever happens."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from random import Random

import httpx
import pytest

from tests.service.asking import created, record
from tests.world import accounts, world

pytestmark = pytest.mark.anyio
FLOOR_MS = 3000  # wire.md 2: "poll 5-10 s, never < 3 s"


@pytest.mark.parametrize("seed", range(3))
async def test_no_two_looks_at_a_gateway_s_task_are_closer_than_three_seconds(tmp_path: Path, seed: int) -> None:
    """Also with the shortest pause that may be set, jitter, trouble of every kind, an account that comes and goes."""
    chance, looked = Random(seed), defaultdict[str, list[int]](list)
    trouble = (None, None, None, 503, 429, 502, httpx.ConnectError("down"))
    async with world(tmp_path, accounts=accounts(["laozhang"], poll_seconds=3)) as it:

        async def between(request: httpx.Request) -> httpx.Response | None:
            if request.method != "GET":
                return None
            looked[request.url.path].append(it.clock.now)
            said = chance.choice(trouble)
            if isinstance(said, Exception):
                raise said
            return None if said is None else httpx.Response(said, json={"error": {"message": "m", "type": "t"}})

        it.between = between
        it.ringback._jitter = chance.uniform
        tasks = [await created(it, f"seconds={10 + 5 * each}", provider="laozhang") for each in range(8)]
        await it.settle(150, 0.5)
        it.between = None
        await it.settle(120)
        assert {(await record(it, task))["state"] for task in tasks} == {"SUCCEEDED"}
    gaps = [after - before for times in looked.values() for before, after in pairwise(times)]
    assert len(gaps) > 20
    assert min(gaps) >= FLOOR_MS
