"""The commands of a client, against a server and simulated providers that run as programs."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from service.cli import main
from service.settings import scrub
from tests.cli.program import run, simulated, started, url_in

KEY = "client-key"
TEXT = ("submit", "--model", "wan2.6-t2v", "--prompt")
NATIVE = {"model": "wan2.7-t2v", "input": {"prompt": "A lighthouse at sunset"}, "parameters": {"duration": 5}}


@dataclass
class Hook:
    """A receiver that takes everything and counts."""

    url: str = ""
    taken: list[bytes] = field(default_factory=list)


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    here = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            here.taken.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        here.url = f"http://127.0.0.1:{server.server_port}/hook"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield here
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, hook: Hook) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    with simulated(folder, "--render-seconds", "0.3") as upstreams:
        own = {"RINGBACK_API_KEYS": f"tests:{KEY}", "RINGBACK_EGRESS_ALLOW": "127.0.0.0/8"}
        quick = {name: "0.1" for name in upstreams if name.endswith("POLL_SECONDS")}
        with started(folder, "serve", "--port", "0", **upstreams | quick | own) as program:
            yield url_in(program.until("listens"))


@pytest.fixture(autouse=True)
def _points_to_the_server(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in scrub(dict(os.environ)):
        monkeypatch.delenv(name)
    monkeypatch.setenv("RINGBACK_URL", server)
    monkeypatch.setenv("RINGBACK_KEY", KEY)


def ringback(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, list(words), input=stdin)


def parsed(*words: str, stdin: str | None = None) -> Any:
    shown = ringback(*words, "--json", stdin=stdin)
    assert shown.exit_code == 0, shown.output
    return json.loads(shown.stdout)


def test_simulator_server_and_client_work_together_as_programs(server: str, tmp_path: Path) -> None:
    done = run(tmp_path, *TEXT, "a cat", "--wait", RINGBACK_URL=server, RINGBACK_KEY=KEY)
    assert done.returncode == 0, done.stderr
    task_id, video_url = done.stdout.split()
    assert "/results/" in video_url
    assert "at acedata" in done.stderr
    assert run(tmp_path, "wait", task_id, RINGBACK_URL=server, RINGBACK_KEY=KEY).stdout.split() == [video_url]


def test_a_failed_task_is_exit_code_1_with_its_reason() -> None:
    shown = ringback(*TEXT, "a cat [sim:fail]", "--provider", "apiyi", "--wait")
    assert shown.exit_code == 1
    assert "ringback: The task ended as FAILED (" in shown.stderr


def test_giving_up_waiting_is_exit_code_5_and_harms_nothing() -> None:
    shown = ringback(*TEXT, "a cat [sim:seconds=600]", "--wait", "--timeout", "0")
    assert shown.exit_code == 5
    task_id = shown.stdout.strip()
    assert f"Go on with: ringback wait {task_id}" in shown.stderr
    assert parsed("get", task_id)["state"] in ("QUEUED", "RUNNING")


def test_waiting_is_the_servers_and_ends_by_our_own_clock() -> None:
    task_id = ringback(*TEXT, "a cat [sim:seconds=600]").stdout.strip()
    began = time.monotonic()
    assert ringback("wait", task_id, "--timeout", "1.5").exit_code == 5
    assert 1.5 <= time.monotonic() - began < 3


def test_a_stalled_task_says_that_it_is_looked_at_in_vain() -> None:
    words = (*TEXT, "a cat [sim:seconds=600 poll=503:1000]", "--provider", "apiyi", "--wait", "--timeout", "4")
    task_id = ringback(*words).stdout.strip()
    assert parsed("get", task_id)["placements"][0]["stalled"] is True
    assert " in a row in vain (next: 2" in ringback("get", task_id).stdout


@pytest.mark.parametrize("shape", ["native", "gateway"])
def test_any_body_is_sent_as_it_is(shape: str, tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_text(json.dumps(NATIVE))
    words = ("submit", "--shape", shape, "--body", str(file), "--metadata", '{"order": "größer"}', "--wait")
    record = parsed(*words)
    assert (record["shape"], record["state"]) == (shape, "SUCCEEDED")
    assert record["metadata"] == {"order": "größer"}


def test_a_flat_body_from_standard_input_may_be_held_until_its_end() -> None:
    body = {"action": "text2video", "model": "wan2.6-t2v", "prompt": "a cat"}
    reply = parsed("submit", "--body", "-", stdin=json.dumps(body))
    assert reply["video_url"].startswith("http")


def test_a_task_is_followed_from_its_list_to_its_callback_and_told_again(hook: Hook) -> None:
    task_id = ringback(*TEXT, "a cat", "--callback", hook.url, "--wait").stdout.split()[0]
    assert task_id in ringback("list", "--state", "succeeded").stdout
    assert parsed("list", "--limit", "1")["tasks"][0]["task_id"] == task_id
    delivery = parsed("deliveries", "--task", task_id)["deliveries"][0]
    shown = ringback("get", task_id).stdout
    assert all(text in shown for text in (task_id, "SUCCEEDED", "wan2.6-t2v", delivery["id"]))
    assert delivery["id"] in ringback("deliveries").stdout
    assert "is sent again to" in ringback("replay", delivery["id"]).stdout
    assert parsed("replay", delivery["id"])["id"] == delivery["id"]


@contextmanager
def flaky(answers: list[Any], keys: list[str | None], name: str = "idempotency-key") -> Iterator[str]:
    """A server that gives these answers in turn; for None the connection breaks off. Collects a header."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.append(self.headers[name])
            self.rfile.read(int(self.headers["content-length"] or 0))
            if (answer := answers.pop(0)) is not None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_server_that_is_started_again_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = {"state": "SUCCEEDED", "provider": "apiyi", "video_url": "https://example.com/v.mp4", "error": None}
    with flaky([ended | {"state": "RUNNING"}, None, ended], []) as url:
        monkeypatch.setenv("RINGBACK_URL", url)
        shown = ringback("wait", "a-task")
    assert (shown.exit_code, shown.stdout) == (0, "https://example.com/v.mp4\n")
    assert shown.stderr.splitlines() == ["RUNNING at apiyi", "the server does not answer"]


def test_the_server_is_asked_to_hold_its_answer_and_is_not_hurried_if_it_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("service.cli.wait.time.sleep", pauses.append)
    running = {"state": "RUNNING", "provider": "apiyi", "video_url": None, "error": None}
    ended = running | {"state": "SUCCEEDED", "video_url": "https://example.com/v.mp4"}
    asked: list[str | None] = []
    with flaky([running] * 9 + [ended], asked, "prefer") as url:
        monkeypatch.setenv("RINGBACK_URL", url)
        assert ringback("wait", "a-task").exit_code == 0
    assert asked == [None, *(f"wait={seconds}" for seconds in (1, 1, 2, 3, 5, 7, 11, 17, 20))]
    assert pauses[:3] == [0, 0.2, pytest.approx(0.3)]
    assert pauses[-1] == 2


def test_a_lost_reply_is_asked_for_again_as_the_same_create(monkeypatch: pytest.MonkeyPatch) -> None:
    keys: list[str | None] = []
    with flaky([None, {"task_id": "a-task"}], keys) as url:
        monkeypatch.setenv("RINGBACK_URL", url)
        assert ringback(*TEXT, "a cat").stdout == "a-task\n"
    assert len(keys) == 2
    assert keys[0] == keys[1] is not None


def test_the_same_idempotency_key_means_the_same_task() -> None:
    words = (*TEXT, "a cat", "--idempotency-key", "order 7")
    assert ringback(*words).stdout == ringback(*words).stdout
    assert ringback(*TEXT, "a cat").stdout != ringback(*TEXT, "a cat").stdout


def test_models_say_who_offers_them() -> None:
    line = next(line for line in ringback("models").stdout.splitlines() if line.startswith("wan2.7-i2v"))
    assert "laozhang, apiyi, dashscope" in line
    assert "first_frame" in line
    assert {model["model"] for model in parsed("models")["models"]} > {"wan2.6-t2v", "happyhorse-1.0-t2v"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("get", "nobody's"), "There is no such task."),
        (("wait", "../models"), "There is nothing at this path."),
        (("replay", "nobody's"), "There is no such delivery."),
        ((*TEXT, "a cat", "--provider", "nobody"), "X-Ringback-Provider"),
        (("submit", "--model", "wan9", "--prompt", "a cat"), "'wan9' is not a model"),
        ((*TEXT, "a cat", "--callback", "ftp://example.com"), "callback_url"),
    ],
)
def test_a_refusal_is_exit_code_4_with_the_servers_sentence(words: tuple[str, ...], said: str) -> None:
    shown = ringback(*words)
    assert shown.exit_code == 4
    assert said in shown.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("submit",),
        ("submit", "--shape", "native", "--model", "wan2.7-t2v"),
        ("submit", "--body", "-", "--prompt", "a cat"),
        (*TEXT, "a cat", "--metadata", "[]"),
        ("list", "--state", "lost"),
        ("list", "--limit", "0"),
    ],
)
def test_what_is_asked_in_a_wrong_way_is_exit_code_2(words: tuple[str, ...]) -> None:
    assert ringback(*words, stdin="{}").exit_code == 2


def test_a_wrong_key_is_exit_code_4_and_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_KEY", "hunter2hunter2")
    shown = ringback("list")
    assert (shown.exit_code, shown.stderr) == (4, "ringback: The server does not know the key in RINGBACK_KEY.\n")
    monkeypatch.delenv("RINGBACK_KEY")
    assert "Set RINGBACK_KEY." in ringback("list").stderr


def test_no_server_is_exit_code_3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:10")
    shown = ringback("list")
    assert shown.exit_code == 3
    assert "No server answers at http://127.0.0.1:9." in shown.stderr
    assert ringback(*TEXT, "a cat").exit_code == 3


def test_what_is_no_ringback_server_is_exit_code_3(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_URL", hook.url)
    shown = ringback("replay", "x")
    assert shown.exit_code == 3
    assert "not a Ringback server" in shown.stderr


def test_an_address_that_is_none_is_exit_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_URL", "localhost:8000")
    assert ringback("list").exit_code == 2
