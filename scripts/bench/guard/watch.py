"""What is seen from below: every socket that Python connects, every name that it looks up, and a door that nobody may
knock at. Nothing leaves this machine: a connection to anywhere else fails before it is begun."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from unittest.mock import patch

from scripts.bench.guard.addresses import Address, is_public
from scripts.bench.guard.urls import SLOW, Answer, Case


class Unplugged(ConnectionRefusedError):
    """This machine has no network."""


@dataclass
class Watch:
    """`dialled` are the addresses that sockets were to be connected to, `knocks` the connections to loopback that were
    really made, `names` what DNS was asked for; `begin` forgets all three for the next case. Threads that were there
    before the watch may be anybody's, and connect unseen."""

    dialled: list[tuple[Address, int]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    knocks: int = 0
    port: int = 0
    connections: Counter[str] = field(default_factory=Counter)
    release: threading.Event = field(default_factory=threading.Event)
    _strangers: frozenset[int | None] = field(
        default_factory=lambda: frozenset({each.ident for each in threading.enumerate()} - {threading.get_ident()})
    )
    _answers: list[Answer] = field(default_factory=list)
    _dotless: bool = False

    def begin(self, case: Case) -> None:
        self.dialled.clear()
        self.names.clear()
        self.release.set()
        self.release = threading.Event()
        self._answers = list(case.answers)
        self._dotless = case.dotless

    def connecting(self, address: Any) -> None:
        """Lets loopback pass, where the door is; raises `Unplugged` for all others."""
        if threading.get_ident() in self._strangers:
            return
        host = ip_address(str(address[0]).partition("%")[0])
        self.dialled.append((host, int(address[1])))
        self.connections["public" if is_public(host) else "forbidden"] += 1
        if not host.is_loopback:
            raise Unplugged("not connected: there is no network here")

    def look_up(self, name: str | bytes | None, port: object, *_: object, **__: object) -> list[Any]:
        """In place of `socket.getaddrinfo`. A chain of aliases shows as the canonical name of its end."""
        assert isinstance(name, str)
        self.names.append(name)
        if self._dotless and name.endswith("."):
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer is SLOW:
            self.release.wait()  # until the next case begins
            raise socket.gaierror(socket.EAI_AGAIN, "no server answered")
        if not answer:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [_found(address, port) for address in answer]


def _found(address: Address, port: object) -> tuple[Any, ...]:
    if address.version == 4:
        return (socket.AF_INET, socket.SOCK_STREAM, 6, "alias.example-cdn.net", (str(address), port))
    scope = "%lo" if address.is_link_local else ""
    return (
        socket.AF_INET6,
        socket.SOCK_STREAM,
        6,
        "alias.example-cdn.net",
        (f"{address}{scope}", port, 0, 1 if scope else 0),
    )


_watching: list[Watch] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event == "socket.connect" and isinstance(arguments[1], tuple):
        _watching[-1].connecting(arguments[1])


@contextmanager
def _eyes(watch: Watch) -> Iterator[None]:
    if not _eyes_open:
        sys.addaudithook(_audit)  # there is no way to take it off again
        _eyes_open.append(True)
    _watching.append(watch)
    try:
        with patch("socket.getaddrinfo", watch.look_up):
            yield
    finally:
        watch.release.set()
        _watching.remove(watch)


_eyes_open: list[bool] = []


@asynccontextmanager
async def watching() -> AsyncIterator[Watch]:
    watch = Watch()

    async def door(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        watch.knocks += 1
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(door, "127.0.0.1", 0)
    watch.port = server.sockets[0].getsockname()[1]
    try:
        with _eyes(watch):
            yield watch
    finally:
        server.close()
        await server.wait_closed()
