"""A connection that closes where an answer should be, and the page of a proxy that has lost its upstream."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import httpx
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send


class ConnectionDropped(httpx.RemoteProtocolError):
    """What an in-process client (`httpx.ASGITransport`) sees; over a socket it sees the socket close."""


class Dropped(Response):
    """No answer at all.

    ASGI has no word for closing a connection, but a server that has begun an answer cannot take it back: uvicorn
    closes the socket when the application fails then. The header's name is one that no server may write, so the failure
    comes before the first byte. In process nobody minds the header, and the exception reaches the client.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        dropped = ConnectionDropped("Server disconnected without sending a response.")
        try:
            headers = [(b"\n", b""), (b"content-length", b"1")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
        except Exception as refused:
            raise dropped from refused
        raise dropped


def proxy_page(status: int) -> Response:
    """The page of a proxy that got no answer from the vendor behind it."""
    title = f"{status} {HTTPStatus(status).phrase}"
    page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body><center><h1>{title}</h1></center><hr>"
    return HTMLResponse(f"{page}<center>nginx</center></body>\r\n</html>\r\n", status)


@contextmanager
def dropped_quietly() -> Iterator[None]:
    """Keeps the tracebacks of connections that were dropped on purpose out of uvicorn's log."""

    def unplanned(record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], ConnectionDropped))

    logger = logging.getLogger("uvicorn.error")
    logger.addFilter(unplanned)
    try:
        yield
    finally:
        logger.removeFilter(unplanned)
