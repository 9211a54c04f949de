"""`ringback serve` as a program: what it says, what it refuses, and how it stops."""

from __future__ import annotations

import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.cli.program import run, simulated, started, url_in

FLAT = {"action": "text2video", "model": "wan2.6-t2v", "prompt": "Astronauts shuttle from space to volcano"}


def post(url: str, body: dict[str, str]) -> httpx.Response:
    return httpx.post(f"{url}/wan/videos", json=body, timeout=30, trust_env=False)


def test_a_stop_answers_held_requests_and_takes_less_than_ten_seconds(tmp_path: Path) -> None:
    with (
        simulated(tmp_path, "--render-seconds", "600") as upstreams,
        started(tmp_path, "serve", "--port", "0", **upstreams) as server,
        ThreadPoolExecutor() as threads,
    ):
        url = url_in(server.until("listens"))
        held = threads.submit(post, url, FLAT)
        server.until("task.placed")
        unanswered = threads.submit(post, url, FLAT | {"prompt": "the upstream is slow [sim:create=delay:600]"})
        server.until("task.accepted")
        began = time.monotonic()
        server.ask(signal.SIGTERM)
        for reply in (held.result(), unanswered.result()):
            assert reply.status_code == 200
            assert {"task_id", "video_url", "state"} & reply.json().keys() == {"task_id"}
        assert server.ended() == 0
        assert time.monotonic() - began < 10
        assert "Traceback" not in server.seen
        assert server.seen.endswith("Stopped.\n")


def test_a_stop_by_control_c_is_as_clean(tmp_path: Path) -> None:
    with started(tmp_path, "serve", "--port", "0") as server:
        server.until("listens")
        server.ask(signal.SIGINT)
        assert server.ended() == 0
        assert "Traceback" not in server.seen


def test_a_second_server_on_the_same_database_is_refused(tmp_path: Path) -> None:
    with started(tmp_path, "serve", "--port", "0") as server:
        server.until("listens")
        second = run(tmp_path, "serve", "--port", "0")
    assert second.returncode == 1
    assert second.stderr.startswith("ringback: Another Ringback server already works on")


def test_a_port_that_is_taken_is_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = run(tmp_path, "serve", "--port", str(port))
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"ringback: Cannot listen on 127.0.0.1 port {port}: another program listens there")


@pytest.mark.parametrize(
    ("arguments", "given"),
    [(("--host", "0.0.0.0"), {}), ((), {"RINGBACK_PUBLIC_URL": "https://ringback.example.com"})],
)
def test_a_server_without_keys_is_not_exposed(
    arguments: tuple[str, ...], given: dict[str, str], tmp_path: Path
) -> None:
    refused = run(tmp_path, "serve", "--port", "0", *arguments, **given)
    assert refused.returncode == 2
    assert "there is no client key" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("name", "value"), [("RINGBACK_PORT", "many"), ("RINGBACK_EGRESS_ALLOW", "10.0.0.1/8"), ("RINGBACK_CONFIG", "none")]
)
def test_a_wrong_setting_is_a_sentence(name: str, value: str, tmp_path: Path) -> None:
    refused = run(tmp_path, "serve", **{name: value})
    assert refused.returncode == 2
    assert refused.stderr.startswith("ringback: ")
    assert value in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(("database", "why"), [("none/r.db", "No such file"), ("text", "file is not a database")])
def test_a_database_that_cannot_be_used_is_a_sentence(database: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is no database\n" * 100)
    given = {
        "RINGBACK_DATABASE": str(tmp_path / database),
        "RINGBACK_SECRET_KEYS": "secret",
        "RINGBACK_WEBHOOK_SECRET": "whsec_" + "A" * 32,
    }
    refused = run(tmp_path, "serve", "--port", "0", **given)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"ringback: The database cannot be used: {why}")


def test_without_a_provider_it_says_what_to_do_and_refuses_tasks(tmp_path: Path) -> None:
    with started(tmp_path, "serve", "--port", "0") as server:
        line = server.until("listens")
        assert "open mode: no key is needed" in line
        server.until("No provider is configured")
        assert "DASHSCOPE_API_KEY" in server.until("ACEDATA_API_KEY")
        url = url_in(line)
        assert httpx.get(f"{url}/health", trust_env=False).status_code == 200
        refused = post(url, FLAT)
        assert refused.status_code == 503
        assert "no provider" in refused.json()["error"]["message"]


def test_it_names_its_providers_and_counts_its_keys_but_prints_neither_keys_nor_tokens(tmp_path: Path) -> None:
    upstream = {"DASHSCOPE_API_KEY": "sk-upstream", "APIYI_API_KEY": "sk-upstream-2,main:sk-upstream-3"}
    given = upstream | {"RINGBACK_API_KEYS": "one:client-key-1,two:client-key-2"}
    with started(tmp_path, "serve", "--port", "0", **given) as server:
        line = server.until("listens")
        assert "providers: APIYI (2 keys), Alibaba DashScope; client keys: 2." in line
        assert httpx.post(f"{url_in(line)}/callbacks/dashscope/a-token", json={}, trust_env=False).status_code == 404
        server.ask(signal.SIGTERM)
        assert server.ended() == 0
        assert not any(secret in server.seen for secret in ("sk-upstream", "client-key", "a-token"))
