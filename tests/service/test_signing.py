"""Signatures judged by somebody else's verifier, a verifier that never falls over, and tokens with one text each."""

from __future__ import annotations

import base64
import datetime
import hashlib
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from itsdangerous import Signer
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from service.keys.asymmetric import PRIVATE, PUBLIC, fits, new_signing_key, public_key_of, sign_part
from service.keys.signing import HEADERS, CallbackTokens, Reason, new_secret, sign, verify

NOW = 1_700_000_000
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OLD = "whsec_" + base64.b64encode(b"o" * 24).decode()
BODY = '{"type":"task.succeeded","data":{"prompt":"猫"}}'.encode()


def signed(*secrets: str, body: bytes = BODY, at: int = NOW) -> dict[str, str]:
    return sign(secrets or (SECRET,), "msg_1", at, body)


def test_the_reference_library_accepts_what_we_sign_with_either_secret_of_a_rotation() -> None:
    now = int(datetime.datetime.now(datetime.UTC).timestamp())
    headers = signed(OLD, SECRET, at=now)
    for secret in (OLD, SECRET):
        assert Webhook(secret).verify(BODY, headers)["type"] == "task.succeeded"
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, headers)


@given(st.binary(min_size=24, max_size=64), st.binary(), st.integers(0, 4_000_000_000))
def test_we_sign_byte_for_byte_as_the_reference_library(key: bytes, body: bytes, at: int) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC)
    try:
        reference = Webhook(secret).sign("msg_1", moment, body.decode())
    except UnicodeDecodeError:
        return  # the reference signs text only
    assert sign([secret], "msg_1", at, body)["webhook-signature"] == reference


# The first test of RFC 8032, 7.1
RFC_PRIVATE = (
    PRIVATE
    + base64.b64encode(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")).decode()
)
RFC_PUBLIC = (
    PUBLIC
    + base64.b64encode(bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")).decode()
)
RFC_SIGNATURE = bytes.fromhex(
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
    "655141438e7a100b"
)


def test_ed25519_signs_as_its_standard_has_it() -> None:
    assert public_key_of(RFC_PRIVATE) == RFC_PUBLIC
    assert sign_part(RFC_PRIVATE, b"") == "v1a," + base64.b64encode(RFC_SIGNATURE).decode()


def test_a_public_key_verifies_what_its_private_key_signed_and_no_other() -> None:
    key = new_signing_key()
    headers = signed(SECRET, key)
    assert [part.partition(",")[0] for part in headers["webhook-signature"].split(" ")] == ["v1", "v1a"]
    assert verify([public_key_of(key)], headers, BODY, NOW).ok
    assert verify([SECRET], headers, BODY, NOW).ok
    assert verify([public_key_of(new_signing_key())], headers, BODY, NOW).reason is Reason.MISMATCH
    assert verify([public_key_of(key)], headers, BODY + b" ", NOW).reason is Reason.MISMATCH
    assert verify([public_key_of(key)], signed(SECRET), BODY, NOW).reason is Reason.BAD_SIGNATURE
    assert verify([key], headers, BODY, NOW).reason is Reason.BAD_KEY  # a private key is nobody's to give away


@given(st.text(max_size=100), st.text(max_size=150), st.binary(max_size=50))
def test_whatever_is_given_as_a_public_key_or_a_signature_nothing_falls_over(key: str, part: str, body: bytes) -> None:
    for given_key, given_part in ((key, part), (RFC_PUBLIC, f"v1a,{part}"), (PUBLIC + key, part)):
        assert fits(given_key, given_part, body) is False


def test_what_we_sign_verifies() -> None:
    assert verify([SECRET], signed(), BODY, NOW).ok
    assert verify([OLD], signed(OLD, SECRET), BODY, NOW).ok
    assert verify([new_secret(), SECRET], signed(), BODY, NOW + 300).ok
    assert verify([SECRET], {name.upper(): value for name, value in signed().items()}, BODY, NOW - 300).ok


def test_the_worked_example_of_the_specification() -> None:
    secret, message_id = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    headers = sign([secret], message_id, 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_new_secret_is_padded_standard_base64_of_32_bytes() -> None:
    secrets = {new_secret() for _ in range(50)}
    assert len(secrets) == 50
    for secret in secrets:
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
        Webhook(secret)


@pytest.mark.parametrize("message_id", ["", "a.b", "a b", "é", "a" * 257, "a\n"])
def test_an_id_that_would_blur_what_is_signed_is_an_error(message_id: str) -> None:
    with pytest.raises(ValueError):
        sign([SECRET], message_id, NOW, BODY)


BAD_SECRETS = ["", "whsec_", "secret", SECRET.removeprefix("whsec_"), SECRET.rstrip("="), SECRET + "=", SECRET + "\n"]
BAD_SECRETS += ["whsec_" + base64.b64encode(b"x" * size).decode() for size in (1, 23, 65)]
BAD_SECRETS += ["whsec_" + base64.urlsafe_b64encode(b"\xff" * 32).decode(), "whsec_é", "whsec_" + "A" * 42 + "B="]


@pytest.mark.parametrize("secret", BAD_SECRETS)
def test_a_malformed_secret_neither_signs_nor_verifies(secret: str) -> None:
    with pytest.raises(ValueError):
        sign([SECRET, secret], "msg_1", NOW, BODY)
    assert verify([secret], signed(), BODY, NOW).reason is Reason.BAD_KEY
    assert verify([], signed(), BODY, NOW).reason is Reason.BAD_KEY


def test_signing_without_a_secret_is_an_error() -> None:
    with pytest.raises(ValueError):
        sign([], "msg_1", NOW, BODY)


@pytest.mark.parametrize("name", HEADERS)
def test_each_missing_header_is_named(name: str) -> None:
    for value in ({}, {name: ""}, {name: "  "}):
        verdict = verify([SECRET], {**{k: v for k, v in signed().items() if k != name}, **value}, BODY, NOW)
        assert verdict.reason is Reason.MISSING_HEADER
        assert name in verdict.sentence


@pytest.mark.parametrize(
    "timestamp", ["now", "1.7e9", "1700000000.0", "-1", "+1700000000", "17_00", "１７", "999999999999999999"]
)
def test_a_timestamp_that_is_no_whole_number_of_seconds(timestamp: str) -> None:
    verdict = verify([SECRET], {**signed(), "webhook-timestamp": timestamp}, BODY, NOW)
    assert verdict.reason is Reason.BAD_TIMESTAMP


@pytest.mark.parametrize("signature", ["v1", "v2,abc", "abc", "v1a,abc", ",", "v1;abc", "V1,abc"])
def test_a_signature_without_a_v1_part(signature: str) -> None:
    verdict = verify([SECRET], {**signed(), "webhook-signature": signature}, BODY, NOW)
    assert verdict.reason is Reason.BAD_SIGNATURE


def test_foreign_parts_beside_ours_do_no_harm() -> None:
    ours = signed()["webhook-signature"]
    for others in (f"v1a,abc {ours}", f"{ours}  v1,", f"v1,é {ours} x", f"v1,a,b {ours}"):
        assert verify([SECRET], {**signed(), "webhook-signature": others}, BODY, NOW).ok


def test_everything_signed_matters() -> None:
    for altered in (
        verify([SECRET], signed(), BODY + b" ", NOW),
        verify([SECRET], {**signed(), "webhook-id": "msg_2"}, BODY, NOW),
        verify([SECRET], {**signed(), "webhook-timestamp": str(NOW + 1)}, BODY, NOW),
        verify([new_secret()], signed(), BODY, NOW),
    ):
        assert altered.reason is Reason.MISMATCH


def test_another_spelling_of_the_right_signature_is_not_the_signature() -> None:
    signature = signed()["webhook-signature"]
    assert signature.endswith("=")
    last = signature[-2]
    sibling = string.ascii_letters[string.ascii_letters.index(last) + 1] if last in string.ascii_letters[:-1] else "1"
    for other in (signature.rstrip("="), signature + "=", f"{signature[:-2]}{sibling}="):
        assert verify([SECRET], {**signed(), "webhook-signature": other}, BODY, NOW).reason is Reason.MISMATCH


def test_age_is_judged_last_and_in_both_directions() -> None:
    assert verify([SECRET], signed(), BODY, NOW + 301).reason is Reason.TOO_OLD
    assert verify([SECRET], signed(), BODY, NOW - 301).reason is Reason.TOO_NEW
    assert verify([SECRET], signed(), BODY, NOW + 3600, tolerance=3600).ok
    assert verify([OLD], signed(), BODY, NOW + 3600).reason is Reason.MISMATCH


@pytest.mark.parametrize(
    ("sent", "held", "words"),
    [
        (b'{"a":1}', b'{"a":1}\n', "without the line break"),
        (b'{"a":1}\n', b'{"a":1}', "with a line break"),
        (b'{"a":1}', b'{\n  "a": 1\n}', "compact JSON"),
    ],
)
def test_the_usual_slips_with_a_body_are_explained(sent: bytes, held: bytes, words: str) -> None:
    verdict = verify([SECRET], signed(body=sent), held, NOW)
    assert verdict.reason is Reason.MISMATCH
    assert words in verdict.sentence


def test_a_secret_that_was_used_as_text_is_explained() -> None:
    key_is_text = "whsec_" + base64.b64encode(SECRET.encode()).decode()
    verdict = verify([SECRET], signed(key_is_text), BODY, NOW)
    assert verdict.reason is Reason.MISMATCH
    assert "base64" in verdict.sentence


TEXT = st.one_of(st.text(), st.text(st.characters(max_codepoint=0x10FFFF, categories=None)), st.just(str(NOW)))


@given(
    st.lists(st.one_of(TEXT, st.just(SECRET)), max_size=3),
    st.dictionaries(st.one_of(st.sampled_from(HEADERS), TEXT), st.one_of(TEXT, st.just("v1,x v1,y")), max_size=6),
    st.binary(),
    st.integers(),
)
@example(
    [SECRET], {"webhook-id": "\ud800", "webhook-timestamp": str(NOW), "webhook-signature": "v1,\ud800"}, b"\xff", 0
)
@example([SECRET], {"webhook-id": "a", "webhook-timestamp": "1", "webhook-signature": "v1,"}, b"[" * 100_000, 0)
@example([SECRET], {"webhook-id": "a", "webhook-timestamp": "1", "webhook-signature": "v1,"}, b"9" * 10_000, 0)
def test_whatever_arrives_gets_a_verdict_and_noise_never_a_good_one(secrets, headers, body, now) -> None:
    verdict = verify(secrets, headers, body, now)
    assert not verdict.ok
    assert verdict.sentence.endswith(".")


KEYS = ["first-secret-key-of-the-service", "second-secret-key-of-the-service"]
TOKENS = CallbackTokens(KEYS)


@given(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True))
def test_a_token_names_its_placement_and_is_safe_in_a_path(placement: str) -> None:
    token = TOKENS.issue(placement)
    assert TOKENS.read(token) == placement
    assert set(token) <= set(string.ascii_letters + string.digits + "-_.")


def test_tokens_outlive_a_rotation_until_their_key_is_dropped() -> None:
    token = CallbackTokens(KEYS[:1]).issue("p1")
    assert TOKENS.read(token) == "p1"
    assert CallbackTokens(KEYS[1:]).read(token) is None
    assert CallbackTokens(KEYS[1:]).read(TOKENS.issue("p1")) == "p1"


def test_a_signature_for_another_purpose_is_no_token() -> None:
    other = Signer(KEYS[-1], salt="something.else", key_derivation="hmac")
    assert TOKENS.read(other.sign("p1").decode()) is None
    assert TOKENS.read(Signer(KEYS[-1]).sign("p1").decode()) is None


def test_every_other_spelling_of_a_token_is_refused_though_itsdangerous_takes_some() -> None:
    token = TOKENS.issue("0b54c6ac-8a4c-4b7e-9d3c-1f6a2b3c4d5e")
    lenient = Signer(KEYS[-1], salt=CallbackTokens.SALT, key_derivation="hmac", digest_method=hashlib.sha256)
    spellings = [token[:-1] + letter for letter in string.ascii_letters + string.digits + "-_"]
    spellings += [token + "=", token + "==", token + "\n", " " + token, token + "A", token[:-1], token + "."]
    others = [spelling for spelling in spellings if spelling != token]
    assert [spelling for spelling in others if TOKENS.read(spelling)] == []
    assert len([spelling for spelling in others if lenient.validate(spelling)]) >= 3


@given(st.one_of(st.text(), st.text(st.characters(categories=None)), st.text().map("p1.{}".format)))
@example("\ud800.\ud800")
@example("p1." + "é" * 43)
@example("a" * 1_000_000)
@example("." * 1_000)
def test_any_string_is_a_token_or_none(text: str) -> None:
    assert TOKENS.read(text) is None


@pytest.mark.parametrize("placement", ["", "a.b", "a/b", "é", "a b", "a" * 257])
def test_a_placement_id_that_no_path_can_carry_is_an_error(placement: str) -> None:
    with pytest.raises(ValueError):
        TOKENS.issue(placement)


@pytest.mark.parametrize("keys", [[], [""], ["right", ""]])
def test_tokens_without_a_key_are_an_error(keys: list[str]) -> None:
    with pytest.raises(ValueError):
        CallbackTokens(keys)
