"""`ringback sim` as a program."""

from __future__ import annotations

import signal
from pathlib import Path

import httpx
import pytest

from adapters.providers import PROVIDERS
from service.settings import load
from tests.cli.program import simulated, started, url_in

FLAT = {"action": "text2video", "model": "wan2.6-t2v", "prompt": "a cat", "async": True}


def test_it_says_how_to_point_a_server_at_it_and_stops_cleanly(tmp_path: Path) -> None:
    with started(tmp_path, "sim", "--port", "0") as sim:
        url = url_in(sim.until("listen on"))
        exports = [sim.until("export").split()[1:] for _ in PROVIDERS]
        settings = load(None, dict(word.split("=") for words in exports for word in words) | {
            "RINGBACK_DATABASE": str(tmp_path / "ringback.db")
        })  # fmt: skip
        assert sim.until("serve") == "  ringback serve\n"
        assert [account.base_url for account in settings.accounts] == [f"{url}/{name}" for name in PROVIDERS]
        assert httpx.get(sim.until("stats").split()[-1], trust_env=False).json()["creates_billed"] == 0
        sim.ask(signal.SIGTERM)
        assert sim.ended() == 0
        assert "Traceback" not in sim.seen


def test_it_sees_nothing_of_the_environment(tmp_path: Path) -> None:
    hostile = {"RINGBACK_PORT": "many", "RINGBACK_CONFIG": "/nonexistent", "ACEDATA_API_KEY": "sk-real"}
    with started(tmp_path, "sim", "--port", "0", "--json", **hostile) as sim:
        assert "sk-real" not in sim.until("environment")


@pytest.mark.parametrize(("options", "last"), [(("--limits",), 429), ((), 200)])
def test_rate_limits_are_an_option(options: tuple[str, ...], last: int, tmp_path: Path) -> None:
    with simulated(tmp_path, *options) as environment, httpx.Client(trust_env=False) as client:
        base = environment["RINGBACK_ACEDATA_BASE_URL"]
        client.headers["authorization"] = "Bearer any"
        created = client.post(f"{base}/wan/videos", json=FLAT).json()["task_id"]
        query = {"action": "retrieve", "id": created}
        assert [client.post(f"{base}/wan/tasks", json=query).status_code for _ in range(4)][-1] == last
