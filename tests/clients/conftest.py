"""One stage for all tests of this folder: clients come and go, the service stays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.stage import Stage


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("stage")).open() as running:
        yield running
        assert not running.inbox.forged


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs talk to loopback directly, whatever proxy the machine has."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
