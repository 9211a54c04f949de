"""`ringback explain`, against a server that runs as a program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.house import House, house

ASKED = ("--model", "wan2.7-t2v", "--prompt", "A lighthouse at sunset", "--duration", "4")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("server")) as it:
        yield it


def test_people_read_what_would_be_sent_and_how_it_differs(running: House) -> None:
    shown = running.run("explain", *ASKED)
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert lines[0] == "AceData cannot take it"
    assert "  model: it does not offer wan2.7-t2v" in lines
    assert "LaoZhang would be chosen" in lines
    assert "Alibaba DashScope can take it" in lines
    order = "LaoZhang, then APIYI, then Alibaba DashScope"
    assert lines[-1] == f"While nothing is accepted they would be asked in this order: {order}"
    assert '      "prompt": "A lighthouse at sunset"' in lines
    assert "  renamed: prompt -> input.prompt" in lines
    assert '  defaulted: parameters.ratio = "16:9"' in lines
    assert "  left out: action (the model says it)" in lines
    assert any(line.startswith("  price: 0.56 USD (4 s, 0.14 USD a second of 1080P, by APIYI") for line in lines)
    assert "  price: unknown" in lines


def test_programs_read_json_and_nothing_was_sent(running: House) -> None:
    told = running.parsed("explain", *ASKED, "--provider", "apiyi")
    assert told["chosen"] == "apiyi"
    [one] = told["candidates"]
    assert one["request"]["body"]["input"] == {"prompt": "A lighthouse at sunset"}
    assert running.parsed("list")["tasks"] == []


@pytest.mark.parametrize("shape", ["native", "gateway"])
def test_any_body_can_be_explained_before_it_is_submitted(shape: str, running: House, tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_text(json.dumps({"model": "wan2.6-t2v", "input": {"prompt": "p"}}))
    told = running.parsed("explain", "--shape", shape, "--body", str(file))
    assert told["chosen"] == {"native": "dashscope", "gateway": "laozhang"}[shape]


def test_what_nobody_can_take_is_exit_code_1_after_the_reasons(running: House) -> None:
    shown = running.run("explain", "--model", "wan2.7-t2v", "--prompt", "p", "--duration", "99")
    assert shown.exit_code == 1
    assert "  duration: 99 given, allowed: 2 to 15" in shown.stdout.splitlines()
    assert shown.stderr == "ringback: No provider can take this.\n"
    assert json.loads(running.run("explain", *ASKED, "--duration", "99", "--json").stdout)["chosen"] is None


def test_a_length_that_is_not_known_has_a_rate(running: House) -> None:
    words = ("explain", "--model", "wan3.0-video", "--prompt", "p", "--provider", "apiyi")
    shown = running.run(*words, "--duration", "-1", "--resolution", "720P").stdout
    assert "  price: 0.0588 USD a second of 720P; how many seconds is not known before" in shown


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--model", "wan9"), 4),
        (("--model", "wan2.6-t2v", "--prompt", "p", "--provider", "nobody"), 4),
        ((), 2),
        (("--body", "-"), 2),
    ],
)
def test_what_cannot_be_explained_is_a_sentence(words: tuple[str, ...], code: int, running: House) -> None:
    shown = running.run("explain", *words, stdin="no json")
    assert shown.exit_code == code
    assert shown.stderr.startswith("ringback: ")
