"""`ringback listen`: what happens at a server is handed to a receiver here, signed, and nothing is missed meanwhile."""

from __future__ import annotations

import itertools
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cli.event_stream import Frame, frames
from service.settings import SettingsError, listen_secret
from tests.cli.house import KEY, House, house
from tests.cli.listeners import listening, secret_in
from tests.cli.receiver import Receiver, receiving

TEXT = ("submit", "--model", "wan2.6-t2v", "--provider", "apiyi", "--prompt")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("server"), "--render-seconds", "0.2") as it:
        yield it


def submitted(running: House, *words: str) -> str:
    """The id of a task that has ended."""
    shown = running.run(*TEXT, " ".join(("a cat", *words)), "--wait")
    return shown.stdout.split()[0]


def test_events_are_handed_to_a_receiver_here_signed_and_shown(running: House, tmp_path: Path) -> None:
    with receiving(Receiver()) as hook, listening(tmp_path, running.url, "--forward-to", hook.url) as lines:
        hook.secret = secret_in(lines.until("webhook secret"))
        lines.until("listening at")
        task_id = submitted(running)
        assert "204" in lines.until(task_id)
        failed = submitted(running, "[sim:fail]")
        assert "task.failed" in lines.until(failed)
        lines.ask(signal.SIGINT)
        assert lines.ended() == 0
        assert "go on with: ringback listen --last-event-id" in lines.seen
    assert hook.forged == 0
    assert [named for named, _ in hook.taken] == [f"evt_{task_id}_task_succeeded", f"evt_{failed}_task_failed"]
    with httpx.Client(base_url=running.url, headers={"authorization": f"Bearer {KEY}"}, trust_env=False) as client:
        for task, (_, body) in zip((task_id, failed), hook.taken, strict=True):
            seen = client.get(f"/v1/tasks/{task}/events?types=task.succeeded,task.failed").json()["events"]
            assert client.get(f"/v1/events/{seen[0]['id']}").content == body


def test_the_secret_stays_the_same_and_only_its_owner_reads_it(running: House, tmp_path: Path) -> None:
    secrets = []
    for _ in range(2):
        with listening(tmp_path, running.url, "--forward-to", "http://127.0.0.1:9/") as lines:
            secrets.append(secret_in(lines.until("webhook secret")))
    path = tmp_path / "ringback" / "listen.secret"
    assert secrets == [path.read_text().strip()] * 2
    assert path.stat().st_mode & 0o777 == 0o600
    own = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"
    with listening(tmp_path, running.url, "--forward-to", "http://127.0.0.1:9/", RINGBACK_WEBHOOK_SECRET=own) as lines:
        assert secret_in(lines.until("webhook secret")) == own
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="others may read it"):
        listen_secret({"XDG_CONFIG_HOME": str(tmp_path)})


def test_without_a_receiver_events_are_shown_as_lines_or_json(running: House, tmp_path: Path) -> None:
    with (
        listening(tmp_path, running.url) as lines,
        listening(tmp_path, running.url, "--json", "--events", "task.running,task.succeeded") as parsed,
    ):
        lines.until("listening at"), parsed.until("listening at")
        task_id = submitted(running)
        assert "http" in lines.until(task_id)
        shown = [json.loads(parsed.until(task_id)) for _ in range(2)]
    assert [each["type"] for each in shown] == ["task.running", "task.succeeded"]
    assert [each["event"]["type"] for each in shown] == ["task.running", "task.succeeded"]
    assert shown[0]["id"] < shown[1]["id"]


def test_a_receiver_that_knows_the_clients_own_shape_gets_that(running: House, tmp_path: Path) -> None:
    words = ("--format", "own", "--forward-to")
    with receiving(Receiver()) as hook, listening(tmp_path, running.url, *words, hook.url) as lines:
        hook.secret = secret_in(lines.until("webhook secret"))
        lines.until("listening at")
        task_id = submitted(running)
        lines.until(task_id)
        tried = running.parsed("trigger", "task.succeeded", "--shape", "native")
        lines.until("204")
    [(named, body), (test, marked)] = hook.taken
    assert (named, json.loads(body)["success"]) == (f"evt_{task_id}_task_succeeded", True)
    assert (json.loads(marked)["output"]["task_status"], json.loads(marked)["test"]) == ("SUCCEEDED", True)
    assert (test, tried["listeners"]) == (f"evt_{json.loads(marked)['output']['task_id']}_task_succeeded", 1)


def test_it_begins_earlier_if_that_is_wanted(running: House, tmp_path: Path) -> None:
    task_id = submitted(running)
    with listening(tmp_path, running.url, "--since", "1h", "--json") as lines:
        seen = json.loads(lines.until(task_id))
    with listening(tmp_path, running.url, "--last-event-id", str(seen["id"] - 1), "--json") as lines:
        assert json.loads(lines.until("{")) == seen


def test_a_receiver_that_is_down_for_a_while_is_tried_again(running: House, tmp_path: Path) -> None:
    hook = Receiver()
    with receiving(hook):
        pass  # it has a port now, on which nobody listens
    with listening(tmp_path, running.url, "--forward-to", hook.url, "--json") as lines:
        hook.secret = secret_in(lines.until("webhook secret"))
        lines.until("listening at")
        task_id = submitted(running)
        assert "nobody listens there; again in" in lines.until("again in")
        with receiving(hook):
            shown = json.loads(lines.until(task_id))
            assert (shown["status"], shown["error"]) == (204, None)
            assert shown["tries"] > 1
            hook.answers.append(500)
            failed = json.loads(lines.until(submitted(running)))
            assert (failed["status"], failed["tries"]) == (500, 1)
    assert len(hook.taken) == 2


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--forward-to", "localhost:3000"), 2, "--forward-to"),
        (("--events", "task.ended"), 2, "--events task.ended: it may be task.running"),
        (("--last-event-id", "msg_1"), 2, "--last-event-id"),
        (("--forward-to", "http://localhost:3000/", "--secret", "geheim"), 2, "The secret cannot be used"),
        (("--since", "yesterday"), 4, "since: "),
    ],
)
def test_what_cannot_be_listened_to_is_a_sentence(running: House, words: tuple[str, ...], code: int, said: str) -> None:
    shown = running.run("listen", *words)
    assert (shown.exit_code, said in shown.stderr) == (code, True), shown.stderr


def test_without_a_server_or_with_a_wrong_key_it_ends_at_once(running: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert running.run("listen", key="wrong").exit_code == 4
    nobody = House("http://127.0.0.1:9", "").run("listen")
    assert (nobody.exit_code, "No server answers at http://127.0.0.1:9." in nobody.stderr) == (3, True)


STREAM = (
    b"id: 7\nevent: stream.opened\ndata: {}\n\n:\n"
    b"id: 8\nevent: task.succeeded\ndata: " + '{"x":"a\u2028b\u0085c"}'.encode() + b"\n\n:\n:\n"
    b"event: task.failed\ndata:{}\n\nid: 9\nevent: task.failed\ndata: {"
)


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_frames_are_read_however_they_are_cut(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    chunks = (STREAM[begin:end] for begin, end in itertools.pairwise(places))
    assert list(frames(chunks)) == [
        Frame("7", "stream.opened", b"{}"),
        Frame("8", "task.succeeded", '{"x":"a\u2028b\u0085c"}'.encode()),
        Frame(None, "task.failed", b"{}"),
    ]
