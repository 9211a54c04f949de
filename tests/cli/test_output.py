"""Tables on a narrow screen."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from service.cli import output

ID = "msg_227868c47e1d4b4eab169754faa89b73"
TASK = "2a59ce5a-a356-4cc9-877f-e4edc6230fb5"
URL = "http://127.0.0.1:9100/hooks/of/the/studio"
COLUMNS = ("id", "state", "task", "to", "next attempt")


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], io.StringIO]:
    def of(width: int) -> io.StringIO:
        written = io.StringIO()
        monkeypatch.setattr(output, "console", lambda: Console(file=written, width=width, highlight=False))
        return written

    return of


def deliveries(page: io.StringIO) -> list[str]:
    output.print_table(COLUMNS, [(ID, "PENDING", TASK, URL, None)], "There is nothing.")
    return page.getvalue().splitlines()


def test_a_table_that_fits_has_a_line_for_each_row(page: Callable[[int], io.StringIO]) -> None:
    heading, row = deliveries(page(160))
    assert heading.split() == ["id", "state", "task", "to", "next", "attempt"]
    assert row.split() == [ID, "PENDING", TASK, URL]


def test_where_ids_do_not_fit_beside_each_other_every_value_stands_whole_with_its_name(
    page: Callable[[int], io.StringIO],
) -> None:
    lines = deliveries(page(80))
    assert lines[0] == ID
    assert max(map(len, lines)) <= 80
    assert " ".join(lines[1:]).split() == ["state", "PENDING", "task", TASK, "to", URL]


def test_a_table_that_breaks_no_word_stays_one(page: Callable[[int], io.StringIO]) -> None:
    written = page(26)
    output.print_table(("key", "settled", "in doubt"), [("env:studio", 12, 0)], "There is nothing.")
    assert "settled 12" not in written.getvalue()
    assert max(map(len, written.getvalue().splitlines())) <= 26


def test_where_words_would_be_broken_rows_are_paragraphs(page: Callable[[int], io.StringIO]) -> None:
    written = page(22)
    output.print_table(("key", "settled", "in doubt"), [("env:studio", 12, 0)], "There is nothing.")
    assert [line.rstrip() for line in written.getvalue().splitlines()] == ["env:studio", "  settled 12", "  in doubt 0"]


def test_only_the_widest_column_is_folded(page: Callable[[int], io.StringIO]) -> None:
    written = page(40)
    row = ("wan2.7-videoedit", "a sentence that is too long for its line")
    output.print_table(("model", "media"), [row], "There is nothing.")
    lines = written.getvalue().splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == ["wan2.7-videoedit", ""]
    assert " ".join(line[18:].strip() for line in lines[1:]) == row[1]


def test_values_are_words_and_what_is_empty_is_left_out(page: Callable[[int], io.StringIO]) -> None:
    written = page(80)
    output.print_fields({"old_secret": True, "b": False, "c": ["x", "y"], "d": [], "e": None, "f": "", "g": {"h": [1]}})
    assert [(line[:10].strip(), line[10:].strip()) for line in written.getvalue().splitlines()] == [
        ("old secret", "yes"),
        ("b", "no"),
        ("c", "x, y"),
        ("g", '{"h": [1]}'),
    ]
