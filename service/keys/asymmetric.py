"""Ed25519 signatures of Standard Webhooks (`v1a`): with them a receiver can verify, and cannot forge.

A private key is `whsk_` and the base64 of its 32 bytes, its public key `whpk_` and the base64 of those
(https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md, "Asymmetric signatures").
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode, urlsafe_b64encode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PRIVATE, PUBLIC = "whsk_", "whpk_"
PART = "v1a,"


def new_signing_key() -> str:
    return PRIVATE + b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()


def public_key_of(signing_key: str) -> str:
    """What a receiver verifies with. Raises `ValueError` for a malformed private key."""
    return PUBLIC + b64encode(_private(signing_key).public_key().public_bytes_raw()).decode()


def sign_part(signing_key: str, signed: bytes) -> str:
    """One part of `webhook-signature`. Raises `ValueError` for a malformed private key."""
    return PART + b64encode(_private(signing_key).sign(signed)).decode()


def fits(public_key: str, part: str, signed: bytes) -> bool:
    """Whether a part of `webhook-signature` is right. Total: never raises."""
    try:
        signature = b64decode(part.removeprefix(PART).encode(), validate=True)
        Ed25519PublicKey.from_public_bytes(_raw(public_key, PUBLIC)).verify(signature, signed)
    except (ValueError, InvalidSignature):
        return False
    return part.startswith(PART)


def jwk_of(public_key: str) -> dict[str, str]:
    """A public key as RFC 8037 writes it; `kid` is its thumbprint (RFC 7638)."""
    x = urlsafe_b64encode(_raw(public_key, PUBLIC)).rstrip(b"=").decode()
    named = {"crv": "Ed25519", "kty": "OKP", "x": x}
    digest = hashlib.sha256(json.dumps(named, separators=(",", ":")).encode()).digest()
    kid = urlsafe_b64encode(digest).rstrip(b"=").decode()
    return {**named, "alg": "EdDSA", "use": "sig", "kid": kid}


def is_public_key(text: str) -> bool:
    try:
        return len(_raw(text, PUBLIC)) == 32
    except ValueError:
        return False


def _private(signing_key: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(_raw(signing_key, PRIVATE))


def _raw(text: str, prefix: str) -> bytes:
    if not text.startswith(prefix):
        raise ValueError(f"this key begins with {prefix}")
    return b64decode(text.removeprefix(prefix).encode(), validate=True)
