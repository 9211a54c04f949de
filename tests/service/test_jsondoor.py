"""The one door for JSON: what passes can be stored and sent on, what does not is named, and nothing else is raised."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.jsondoor import Malformed, read_json, read_object, salvage_json

CLEAN_TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"))
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | CLEAN_TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(CLEAN_TEXT, inner, max_size=5),
    max_leaves=20,
)


@given(VALUES, st.booleans(), st.sampled_from([None, 2]))
def test_every_clean_value_passes_unchanged_however_it_is_written(value, ascii_only, indent) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert read_json(data) == value
    assert salvage_json(data) == value


@given(VALUES)
def test_what_passes_can_be_encoded_and_stored(value) -> None:
    read = read_json(json.dumps(value).encode())
    text = json.dumps(read, ensure_ascii=False, allow_nan=False)
    assert text.encode()
    assert "\0" not in text


def test_an_emoji_written_as_two_escapes_is_one_character() -> None:
    assert read_json(rb'{"prompt":"\ud83d\ude00"}') == {"prompt": "\U0001f600"}
    assert read_json(rb'["\\ud800", "\\u0000"]') == ["\\ud800", "\\u0000"]


REFUSED = {
    b"": ("", "empty"),
    b"  \n": ("", "empty"),
    b"\xef\xbb\xbf{}": ("", "byte order mark"),
    b"\xff\xfe{\0}\0": ("byte 0", "UTF-8"),
    b'{"a":"\xe9"}': ("byte 6", "UTF-8"),
    b'{"a":"\xed\xa0\x80"}': ("byte 6", "UTF-8"),
    b'{"a":"\xc0\x80"}': ("byte 6", "UTF-8"),
    b"{": ("line 1 column 2", "not JSON"),
    b'{"a":1,\n "b":}': ("line 2 column 6", "not JSON"),
    b'{"a":1}x': ("line 1 column 8", "not JSON"),
    b"{'a':1}": ("line 1 column 2", "not JSON"),
    b'["\x01"]': ("line 1 column 3", "not JSON"),
    b'["\x00"]': ("line 1 column 3", "not JSON"),
    b"[1,]": ("line 1 column 4", "not JSON"),
    b"[01]": ("line 1 column 3", "not JSON"),
    b'"abc': ("line 1 column 1", "not JSON"),
    b'"\\': ("line 1 column 1", "not JSON"),
    b"NaN": ("", "NaN"),
    b'{"input":{"x":[1,{"y":NaN}]}}': ("input.x[1].y", "NaN"),
    b'{"a":[0,-Infinity]}': ("a[1]", "-Infinity"),
    b'{"a":Infinity}': ("a", "Infinity"),
    b'{"a":1e400}': ("a", "double"),
    b'{"a":-1e400}': ("a", "double"),
    b'{"a":9223372036854775808}': ("a", "64 bits"),
    b'{"a":-9223372036854775809}': ("a", "64 bits"),
    b'{"a":{"b":1,"c":2,"b":3}}': ("a", "b appears twice"),
    b'{"b":1,"b":1}': ("", "twice"),
    b'{"a":[{"x":1,"\\u0078":2}]}': ("a[0]", "x appears twice"),
    rb'{"a":{"media":[{"url":"\ud800"}]}}': ("a.media[0].url", "surrogate"),
    rb'["\udc00\ud800"]': ("[0]", "surrogate"),
    rb'{"\ud83d":1}': ("", "A key contains half"),
    rb'{"a":{"x\u0000":1}}': ("a", "A key contains a NUL"),
    rb'{"a b":{"\u00e9":"\u0000"}}': ('"a b"."\\u00e9"', "NUL"),
    rb'{"a":["fine","\u0000"],"b":"\ud800"}': ("a[1]", "NUL"),
}


@pytest.mark.parametrize("data", REFUSED, ids=repr)
def test_a_refusal_names_the_place_and_the_reason(data: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        read_json(data)
    place, reason = REFUSED[data]
    assert caught.value.place == place
    assert reason in caught.value.reason
    assert caught.value.reason.endswith(".")


def test_the_widest_integers_and_the_deepest_nesting_pass() -> None:
    assert read_json(b"[9223372036854775807,-9223372036854775808]") == [2**63 - 1, -(2**63)]
    assert read_json(b"[" * 64 + b"]" * 64)
    for deep in (b"[" * 65 + b"]" * 65, b'{"a":' * 65 + b"1" + b"}" * 65, b"[" * 100_000):
        with pytest.raises(Malformed, match="64 deep"):
            read_json(deep)


def test_brackets_within_strings_are_no_nesting() -> None:
    assert read_json(json.dumps(["[" * 1000, '\\"[{', "]"]).encode()) == ["[" * 1000, '\\"[{', "]"]


def test_a_long_key_does_not_make_a_long_message() -> None:
    with pytest.raises(Malformed) as caught:
        read_json(b'{"' + b"k" * 100_000 + b'":NaN}')
    assert len(str(caught.value)) < 200


def test_a_fault_deep_among_many_values_is_named_without_naming_all_of_them() -> None:
    with pytest.raises(Malformed) as caught:
        read_json(HOSTILE["deep and wide"])
    assert caught.value.place == ".".join(["k" * 64] * 60) + "[90000]"


def test_an_object_is_asked_for() -> None:
    assert read_object(b'{"a":1}') == {"a": 1}
    for data, word in ((b"[]", "array"), (b"1", "number"), (b"1.5", "number"), (b'"x"', "string"), (b"null", "null")):
        with pytest.raises(Malformed, match=word):
            read_object(data)
    with pytest.raises(Malformed, match="true or false"):
        read_object(b"true")


TOKENS = (
    b'" \\ { } [ ] , : 1 - e9 .5 null NaN \\u d800 0000 "a" "a": \xff \xef\xbb\xbf \0 1e999 "\\ud800" Infinity true'
)
FRAGMENTS = st.sampled_from([*TOKENS.split(), b" ", b"9" * 30])


@given(st.one_of(st.binary(), st.lists(FRAGMENTS, max_size=30).map(b"".join)))
@example(b"[" * 3000)
@example(b'{"a":' * 3000)
@example(b"9" * 5000)
def test_any_bytes_are_json_or_malformed(data: bytes) -> None:
    try:
        value = read_json(data)
    except Malformed:
        pass
    else:
        assert json.loads(json.dumps(value, allow_nan=False).encode()) == value
    salvage_json(data)


BIG = 8_000_000
HOSTILE = {
    "brackets": b"[" * BIG,
    "empty lists": b"[" + b"[]," * (BIG // 3) + b"[]]",
    "digits": b"9" * BIG,
    "digits of a fraction": b"0." + b"9" * BIG,
    "an exponent": b"1e" + b"9" * BIG,
    "quotes": b'"' * BIG,
    "backslashes": b'"' + b"\\" * BIG,
    "escaped quotes": b'\\"' * (BIG // 2),
    "escaped quotes in an open string": b'"' + b'\\"' * (BIG // 2),
    "spaces": b" " * BIG,
    "line breaks": b"\n" * BIG + b"x",
    "a long string": b'"' + b"a" * BIG + b'"',
    "surrogates": b'"' + rb"\ud800" * (BIG // 6) + b'"',
    "one key again and again": b"{" + b'"a":1,' * 30_000 + b'"a":1}',
    "deep and wide": (b'{"' + b"k" * 64 + b'":') * 60 + b"[" + b'"x",' * 90_000 + rb'"\ud800"]' + b"}" * 60,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_megabytes_are_judged_at_once(name: str) -> None:
    started = time.process_time()
    with suppress(Malformed):
        read_json(HOSTILE[name])
    salvage_json(HOSTILE[name])
    assert time.process_time() - started < 4


def test_a_reply_is_salvaged_where_a_request_would_be_refused() -> None:
    assert salvage_json(b'\xef\xbb\xbf{"task_id":"1"}') == {"task_id": "1"}
    assert salvage_json(b'{"task_id":"1","x":"\xff"}') == {"task_id": "1", "x": "\ufffd"}
    assert salvage_json(rb'{"task_id":"1","x":["\ud800","a\u0000"]}') == {"task_id": "1", "x": ["\ufffd", "a\ufffd"]}
    assert salvage_json(b'{"a":1,"a":NaN,"b":1e999}') == {"a": None, "b": None}
    assert salvage_json(b'{"id":"1","deep":' + b"[" * 200 + b"]" * 200 + b"}")["id"] == "1"


@pytest.mark.parametrize("data", [b"", b"<html>", b"[" * 100_000, b"9" * 100_000, b"{", b"\xff"])
def test_a_reply_that_is_no_json_is_nothing(data: bytes) -> None:
    assert salvage_json(data) is None
