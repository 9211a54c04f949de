"""Which addresses of media can work at all, by kind and provider."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from adapters.messages import Kind, Media
from adapters.providers import Provider

NEVER_INLINE = frozenset(
    {
        Kind.FIRST_CLIP,
        Kind.REFERENCE_VIDEO,
        Kind.REFERENCE_AUDIO,
        Kind.DRIVING_AUDIO,
        Kind.VIDEO,
        Kind.LINK,
    }
)
"""Kinds that Alibaba takes by address only; images may also be `data:` URIs."""

BASE64 = re.compile(r"[A-Za-z0-9+/_=\s-]+")
"""The Vercel AI SDK sends image bytes as bare base64 in `img_url`; the first characters are enough to tell."""


def url_problem(media: Media, provider: Provider) -> tuple[str, str] | None:
    """What is given and what is allowed when an address of `media` cannot work; never more of it than its host."""
    inline = media.kind not in NEVER_INLINE
    addresses = [(media.url, inline)] if media.voice is None else [(media.url, inline), (media.voice, False)]
    for url, may_inline in addresses:
        if not _works(url, may_inline, provider):
            return _shown(url), _allowed(may_inline, provider)
    return None


def _works(url: str, may_inline: bool, provider: Provider) -> bool:
    scheme, host = _parts(url)
    match scheme:
        case "http" | "https":
            return bool(host)
        case "oss":
            return _knows_uploads(provider)
        case "data":
            return may_inline
        case "":
            return may_inline and BASE64.fullmatch(url[:256]) is not None
    return False


def _knows_uploads(provider: Provider) -> bool:
    """`oss://` names an upload of one DashScope account; the gateways' and AceData's documents want public links."""
    return provider.shape == "native"


def _parts(url: str) -> tuple[str, str]:
    """Scheme and host. An inline image is several megabytes long: only the beginning is looked at."""
    try:
        parts = urlsplit(url[:2048])
        return parts.scheme, parts.hostname or ""
    except ValueError:
        return "invalid", ""


def _shown(url: str) -> str:
    scheme, host = _parts(url)
    if scheme == "data":
        return "an inline data: URI"
    return f"{scheme}://{host}" if scheme and host else f"{len(url)} characters that are no URL"


def _allowed(may_inline: bool, provider: Provider) -> str:
    schemes = ("http", "https", *(("oss",) if _knows_uploads(provider) else ()), *(("data",) if may_inline else ()))
    return ", ".join(schemes)
