"""Links to results: until when they lead anywhere, and how a message with an old one tells the new. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

DAY_MS = 24 * 3600 * 1000
"""How long a link is good that does not say so itself (DashScope: "valid for 24 hours")."""

EPOCH = re.compile(r"[0-9]{10}")
SECONDS = re.compile(r"[0-9]{1,8}")
SIGNERS = ("x-amz", "x-oss", "x-goog")
"""Whose links carry a date and a number of seconds: `X-Amz-Date`, `X-Amz-Expires`."""

REFRESHED = "video_url_refreshed_at"


def expires_at(url: str, ended_at: int) -> int:
    """When a link ends, in milliseconds: by its own parameters, else a day after the video was done."""
    try:
        query = {name.lower(): value for name, value in parse_qsl(urlsplit(url).query)}
    except ValueError:
        return ended_at + DAY_MS
    if EPOCH.fullmatch(query.get("expires", "")):  # OSS, CloudFront: seconds since 1970
        return int(query["expires"]) * 1000
    signed = (_signed(query, signer) for signer in SIGNERS)
    return next((at for at in signed if at is not None), ended_at + DAY_MS)


def _signed(query: Mapping[str, str], signer: str) -> int | None:
    seconds = query.get(f"{signer}-expires", "")
    try:
        begun = datetime.strptime(query.get(f"{signer}-date", ""), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(begun.timestamp() + int(seconds)) * 1000 if SECONDS.fullmatch(seconds) else None


def carries(body: bytes, url: str) -> bool:
    """Whether a message tells a link."""
    return _quoted(url) in body


def with_link(body: bytes, old: str, new: str, at: str) -> bytes:
    """The bytes with one link in the other's place, wherever it stands; an event says when that was. Everything else
    stays as it is."""
    changed = body.replace(_quoted(old), _quoted(new))
    if changed == body:
        return body
    content: dict[str, Any] = json.loads(changed)
    data = content.get("data")
    if not isinstance(data, dict) or "task_id" not in data:  # the client's own shape has no word for it
        return changed
    data[REFRESHED] = at
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _quoted(url: str) -> bytes:
    return json.dumps(url, ensure_ascii=False).encode()
