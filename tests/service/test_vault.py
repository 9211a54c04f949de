"""Secrets at rest: sealed, rotated, recognised."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.keys.vault import Unopenable, Vault, hash_key, is_key

OLD, NEW = "an old secret key of the service", "a new secret key of the service"
VAULT = Vault([NEW])


@given(st.text())
def test_what_is_sealed_opens_again(text: str) -> None:
    assert VAULT.open(VAULT.seal(text)) == text


def test_a_sealed_text_shows_nothing_and_is_never_the_same_twice() -> None:
    sealed = {VAULT.seal("whsec_secret") for _ in range(20)}
    assert len(sealed) == 20
    assert not any(b"secret" in one for one in sealed)


def test_the_newest_key_seals_and_every_key_opens() -> None:
    before, during = Vault([OLD]), Vault([OLD, NEW])
    sealed = before.seal("x")
    assert during.open(sealed) == "x"
    assert Vault([NEW]).open(during.seal("x")) == "x"
    with pytest.raises(Unopenable):
        before.open(during.seal("x"))


def test_resealing_lets_the_old_key_go() -> None:
    sealed = Vault([OLD]).seal("x")
    with pytest.raises(Unopenable):
        Vault([NEW]).open(sealed)
    assert Vault([NEW]).open(Vault([OLD, NEW]).reseal(sealed)) == "x"


@given(st.binary())
def test_bytes_that_were_not_sealed_do_not_open(noise: bytes) -> None:
    with pytest.raises(Unopenable):
        VAULT.open(noise)


def test_an_altered_byte_is_noticed_and_not_told() -> None:
    sealed = VAULT.seal("the secret")
    for place in range(0, len(sealed), 7):
        altered = bytearray(sealed)
        altered[place] ^= 1
        with pytest.raises(Unopenable) as caught:
            VAULT.open(bytes(altered))
        assert "the secret" not in str(caught.value)


@pytest.mark.parametrize("keys", [[], [""], [OLD, ""]])
def test_a_vault_without_a_key_is_an_error(keys: list[str]) -> None:
    with pytest.raises(ValueError):
        Vault(keys)


def test_a_key_is_stored_as_its_sha256_and_recognised_by_it() -> None:
    stored = hash_key("rb_key")
    assert stored == hashlib.sha256(b"rb_key").hexdigest()
    assert is_key("rb_key", stored)
    assert not is_key("rb_kez", stored)
    assert not is_key("rb_key", "")


@given(st.text(st.characters(categories=None)), st.text(st.characters(categories=None)))
def test_recognising_is_total(key: str, stored: str) -> None:
    assert not is_key(key, stored)
