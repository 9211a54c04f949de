"""Alibaba EventBridge: how DashScope says, for a whole account, that a task has ended (wire notes 4).

The event has no result: it is a hint, and one query follows. Its signature covers the URL that was configured at
EventBridge, five headers and the body; the certificate that verifies it lies where a header says, which is therefore
believed only for exact hosts. This file reads; whoever holds a clock, a network and a key verifies.

Sources: Alibaba's "Signature algorithm" (v2, the current page) and the asynchronous task page of Model Studio. The
older scheme (HMAC-SHA1 under a key that travels along) is not read.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from adapters.fields import object_of, text_of
from adapters.messages import Unreadable

PREFIX = "x-eventbridge-signature"
TIMESTAMP, METHOD, VERSION = f"{PREFIX}-timestamp", "x-eventbridge-hash-method", f"{PREFIX}-version"
CERTIFICATE, TOKEN, SIGNATURE = f"{PREFIX}-url", f"{PREFIX}-token", f"{PREFIX}-v2"
SIGNED = (TIMESTAMP, METHOD, VERSION, CERTIFICATE, TOKEN)
"""The headers that are signed, in this order; the token's only where one is configured."""

FIXED = {METHOD: "SHA256", VERSION: "1.0"}
LONGEST = 2048
MILLISECONDS = re.compile(r"[0-9]{1,15}")
CERTIFICATE_PATH = re.compile(r"/x509_public_certificate_[A-Za-z0-9._-]{1,100}\.pem")
FINISHED = "dashscope:System:AsyncTaskFinish"
SOURCE = "acs.dashscope"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a push says of itself, nothing of it proven. `at` is in milliseconds. `signed` are the texts that
    `signature` (RSA, PKCS#1 v1.5, SHA-256) may be of: the documents end at the body, some signers add a line break."""

    at: int
    certificate: str
    token: str | None
    signature: bytes
    signed: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """A task of the account has ended. `event` names the event: retries of one event have the same."""

    event: str
    task_id: str


def read_claim(headers: Mapping[str, str], body: bytes, configured_url: str) -> Claim:
    """Of a push that came to `configured_url`; `headers` have lower-case names. Raises `Unreadable`."""
    given = {name: headers[name] for name in (*SIGNED, SIGNATURE) if name in headers}
    for name in (TIMESTAMP, METHOD, VERSION, CERTIFICATE, SIGNATURE):
        if not given.get(name):
            raise Unreadable(name, "is missing")
    for name, text in given.items():
        if len(text) > LONGEST or not (text.isascii() and text.isprintable()):
            raise Unreadable(name, "is too long or not printable")
    for name, only in FIXED.items():
        if given[name].upper() != only:
            raise Unreadable(name, f"must be {only}")
    if not MILLISECONDS.fullmatch(given[TIMESTAMP]):
        raise Unreadable(TIMESTAMP, "must be milliseconds")
    lines = [configured_url, *(f"{name}: {given[name]}" for name in SIGNED if name in given)]
    signed = "\n".join(lines).encode() + b"\n" + body
    signature = _signature(given[SIGNATURE])
    return Claim(int(given[TIMESTAMP]), given[CERTIFICATE], given.get(TOKEN), signature, (signed, signed + b"\n"))


def certificate_host(region: str) -> str:
    """Where a region's certificates lie."""
    return f"{region}-eventbridge.oss-accelerate.aliyuncs.com"


def is_certificate_of(url: str, regions: Collection[str]) -> bool:
    """Whether a certificate at `url` speaks for EventBridge in one of these regions. The whole host is compared: such a
    host is an ordinary bucket name, and anyone could own one that only looks alike."""
    try:
        parts = urlsplit(url)
        plain = parts.port is None and parts.username is None and parts.password is None
    except ValueError:
        return False
    hosts = {certificate_host(region) for region in regions}
    exact = url == f"https://{parts.netloc}{parts.path}"
    return plain and exact and parts.netloc in hosts and CERTIFICATE_PATH.fullmatch(parts.path) is not None


def read_event(body: object) -> Ended | None:
    """None: another kind of event, which is none of ours. Raises `Unreadable` for what is no event."""
    event = object_of(body)
    if text_of(event.get("specversion")) != "1.0" or not text_of(event.get("id")):
        raise Unreadable("specversion", "must be a CloudEvent 1.0 with an id")
    source, kind = text_of(event.get("source")), text_of(event.get("type"))
    if (source, kind) != (SOURCE, FINISHED):
        return None
    task_id = text_of(object_of(event.get("data")).get("task_id"))
    if not task_id:
        raise Unreadable("data.task_id", "is missing")
    return Ended(f"{source}/{text_of(event.get('id'))}", task_id)


def _signature(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise Unreadable(SIGNATURE, "must be base64") from None
