"""Which static headers an endpoint may have. Pure.

HTTP libraries write what they are given: a value with a line break becomes two headers, a second Content-Length another
request (request smuggling). So names and values are judged when they are set and again before they are written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

MOST = 20
LONGEST_NAME, LONGEST_VALUE = 100, 2000
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 5.6.2
VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
OURS = re.compile(
    r"host|content-.*|transfer-encoding|connection|keep-alive|te|trailer|upgrade|expect|cookie|proxy-.*|webhook-.*"
    r"|accept-encoding",
    re.IGNORECASE,
)
"""What frames a request, leads it elsewhere, is signed, or asks for an answer that we do not unpack."""


def wrong_headers(headers: Mapping[str, str]) -> str | None:
    """What is wrong with them, in a sentence that never tells a value; None if nothing is."""
    if len(headers) > MOST:
        return f"at most {MOST} are allowed"
    if len({name.lower() for name in headers}) < len(headers):
        return "each name may stand there once; capitals make no difference"
    return next((wrong for name, value in headers.items() if (wrong := _wrong(name, value))), None)


def _wrong(name: str, value: str) -> str | None:
    if not TOKEN.fullmatch(name) or len(name) > LONGEST_NAME:
        return f"a name is made of letters, digits and hyphens (an RFC 9110 token), at most {LONGEST_NAME} of them"
    if OURS.fullmatch(name):
        return f"{name} is set by this server and cannot be given"
    if not VALUE.fullmatch(value) or len(value) > LONGEST_VALUE:
        return f"{name}: visible ASCII characters are needed, at most {LONGEST_VALUE}, blanks only between them"
    return None
