"""`ringback demo` as a newcomer runs it, also in an environment full of keys that it must not use."""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path

import httpx
import pytest

from adapters.providers import PROVIDERS
from tests.cli.program import run, started, url_in

QUICK = ("--render-seconds", "0.5")
HOSTILE = {
    "ACEDATA_API_KEY": "sk-real",
    "LAOZHANG_API_KEY": "sk-real",
    "RINGBACK_ACEDATA_BASE_URL": "http://127.0.0.1:9",
    "RINGBACK_PROVIDERS": "laozhang",
    "RINGBACK_PORT": "tcp://10.0.0.1:80",
    "RINGBACK_CONFIG": "/nonexistent",
    "RINGBACK_API_KEYS": "mine:client-key",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "ALL_PROXY": "http://127.0.0.1:9",
}


def test_every_request_goes_through_every_provider_and_every_callback_verifies(tmp_path: Path) -> None:
    done = run(tmp_path, "demo", "--once", "--json", *QUICK, **HOSTILE)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    tasks = report["tasks"]
    assert report["ok"] is True
    assert report["first_callback_seconds"] < 10
    assert Counter(task["shape"] for task in tasks) == {"flat": 20, "gateway": 18, "native": 16}
    assert {task["provider"] for task in tasks} == set(PROVIDERS)
    assert {task["expected"] for task in tasks} == {"SUCCEEDED", "FAILED"}
    assert len({task["task_id"] for task in tasks}) == len(tasks)
    for task in tasks:
        assert task["state"] == task["expected"], task
        assert task["verified"] is not task["held"], task
        assert bool(task["video_bytes"]) is (task["state"] == "SUCCEEDED"), task
    assert not list(tmp_path.iterdir()), "nothing of it is left"


def test_it_stays_up_to_be_tried_and_stops_cleanly(tmp_path: Path) -> None:
    with started(tmp_path, "demo", *QUICK) as demo:
        service = url_in(demo.until("service"))
        assert "of 54 tasks ended as scripted. 50 of 50 callbacks verified" in demo.until("of 54 tasks")
        mine = url_in(demo.until("Now you"))
        key = demo.until("Bearer").split("Bearer ")[1].split("'")[0]
        given = {"RINGBACK_URL": service, "RINGBACK_KEY": key}
        demo.until("deliveries")
        words = ("submit", "--model", "wan2.7-t2v", "--prompt", "a cat [sim:fail]", "--callback", mine, "--wait")
        assert run(tmp_path, *words, **given).returncode == 1
        assert "✓ signature verified" in demo.until("/mine")
        forged = httpx.post(mine, json={}, headers={"webhook-id": "msg_forged"}, trust_env=False)
        assert forged.status_code == 401
        assert "✗" in demo.until("msg_forged")
        demo.ask(signal.SIGINT)
        assert demo.ended() == 0
        assert "Traceback" not in demo.seen
        assert "\x1b" not in demo.seen, "no colours where nobody looks"
    assert not list(tmp_path.glob("ringback-demo-*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_stopped_in_the_middle(number: signal.Signals, tmp_path: Path) -> None:
    with started(tmp_path, "demo", "--once", "--render-seconds", "600") as demo:
        demo.until("requests from")
        demo.ask(number)
        assert demo.ended() == 1
        assert "Stopped before the end." in demo.seen
        assert "Traceback" not in demo.seen
    assert not list(tmp_path.iterdir())


def test_json_needs_an_end(tmp_path: Path) -> None:
    assert run(tmp_path, "demo", "--json").returncode == 2
