"""Why an exchange ended without a reply, in words that a receiver's owner can act on."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import httpx

from service.network.dialling import Elsewhere, TooLong
from service.network.phases import Phases
from service.network.proxy import CannotReach


def reason_of(error: Exception, phases: Phases) -> str:
    """Half a sentence that names what went wrong; no URL and no secret is in it."""
    if isinstance(error, httpx.ConnectTimeout):
        return late(phases)
    match error:
        case httpx.ConnectError():
            return _why_not_connected(error)
        case httpx.PoolTimeout():
            return "too many requests to this host at once"
        case httpx.TimeoutException() | TimeoutError():
            return "no complete answer in time"
        case httpx.RemoteProtocolError() if "disconnected" not in str(error):
            return "the answer was not HTTP"
        case httpx.LocalProtocolError() | httpx.UnsupportedProtocol():
            return "the request could not be written"
        case httpx.DecodingError():
            return "the answer's encoding could not be read"
    match error.__cause__:
        case TooLong():
            return "the answer was too long"
        case Elsewhere():
            return "the connection led elsewhere than to the checked address"
    return _why_broken_off(error)


def late(phases: Phases) -> str:
    """Which step took so long that no connection was made in time."""
    if phases.tls_ms is not None:
        return "the TLS handshake did not end in time"
    if phases.dns_ms is not None and phases.connect_ms is None:
        return "the host name could not be looked up in time"
    return "no connection in time"


def _why_broken_off(error: BaseException) -> str:
    tls = next((cause for cause in _causes(error) if isinstance(cause, ssl.SSLError)), None)
    return f"TLS was broken off{_tls_words(tls)}" if tls else "the connection broke off"


def _why_not_connected(error: BaseException) -> str:
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return f"the TLS certificate was not accepted: {cause.verify_message}"
            case ssl.SSLError():
                return f"the TLS handshake failed{_tls_words(cause)}"
            case CannotReach():
                return f"the proxy could not connect to the receiver (it answered {cause.status})"
            case ConnectionRefusedError():
                return "the connection was refused"
            case socket.gaierror():
                return "the host name does not resolve"
    return "the connection failed"


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _tls_words(error: ssl.SSLError) -> str:
    """OpenSSL's own name for it, as in "wrong version number" or "tlsv13 alert certificate required"."""
    return f": {error.reason.lower().replace('_', ' ')}" if error.reason else ""
