"""What an answer means, in a word and in a sentence; and what of it may be kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.network.phases import Phases
from service.telling.outcomes import (
    HEADERS_KEPT,
    HIDDEN,
    REPLY_KEPT,
    Outcome,
    kept_body,
    kept_headers,
    read_reply,
    secrets_in,
)

NOW = 1_760_000_000_000


def read(status: int, took: int = 10, **headers: str) -> Outcome:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_reply(status, named, Phases(total_ms=took), NOW)


@pytest.mark.parametrize(
    ("status", "verdict", "well"),
    [
        (200, "delivered", True),
        (301, "redirect", True),
        (404, "bad_status", True),
        (410, "gone", True),
        (429, "bad_status", False),
        (500, "bad_status", False),
        (599, "bad_status", False),
    ],
)
def test_a_no_to_a_message_is_no_sign_of_illness(status: int, verdict: str, well: bool) -> None:
    assert (read(status).verdict, read(status).well) == (verdict, well)


def test_an_answer_that_comes_late_is_one_of_a_receiver_that_is_ill() -> None:
    assert (read(200, 5000).delivered, read(200, 5000).well) == (True, False)


def test_the_reply_may_ask_for_no_more_of_it_or_of_anything() -> None:
    assert read(500, webhook_delivery="Abort-Message").final
    assert not read(500, webhook_delivery="abort-message").disable
    both = read(500, webhook_delivery="abort-message, disable")
    assert (both.final, both.disable, both.verdict) == (True, True, "aborted")
    taken = read(204, webhook_delivery="disable")
    assert (taken.delivered, taken.disable, taken.final) == (True, True, False)
    assert not read(500, webhook_delivery="later").final


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://new.example.com/in?token=hush", " to https://new.example.com"),
        ("https://user:hush@new.example.com/in#hush", " to https://new.example.com"),
        ("/hush?hush", " to a path of the same host"),
        ("//new.example.com/hush", " to //new.example.com"),
        ("?hush", ""),
        ("", ""),
        ("https://[", ""),
    ],
)
def test_where_a_redirect_leads_is_told_without_what_may_be_secret(location: str, shown: str) -> None:
    reason = read(302, location=location).reason
    assert reason == f"answered 302 Found{shown}: redirects are not followed; change the URL"


def test_headers_are_kept_without_secrets_and_without_what_we_sent() -> None:
    given_ = {
        "set-cookie": "a=b",
        "x-api-key": "k",
        "location": "/x?s=1",
        "x-echo": "Bearer t0k3n-1",
        "server": "nginx",
    }
    assert kept_headers(given_, ["t0k3n-1"]) == {
        "set-cookie": HIDDEN, "x-api-key": HIDDEN, "location": "/x", "x-echo": f"Bearer {HIDDEN}", "server": "nginx",
    }  # fmt: skip
    assert kept_body(b"you sent t0k3n-1", ["t0k3n-1"]) == f"you sent {HIDDEN}"


def test_of_a_header_that_we_sent_its_token_alone_is_hidden_too() -> None:
    secrets = secrets_in({"Authorization": "Bearer t0k3n-1-2-3", "X-Team": "blue"})
    assert kept_body(b"blue: unknown token t0k3n-1-2-3", secrets) == f"blue: unknown token {HIDDEN}"
    assert kept_body(b"got Bearer t0k3n-1-2-3", secrets) == f"got {HIDDEN}"


text = st.text(max_size=80)


@given(st.integers(100, 999), st.dictionaries(text, text), st.binary(max_size=5000))
def test_whatever_is_answered_is_understood_and_little_of_it_kept(
    status: int, headers: dict[str, str], body: bytes
) -> None:
    outcome = read_reply(status, headers, Phases(), NOW)
    assert outcome.delivered == (200 <= status < 300)
    assert "\0" not in outcome.reason
    assert len(kept_headers(headers)) <= HEADERS_KEPT
    assert len(kept_body(body)) <= REPLY_KEPT
