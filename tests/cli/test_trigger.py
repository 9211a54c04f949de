"""`ringback trigger`: a receiver is tried by the server, from here, or through whoever listens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.domain.tell import EVENT_TYPES
from tests.cli.house import House, house
from tests.cli.listeners import listening, secret_in
from tests.cli.receiver import Receiver, receiving

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("server")
    with house(folder, "--render-seconds", "0.2", RINGBACK_WEBHOOK_SECRET=SECRET) as it:
        yield it


def test_the_server_posts_it_to_a_url(running: House) -> None:
    with receiving(Receiver(secret=SECRET)) as hook:
        shown = running.run("trigger", "task.succeeded", "--url", hook.url)
        assert shown.exit_code == 0, shown.output
        assert "answered 204" in shown.stdout
        done = running.parsed("trigger", "task.failed", "--url", hook.url, "--format", "own", "--shape", "native")
        hook.answers.append(500)
        refused = running.run("trigger", "task.canceled", "--url", hook.url)
    assert (hook.taken[1][0], json.loads(hook.taken[1][1])) == (done["webhook_id"], done["body"])
    assert (refused.exit_code, "answered 500" in refused.stderr) == (1, True)
    assert running.parsed("list")["tasks"] == []


@pytest.mark.parametrize("type_", EVENT_TYPES)
def test_from_here_no_server_is_needed(type_: str) -> None:
    nowhere = House("http://127.0.0.1:9", "")
    with receiving(Receiver(secret=SECRET)) as hook:
        done = nowhere.parsed("trigger", type_, "--forward-to", hook.url, "--secret", SECRET)
    [(named, body)] = hook.taken
    assert (done["webhook_id"], done["body"]) == (named, json.loads(body))
    assert (done["body"]["type"], done["body"]["data"]["test"]) == (type_, True)


def test_whoever_listens_has_it_forwarded(running: House, tmp_path: Path) -> None:
    alone = running.run("trigger", "task.succeeded")
    assert (alone.exit_code, "Nobody listens with your key" in alone.stderr) == (1, True)
    with receiving(Receiver()) as hook, listening(tmp_path, running.url, "--forward-to", hook.url) as lines:
        hook.secret = secret_in(lines.until("webhook secret"))
        lines.until("listening at")
        done = running.parsed("trigger", "task.succeeded")
        assert "204" in lines.until(done["body"]["data"]["task_id"])
        assert (done["listeners"], json.loads(hook.taken[0][1])) == (1, done["body"])


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("task.ended",), 2, "task.ended"),
        (("task.failed", "--url", "https://a.example.com/", "--endpoint", "ep_1"), 2, "Give one of"),
        (("task.failed", "--forward-to", "localhost"), 2, "--forward-to localhost"),
        (("task.failed", "--url", "http://10.0.0.1/"), 4, "url: "),
        (("task.failed", "--endpoint", "ep_1"), 4, "endpoint: there is no such endpoint."),
    ],
)
def test_what_cannot_be_sent_is_a_sentence(running: House, words: tuple[str, ...], code: int, said: str) -> None:
    shown = running.run("trigger", *words)
    assert (shown.exit_code, said in shown.stderr) == (code, True), shown.stderr
