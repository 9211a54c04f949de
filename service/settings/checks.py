"""What a single value must be like. A `ValueError` says what is wrong, never quoting a secret."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

KUBERNETES = (
    "Kubernetes sets this variable to an address for a Service named ringback. Rename the Service, or set "
    "`enableServiceLinks: false` in the pod, or give a whole number from 0 to 65535"
)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A client's key, and the name under which it is known: its tasks belong to the name."""

    name: str
    key: SecretStr


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on `host`."""
    bare = host.removeprefix("[").removesuffix("]").lower()
    try:
        return ip_address(bare).is_loopback
    except ValueError:
        return bare == "localhost"


def _split(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _bare(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _port(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("tcp://"):
        raise ValueError(KUBERNETES)
    return value


def _database(text: str) -> str:
    """A path, or the URL of a PostgreSQL database."""
    scheme, separator, _ = text.partition("://")
    if separator and scheme not in ("postgresql", "postgres"):
        raise ValueError(f"{scheme}:// is not supported; use the path of an SQLite file or a postgresql:// URL")
    if text.startswith((":memory:", "file:")):
        raise ValueError("accepted work must survive a restart; use the path of an SQLite file or a postgresql:// URL")
    return text


def _parts(text: str) -> SplitResult:
    """Raises ValueError for anything but http(s)://host[:port][/path]."""
    wanted = "use http:// or https://, a host and, if needed, a port and a path, and nothing else"
    parts = urlsplit(text)
    odd = not (text.isascii() and text.isprintable()) or " " in text or "\\" in text or "?" in text or "#" in text
    if odd or parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError(wanted)
    try:
        usable = parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("its port must be from 1 to 65535")
    return parts


def _base_url(text: str) -> str:
    _parts(text)
    return text.rstrip("/")


def _public_url(text: str) -> str:
    parts = _parts(text)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ValueError("callbacks and keys travel to it, so it must start with https:// unless it is loopback")
    return text.rstrip("/")


def _header_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError("it must be visible ASCII characters without blanks, as an HTTP header can carry them")
    return secret


def _webhook_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    encoded = text.removeprefix("whsec_")
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if encoded == text or not 24 <= len(decoded) <= 64 or base64.b64encode(decoded).decode() != encoded:
        raise ValueError("it must be whsec_ and then 24 to 64 bytes in padded base64 (openssl rand -base64 32)")
    return secret


def _region(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", text):
        raise ValueError("a region is small letters, digits and dashes, as cn-beijing")
    return text


def _api_key(value: Any) -> Any:
    """`name:key`, or a key alone, which is named after its hash so that the name outlives a change of order."""
    if not isinstance(value, str):
        return value
    name, separator, key = value.partition(":")
    if not separator:
        name, key = "key-" + hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()[:8], value
    if not re.fullmatch(r"[\w.-]{1,64}", name, re.ASCII):
        raise ValueError("a name before the colon has up to 64 letters, digits, dots, dashes and underscores")
    return ApiKey(name, _header_secret(SecretStr(key)))


List = BeforeValidator(_split)
"""Comma-separated in a variable; in the file also a list."""

BaseUrl = Annotated[str, BeforeValidator(_bare), AfterValidator(_base_url)]
PublicUrl = Annotated[str, BeforeValidator(_bare), AfterValidator(_public_url)]
Database = Annotated[str, AfterValidator(_database)]
Port = Annotated[int, BeforeValidator(_port)]
HeaderSecret = Annotated[SecretStr, BeforeValidator(_bare), AfterValidator(_header_secret)]
ProxyUrl = Annotated[SecretStr, BeforeValidator(_bare)]  # what it must be like is read by service.network.proxy
WebhookSecret = Annotated[SecretStr, BeforeValidator(_bare), AfterValidator(_webhook_secret)]
Region = Annotated[str, AfterValidator(_region)]
ApiKeyEntry = Annotated[ApiKey, BeforeValidator(_api_key)]


LEAST_DAYS = 7
"""Providers remember tasks for a day or two, and what they list is ours only if we know it; idempotency keys are kept
for two days."""


def _kept_tasks(days: int) -> int:
    if 0 < days < LEAST_DAYS or days < 0:
        raise ValueError(f"it must be 0 (for ever) or {LEAST_DAYS} days or more")
    return days


KeptTasks = Annotated[int, AfterValidator(_kept_tasks)]
