"""The store under anything that may happen, in any order: one transition wins, each subscriber is told once, and
nothing is sent while an earlier send may live.

More of it: `RINGBACK_MACHINE_RUNS=2000 pytest tests/service/test_store_machine.py`.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.service.nouns import ENGINES, opened
from tests.service.store_machine import StoreMachine

MORE = os.environ.get("RINGBACK_MACHINE_RUNS")
SETTINGS = settings(
    max_examples=int(MORE or "120"),
    stateful_step_count=40,
    derandomize=MORE is None,  # the suite does the same each time
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("engine", ENGINES)
def test_whatever_happens_in_whatever_order_the_laws_hold(engine: str, tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        opening = opened(engine, tmp_path)
        store = runner.run(opening.__aenter__())
        try:
            run_state_machine_as_test(lambda: StoreMachine(runner.run, store), settings=SETTINGS)
        finally:
            runner.run(opening.__aexit__(None, None, None))
