"""`ringback cost`: a table for people, CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.cli import output
from service.cli.cost import _harmless
from tests.cli.house import House, house

BODY = '{"model": "%s", "input": {"prompt": "a cat"}, "parameters": {"resolution": "720P", "duration": 5}}'


@pytest.fixture(scope="module")
def spent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Two videos of Wan 2.7 at DashScope, one at APIYI, one without a price at AceData; all of them done."""
    folder: Path = tmp_path_factory.mktemp("cost")
    with house(folder, "--render-seconds", "0.2") as it:
        for provider, model in (("dashscope", "wan2.7-t2v"),) * 2 + (
            ("apiyi", "wan2.7-t2v"),
            ("acedata", "wan2.6-t2v"),
        ):
            body = (
                BODY % model if provider != "acedata" else '{"model": "wan2.6-t2v", "prompt": "a cat", "async": true}'
            )
            shape = {"dashscope": "native", "apiyi": "gateway", "acedata": "flat"}[provider]
            words = ("submit", "--shape", shape, "--body", "-", "--provider", provider, "--wait")
            done = it.run(*words, stdin=body)
            assert done.exit_code == 0, done.output
        yield it


def test_it_is_a_table_with_a_total_for_each_currency(spent: House) -> None:
    lines = [line.split() for line in spent.run("cost", "--by", "provider").output.splitlines()]
    assert lines[1:7] == [
        ["acedata", "-", "1", "-", "-", "-", "1"],
        ["apiyi", "USD", "1", "0.42", "0", "0", "0"],
        ["dashscope", "CNY", "2", "6", "0", "0", "0"],
        ["total", "-", "1", "-", "-", "-", "1"],
        ["total", "CNY", "2", "6", "0", "0", "0"],
        ["total", "USD", "1", "0.42", "0", "0", "0"],
    ]


def test_what_has_no_price_comes_with_a_hint_how_to_give_it_one(spent: House) -> None:
    assert "RINGBACK_CATALOGUE" in spent.run("cost").output
    assert "RINGBACK_CATALOGUE" not in spent.run("cost", "--csv").output


def test_on_a_narrow_screen_no_word_is_broken(spent: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "PIPED_WIDTH", 80)
    two = spent.run("cost", "--by", "key", "--by", "model").output
    assert ["env:tests", "wan2.6-t2v", "-", "1", "-", "-", "-", "1"] in [line.split() for line in two.splitlines()]
    four = spent.run("cost", "--by", "key", "--by", "model", "--by", "day", "--by", "provider").output
    assert "model wan2.6-t2v  day 20" in four
    assert "provider dashscope  currency CNY  tasks 2" in four


def test_csv_has_decimals_and_a_column_for_each_group(spent: House) -> None:
    shown = spent.run("cost", "--by", "key", "--by", "model", "--by", "day", "--csv")
    rows = list(csv.DictReader(io.StringIO(shown.output)))
    today = datetime.now(UTC).date().isoformat()
    assert [(row["key"], row["name"], row["model"], row["currency"], row["settled"]) for row in rows] == [
        ("env:tests", "tests", "wan2.6-t2v", "", "0"),
        ("env:tests", "tests", "wan2.7-t2v", "CNY", "6"),
        ("env:tests", "tests", "wan2.7-t2v", "USD", "0.42"),
    ]
    assert {row["day"] for row in rows} <= {today, datetime.now(UTC).date().isoformat()}
    assert list(rows[0])[-4:] == ["settled", "running", "in_doubt", "unpriced"]


def test_json_is_what_the_server_says(spent: House) -> None:
    told = spent.parsed("cost", "--by", "provider", "--since", "1h")
    assert [row["provider"] for row in told["rows"]] == ["acedata", "apiyi", "dashscope"]
    assert {row["currency"]: row["settled_micros"] for row in told["totals"]} == {
        None: 0,
        "CNY": 6_000_000,
        "USD": 420_000,
    }
    assert spent.parsed("cost", "--until", "2026-01-01")["totals"] == []


def test_a_task_shows_what_it_did_cost(spent: House) -> None:
    task = next(one for one in spent.parsed("list")["tasks"] if one["provider"] == "apiyi")
    assert ", cost 0.42 USD" in spent.run("get", task["task_id"]).output
    unpriced = next(one for one in spent.parsed("list")["tasks"] if one["provider"] == "acedata")
    assert "at a price that is not known" in spent.run("get", unpriced["task_id"]).output


def test_without_anything_sent_it_says_so(spent: House) -> None:
    assert spent.run("cost", "--until", "2026-01-01").output == "Nothing was sent.\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [(("--csv", "--json"), 2), (("--by", "week"), 2), (("--since", "yesterday"), 4), (("--client", "env:other"), 4)],
)
def test_what_cannot_be_asked_is_refused(spent: House, words: tuple[str, ...], code: int) -> None:
    assert spent.run("cost", *words).exit_code == code


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "\t=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert _harmless(text) == f"'{text}"
    assert _harmless("wan2.7-t2v") == "wan2.7-t2v"
