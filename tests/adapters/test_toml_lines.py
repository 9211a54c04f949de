"""Everything in a TOML document is found on its line, however it is written."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.toml_lines import Path, broken_line, known_part, lines_of

EVERYTHING = '''\
# a comment with [brackets] = "and" {more}
top = 1
"quoted.key" = 'literal # no comment'
'single' . dotted."\\u0061" = 2

[table]  # a comment
text = """
[not.a.table]
\\"""quotes""""
literal = \'\'\'
x = 1\'\'\'
list = [
  1,  # one
  [2, "]"], { inner = "}" },
]
last = 1979-05-27 07:32:00
inline = { a = 1, b.c = [true, { d = "," }] }
empty = [ ]
none = {}

[[many]]
name = "first"
[many.sub]
x = 1

[[many]]
name = "second"
[[many.sub.deep]]
x = 2
[models."a.b"]
'''

EXPECTED: dict[Path, int] = {
    ("top",): 2,
    ("quoted.key",): 3,
    ("single",): 4,
    ("single", "dotted", "a"): 4,
    ("table",): 6,
    ("table", "text"): 7,
    ("table", "literal"): 10,
    ("table", "list", 0): 13,
    ("table", "list", 1): 14,
    ("table", "list", 1, 1): 14,
    ("table", "list", 2, "inner"): 14,
    ("table", "last"): 16,
    ("table", "inline", "b", "c", 1, "d"): 17,
    ("table", "empty"): 18,
    ("many",): 21,
    ("many", 0, "name"): 22,
    ("many", 0, "sub", "x"): 24,
    ("many", 1): 26,
    ("many", 1, "name"): 27,
    ("many", 1, "sub", "deep", 0, "x"): 29,
    ("models", "a.b"): 30,
}


def paths(value: Any, place: Path = ()) -> Iterator[Path]:
    """Every path in a document as `tomllib` reads it."""
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*place, key)
            yield from paths(each, (*place, key))


def test_every_way_of_writing_is_found_on_its_line() -> None:
    found = lines_of(EVERYTHING)
    assert {path: found[path] for path in EXPECTED} == EXPECTED
    assert set(found) == set(paths(tomllib.loads(EVERYTHING)))


def test_lines_are_counted_alike_with_other_line_ends() -> None:
    assert lines_of(EVERYTHING.replace("\n", "\r\n")) == lines_of(EVERYTHING)


def test_the_whole_builtin_catalogue_is_found_and_each_key_stands_on_its_line() -> None:
    text = files("adapters").joinpath("models.toml").read_text("utf-8")
    found, lines = lines_of(text), text.splitlines()
    assert set(found) == set(paths(tomllib.loads(text)))
    assert all(key in lines[line - 1] for path, line in found.items() if isinstance(key := path[-1], str))


KEYS = st.text(max_size=8).map(lambda key: '"' + "".join(f"\\U{ord(letter):08X}" for letter in key) + '"')
TEXTS = st.sampled_from(
    ['"#"', "'['", '"""]\n"""', "'''}\n'''", '"\\""', '""', "''", '""""""', "0x1F", "-1.5e3", "nan"]
)
VALUES = st.recursive(
    TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[ # x\n" + ",\n".join(items) + "]")
        | st.dictionaries(KEYS, inner, max_size=3).map(lambda items: _joined(items, ", ", "{ {} }"))
    ),
    max_leaves=6,
)


def _joined(items: dict[str, str], comma: str, around: str) -> str:
    return around.replace("{}", comma.join(f"{key} = {value}" for key, value in items.items()))


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=3), max_size=3))
def test_whatever_can_be_read_is_found(tables: dict[str, dict[str, str]]) -> None:
    text = "\n".join(f"[{name}]\n{_joined(items, chr(10), '{}')}" for name, items in tables.items())
    assert set(lines_of(text)) == set(paths(tomllib.loads(text)))


def test_what_is_not_there_is_looked_for_around_its_place() -> None:
    lines = {("a",): 1, ("a", "b"): 2}
    assert known_part(("a", "b", "c", 0), lines) == ("a", "b")
    assert known_part(("a", "x"), lines) == ("a",)
    assert known_part(("x",), lines) == ()


@pytest.mark.parametrize(
    ("text", "line"), [("a = 1\nb = \n", 2), ("a = 1\n\n[table\n", 3), ("a = 1\na = 2", 2), ("x = [1,\n2,\n", 2)]
)
def test_a_document_that_is_not_toml_is_broken_on_a_line(text: str, line: int) -> None:
    with pytest.raises(tomllib.TOMLDecodeError) as broken:
        tomllib.loads(text)
    assert broken_line(broken.value, text) == line
