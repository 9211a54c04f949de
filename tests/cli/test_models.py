"""`ringback models --check`, and a server that is started with a catalogue that is wrong."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from service.cli import main
from service.settings import scrub
from tests.cli.program import run, simulated, started, url_in

GOOD = '[providers.mygate]\nlike = "apiyi"\nbase_url = "https://mygate.example"\n[aliases]\nmine = "wan2.7-t2v"\n'
BAD = GOOD.replace("base_url", "base_ulr") + 'other = "mine"\n'


@pytest.fixture(autouse=True)
def _without_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in scrub(dict(os.environ)):
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def checked(text: str | None, *words: str) -> Result:
    if text is not None:
        Path("mine.toml").write_text(text)
    return CliRunner().invoke(main, ["models", "--check", "mine.toml", *words])


def test_a_good_catalogue_is_told_with_what_it_adds() -> None:
    shown = checked(GOOD)
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout == "mine.toml is good. It has providers: mygate; aliases: mine.\n"


def test_the_lines_of_a_bad_one_are_told_and_the_code_is_1() -> None:
    shown = checked(BAD)
    assert shown.exit_code == 1
    assert shown.stdout == "mine.toml:3: providers.mygate.base_ulr: is not known; did you mean base_url?\n"
    assert shown.stderr == "ringback: mine.toml cannot be used: 1 mistake.\n"


def test_for_programs_it_is_json() -> None:
    good, bad = checked(GOOD, "--json"), checked(BAD, "--json")
    assert json.loads(good.stdout) == {
        "file": "mine.toml",
        "ok": True,
        "problems": [],
        "models": [],
        "providers": ["mygate"],
        "aliases": ["mine"],
    }
    problem = {"line": 3, "key": "providers.mygate.base_ulr", "reason": "is not known; did you mean base_url?"}
    assert json.loads(bad.stdout) == {"file": "mine.toml", "ok": False, "problems": [problem]}
    assert (good.exit_code, bad.exit_code) == (0, 1)


def test_a_file_that_is_not_there_cannot_be_used() -> None:
    shown = checked(None)
    assert shown.exit_code == 1
    assert shown.stdout.startswith("mine.toml: cannot be read: ")


def test_without_a_name_the_servers_own_catalogue_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("served.toml").write_text(BAD)
    monkeypatch.setenv("RINGBACK_CATALOGUE", "served.toml")
    shown = CliRunner().invoke(main, ["models", "--check"])
    assert shown.exit_code == 1
    assert shown.stdout.startswith("served.toml:3: ")


@pytest.mark.parametrize("words", [("models", "--check"), ("models", "mine.toml")])
def test_what_is_to_be_checked_must_be_said(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(main, list(words))
    assert shown.exit_code == 2
    assert "check" in shown.stderr


def test_a_server_does_not_start_with_a_wrong_catalogue(tmp_path: Path) -> None:
    Path("mine.toml").write_text(BAD)
    refused = run(tmp_path, "serve", "--port", "0", RINGBACK_CATALOGUE="mine.toml")
    assert refused.returncode == 2
    assert refused.stderr == "ringback: mine.toml:3: providers.mygate.base_ulr: is not known; did you mean base_url?\n"


def test_a_task_is_submitted_under_an_alias_of_the_servers_own(tmp_path: Path) -> None:
    text = GOOD + 'my-horse = "happyhorse-1.0-i2v"\n'
    with simulated(tmp_path, "--render-seconds", "0.3") as upstreams:
        Path("mine.toml").write_text(text)
        own = {"RINGBACK_CATALOGUE": "mine.toml", "MYGATE_API_KEY": "sk-mine", "RINGBACK_MYGATE_POLL_SECONDS": "0.2"}
        own["RINGBACK_MYGATE_BASE_URL"] = upstreams["RINGBACK_APIYI_BASE_URL"]
        with started(tmp_path, "serve", "--port", "0", **own) as server:
            at = {"RINGBACK_URL": url_in(server.until("providers: mygate"))}
            words = ("--model", "my-horse", "--prompt", "a horse", "--image", "https://media.example/horse.png")
            done = run(tmp_path, "submit", *words, "--wait", "--timeout", "30", **at)
            assert (done.returncode, "/results/" in done.stdout) == (0, True), done.stderr
            assert "also my-horse" in run(tmp_path, "models", **at).stdout
