"""What every test shares. Async tests carry `@pytest.mark.anyio` and run on asyncio, as the server does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")  # a busy machine is no reason to fail


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One worker more than processors, for tests wait as well as work; none where only files are named: their tests
    begin sooner here. `-n 0` and `-n 4` say otherwise."""
    if all(Path(named.partition("::")[0]).is_file() for named in config.args):
        return 0
    return (os.cpu_count() or 1) + 1
