"""Static headers of endpoints: whatever passes is written as it is, and nothing of the request's own frame does."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.header_rules import MOST, wrong_headers

OURS = ("Host", "Content-Length", "content-type", "Transfer-Encoding", "Connection", "Keep-Alive", "TE", "Trailer")
OURS += ("Upgrade", "Expect", "Cookie", "Proxy-Authorization", "webhook-signature", "Webhook-Id", "Accept-Encoding")
ODD = st.characters(codec="latin-1") | st.sampled_from("\r\n\0\t :")


@pytest.mark.parametrize("name", OURS)
def test_what_frames_or_signs_a_request_is_refused_in_any_spelling(name: str) -> None:
    for spelling in (name, name.lower(), name.upper()):
        assert wrong_headers({spelling: "x"}) == f"{spelling} is set by this server and cannot be given"


@pytest.mark.parametrize(
    "name", ["Authorization", "X-Token", "te-x", "Hosts", "Cookies", "Set-Cookie", "!#$%&'*+.^_`|~9"]
)
def test_ordinary_names_pass(name: str) -> None:
    assert wrong_headers({name: "Bearer abc, d=e; f"}) is None


@pytest.mark.parametrize("value", ["", " x", "x ", "a\r\nb: c", "a\0", "caf\u00e9", "\t", "x" * 2001])
def test_a_value_is_visible_ascii(value: str) -> None:
    assert (wrong_headers({"X-A": value}) or "").startswith("X-A: visible ASCII")


def test_their_number_is_limited_and_each_name_stands_once() -> None:
    assert wrong_headers({f"X-{number}": "x" for number in range(MOST)}) is None
    assert wrong_headers({f"X-{number}": "x" for number in range(MOST + 1)}) == f"at most {MOST} are allowed"
    assert (wrong_headers({"X-A": "x", "x-a": "x"}) or "").startswith("each name")


@given(st.dictionaries(st.text(ODD, max_size=12), st.text(ODD, max_size=12), max_size=3))
def test_what_passes_arrives_as_it_was_given_and_as_nothing_else(headers: dict[str, str]) -> None:
    if wrong_headers(headers) is not None:
        return
    writer, reader = h11.Connection(h11.CLIENT), h11.Connection(h11.SERVER)
    sent = [("Host", "hook.example.com"), *headers.items()]
    reader.receive_data(writer.send(h11.Request(method="GET", target="/", headers=sent)) or b"")
    request = reader.next_event()
    assert isinstance(request, h11.Request)
    arrived = {name.decode(): value.decode() for name, value in request.headers}
    assert arrived == {"host": "hook.example.com", **{name.lower(): value for name, value in headers.items()}}
