"""Only requests that name this server are answered: a rebound DNS name in a browser must not reach it (421)."""

from __future__ import annotations

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from service.network.addresses import read_address


class HostGuard:
    """`public_host` is the host of the public URL, None without one. Loopback names are always allowed."""

    def __init__(self, app: ASGIApp, public_host: str | None) -> None:
        self._app = app
        self._public_host = public_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._allowed(scope):
            await self._app(scope, receive, send)
            return
        text = "This server is not known by that Host. Use its address, or set RINGBACK_PUBLIC_URL."
        await JSONResponse({"error": {"code": "misdirected_request", "message": text}}, 421)(scope, receive, send)

    def _allowed(self, scope: Scope) -> bool:
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        return len(hosts) == 1 and (_is_loopback(name := host_name(hosts[0])) or name == self._public_host)


def _is_loopback(host: str) -> bool:
    address = read_address(host)
    return host == "localhost" if address is None else address.is_loopback


def host_name(authority: str) -> str:
    """The host of `host[:port]`, lower-case, without the brackets of an IPv6 literal."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0].lower()
    return authority.partition(":")[0].lower().removesuffix(".")
