"""Secrets at rest: what must be read back is sealed, what must only be recognised is hashed."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PURPOSE = b"ringback.vault.v1"


class Unopenable(Exception):
    """These bytes were not sealed with any of the vault's keys, or were altered since."""


class Vault:
    """Seals short texts under the service's secret keys, oldest first: the newest seals, all of them open.

    Keys rotate by appending a new one; `reseal` then moves each stored secret under it, and the old key can go.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys or not all(keys):
            raise ValueError("the vault needs at least one secret key, and no empty one")
        self._fernet = MultiFernet([_fernet(key) for key in reversed(keys)])

    def seal(self, text: str) -> bytes:
        """ASCII bytes, different on every call."""
        return self._fernet.encrypt(text.encode())

    def open(self, sealed: bytes) -> str:
        """Raises `Unopenable`."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            raise Unopenable("sealed with a key that this server does not have, or altered") from None

    def reseal(self, sealed: bytes) -> bytes:
        """The same secret under the newest key. Raises `Unopenable`."""
        return self.seal(self.open(sealed))


def _fernet(key: str) -> Fernet:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(key.encode())
    return Fernet(urlsafe_b64encode(derived))


def hash_key(key: str) -> str:
    """What is stored of a client key: SHA-256 in hex.

    Not a slow hash: those buy time for passwords that people choose. A key has 128 random bits or more, which nobody
    guesses at any speed, and it is hashed on every request, where slowness would only serve whoever floods us.
    """
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def is_key(key: str, stored_hash: str) -> bool:
    """Whether a presented key is the stored one, in a time that does not tell how much of it was right."""
    return hmac.compare_digest(hash_key(key).encode(), stored_hash.encode("utf-8", "surrogatepass"))
