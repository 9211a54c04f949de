"""Signatures that Ringback makes: of what it sends (Standard Webhooks) and of the callback URLs that it hands out.

Standard Webhooks 1.0.0 (https://www.standardwebhooks.com): HMAC-SHA256 over `id.timestamp.body`, in the header
`webhook-signature` as `v1,<base64>`, several of them between spaces while a secret is being rotated. Beside it or
alone, `v1a,<base64>`: ed25519 over the same bytes (`service.keys.asymmetric`).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets as randomness
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from itsdangerous import Signer

from service.keys import asymmetric

PREFIX = "whsec_"
SECRET_BYTES = range(24, 65)
MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,256}")  # no dot: it separates the parts of what is signed
SECONDS = re.compile(r"[0-9]{1,12}")
TOLERANCE = 300
HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


def new_secret() -> str:
    """A webhook secret: `whsec_` and 32 random bytes in padded standard base64, the one form all verifiers take."""
    return PREFIX + b64encode(randomness.token_bytes(32)).decode()


def is_secret(text: str) -> bool:
    """Whether it is a webhook secret that every verifier takes."""
    return _key(text) is not None


def sign(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers for a body that is sent at `timestamp`, in seconds since the epoch, signed once per secret
    (`whsec_`) and private key (`whsk_`).

    The id stays the same over all attempts, the timestamp is that of the attempt. Raises `ValueError` for no secret, a
    malformed one, or an id that the receiver could not take apart again.
    """
    if not secrets or not MESSAGE_ID.fullmatch(message_id):
        raise ValueError("signing needs a secret, and a message id of letters, digits, - and _")
    parts = [_part(secret, message_id, str(timestamp), body) for secret in secrets]
    return dict(zip(HEADERS, (message_id, str(timestamp), " ".join(parts)), strict=True))


class Reason(StrEnum):
    """Why a message does not verify."""

    MISSING_HEADER = "missing_header"
    BAD_KEY = "bad_key"
    BAD_TIMESTAMP = "bad_timestamp"
    BAD_SIGNATURE = "bad_signature"
    MISMATCH = "mismatch"
    TOO_OLD = "too_old"
    TOO_NEW = "too_new"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` is None if and only if the message is authentic and fresh; `sentence` explains it to a human."""

    reason: Reason | None
    sentence: str

    @property
    def ok(self) -> bool:
        return self.reason is None


def verify(
    secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: int, tolerance: int = TOLERANCE
) -> Verdict:
    """Judges a received message by any one of the secrets. Total: never raises, whatever arrives.

    `now` and `tolerance` are in seconds. The time is judged last, so that "too old" means that all else is right.
    """
    given = {name.lower(): value.strip() for name, value in headers.items()}
    missing = [name for name in HEADERS if not given.get(name)]
    if missing:
        return Verdict(Reason.MISSING_HEADER, f"The header {missing[0]} is missing.")
    message_id, timestamp, signature = (given[name] for name in HEADERS)
    keys = [key for key in map(_key, secrets) if key]
    public = [secret for secret in secrets if asymmetric.is_public_key(secret)]
    if not keys and not public:
        return Verdict(Reason.BAD_KEY, "The secret is not whsec_ followed by the padded base64 of 24 to 64 bytes.")
    if not SECONDS.fullmatch(timestamp):
        return Verdict(Reason.BAD_TIMESTAMP, "webhook-timestamp is not a whole number of seconds.")
    scheme = "v1," if keys else asymmetric.PART
    parts = [part for part in signature.split(" ") if part.startswith(("v1,", asymmetric.PART))]
    if not any(part.startswith(scheme) for part in parts):
        return Verdict(Reason.BAD_SIGNATURE, f"webhook-signature has no part of the form {scheme}<base64>.")
    signed = _signed(message_id, timestamp, body)
    known = any(asymmetric.fits(key, part, signed) for key in public for part in parts)
    if not known and not _any_equal(parts, (_signature(key, message_id, timestamp, body) for key in keys)):
        return Verdict(Reason.MISMATCH, _explained(secrets, message_id, timestamp, body, parts))
    return _judged_by_time(int(timestamp), now, tolerance)


def _judged_by_time(timestamp: int, now: int, tolerance: int) -> Verdict:
    age = now - timestamp
    if age > tolerance:
        return Verdict(Reason.TOO_OLD, f"The signature is right, but {age} s old; at most {tolerance} s are allowed.")
    if age < -tolerance:
        return Verdict(Reason.TOO_NEW, f"The signature is right, but {-age} s in the future: compare the clocks.")
    return Verdict(None, "The signature is right.")


def _key(secret: str) -> bytes | None:
    """The HMAC key of a secret, None if it is malformed. Only the canonical base64 text is taken."""
    encoded = secret.removeprefix(PREFIX)
    try:
        key = b64decode(encoded, validate=True)
    except ValueError:
        return None
    right = secret.startswith(PREFIX) and len(key) in SECRET_BYTES and b64encode(key).decode() == encoded
    return key if right else None


def _part(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    if secret.startswith(asymmetric.PRIVATE):
        return asymmetric.sign_part(secret, _signed(message_id, timestamp, body))
    if (key := _key(secret)) is None:
        raise ValueError("a webhook secret is whsec_ and the padded base64 of 24 to 64 bytes")
    return _signature(key, message_id, timestamp, body)


def _signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    return "v1," + b64encode(hmac.digest(key, _signed(message_id, timestamp, body), hashlib.sha256)).decode()


def _signed(message_id: str, timestamp: str, body: bytes) -> bytes:
    return b".".join((_raw(message_id), _raw(timestamp), body))


def _any_equal(parts: Sequence[str], expected: Iterator[str]) -> bool:
    """Compares every pair in constant time; as text, since one signature has several base64 spellings."""
    wanted = [_raw(text) for text in expected]
    return any(hmac.compare_digest(_raw(part), text) for part in parts for text in wanted)


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


_Slip = tuple[str, Callable[[str], bytes | None], Callable[[bytes], bytes | None]]


def _explained(secrets: Sequence[str], message_id: str, timestamp: str, body: bytes, parts: Sequence[str]) -> str:
    """What went wrong between signer and verifier, if it is one of the usual slips."""
    slips: tuple[_Slip, ...] = (
        ("without the line break at its end", _key, lambda body: body.rstrip(b"\r\n")),
        ("with a line break at its end", _key, lambda body: body + b"\n"),
        ("as compact JSON: it was formatted anew after signing", _key, _compact),
        ("with the secret's text as the key, where its base64 must be decoded first", _raw, lambda body: body),
    )
    for words, key_of, altered in slips:
        changed = altered(body)
        keys = filter(None, map(key_of, secrets))
        if changed is not None and _any_equal(parts, (_signature(key, message_id, timestamp, changed) for key in keys)):
            return f"The signature does not fit this body; it fits {words}."
    return "The signature does not fit: the body, the id or the timestamp was altered, or the secret is another one."


def _compact(body: bytes) -> bytes | None:
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return None


class CallbackTokens:
    """Tokens that name a placement in the callback URL which an upstream is given.

    `keys` run from the oldest to the newest: the newest signs, all are read. A token is readable, only unforgeable, and
    never expires by itself; the placement's row says whether it still means anything.
    """

    SALT = "ringback.callback.v1"  # one salt per purpose, or one kind of token would pass as another
    LONGEST = 512

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys or not all(keys):
            raise ValueError("callback tokens need at least one secret key, and no empty one")
        self._signers = [
            Signer(key, salt=self.SALT, key_derivation="hmac", digest_method=hashlib.sha256) for key in reversed(keys)
        ]

    def issue(self, placement_id: str) -> str:
        """Safe in a URL path. Raises `ValueError` for an id that is not letters, digits, - and _."""
        if not MESSAGE_ID.fullmatch(placement_id):
            raise ValueError("a placement id is made of letters, digits, - and _")
        return self._signers[0].sign(placement_id).decode()

    def read(self, token: str) -> str | None:
        """The placement id of a token that `issue` made; None for any other string.

        The token is compared with what each key would issue: itsdangerous itself also takes other spellings of the
        same signature (padding, the unused bits of its last character), and one token must have one text.
        """
        placement_id = token.rpartition(".")[0]
        if len(token) > self.LONGEST or not MESSAGE_ID.fullmatch(placement_id):
            return None
        given = _raw(token)
        fits = [hmac.compare_digest(signer.sign(placement_id), given) for signer in self._signers]
        return placement_id if any(fits) else None
