"""Answers that do not come as they should: a connection that closes, a body that stops half-way, a proxy's own page."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
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


class Slow(Response):
    """Another answer, whose body stops half-way for some seconds."""

    def __init__(self, answer: Response, seconds: float, sleep: Callable[[float], Awaitable[None]]) -> None:
        super().__init__(bytes(answer.body), answer.status_code, dict(answer.headers))
        self._seconds = seconds
        self._sleep = sleep

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        middle = len(self.body) // 2
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body[:middle], "more_body": True})
        await self._sleep(self._seconds)
        await send({"type": "http.response.body", "body": self.body[middle:]})


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
