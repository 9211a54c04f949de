"""`ringback doctor` as a program, on this machine only."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from adapters.providers import PROVIDERS
from tests.cli.program import run, simulated, started, url_in

CLOSED = "http://127.0.0.1:9"


def test_a_server_with_everything_in_order_has_no_problem_and_pays_nothing(tmp_path: Path) -> None:
    with simulated(tmp_path) as upstreams, started(tmp_path, "serve", "--port", "0", **upstreams) as server:
        url = url_in(server.until("listens"))
        sim = upstreams["RINGBACK_ACEDATA_BASE_URL"].removesuffix("/acedata")
        given = {**upstreams, "RINGBACK_PORT": url.rpartition(":")[2]}
        shown = run(tmp_path, "doctor", "--json", **given)
        stats = httpx.get(f"{sim}/_sim/stats", trust_env=False).json()
    found = {each["check"]: each for each in json.loads(shown.stdout)["findings"]}
    assert (shown.returncode, shown.stderr) == (0, "")
    assert {each["level"] for each in found.values()} == {"ok"}, found
    assert {f"key of {row.title}" for row in PROVIDERS.values()} < found.keys()
    assert {"clock", "server", "callbacks", "egress", "database", "schema", "disk", "secrets", "access"} < found.keys()
    assert stats["creates_billed"] == 0
    assert not any("create" in kind for kind in stats["requests"])


def test_problems_are_shown_with_the_next_step_and_are_exit_code_1_without_secrets(tmp_path: Path) -> None:
    given = {
        "DASHSCOPE_API_KEY": "sk-very-secret",
        "RINGBACK_DASHSCOPE_BASE_URL": CLOSED,
        "RINGBACK_PORT": "9",
        "RINGBACK_API_KEYS": "me:client-secret",
        "RINGBACK_EGRESS_ALLOW": "10.0.0.0/8",
    }
    shown = run(tmp_path, "doctor", **given)
    assert shown.returncode == 1
    assert shown.stderr == "ringback: There is 1 problem.\n"
    [line] = [line for line in shown.stdout.splitlines() if line.startswith("problem")]
    assert "cannot be reached: the connection was refused" in line
    assert "RINGBACK_DASHSCOPE_BASE_URL" in line
    assert "No server runs at http://127.0.0.1:9" in shown.stdout
    assert "secret" not in shown.stdout.replace(".secrets", "").replace("secrets ", "")
    assert not (tmp_path / "ringback.db").exists()


@pytest.mark.parametrize(
    ("name", "value"), [("RINGBACK_PORT", "many"), ("RINGBACK_EGRESS_ALLOW", "10.0.0.1/8"), ("RINGBACK_CONFIG", "none")]
)
def test_settings_with_which_no_server_starts_are_problems(name: str, value: str, tmp_path: Path) -> None:
    shown = run(tmp_path, "doctor", "--json", **{name: value})
    assert shown.returncode == 1
    [found] = json.loads(shown.stdout)["findings"]
    assert (found["check"], found["level"]) == ("settings", "problem")
    assert value in found["said"]


def test_a_misspelt_setting_is_a_warning(tmp_path: Path) -> None:
    shown = run(tmp_path, "doctor", RINGBACK_PRT="9000", RINGBACK_PORT="9")
    assert "RINGBACK_PRT is not a setting and was ignored (did you mean RINGBACK_PORT?)." in shown.stdout
