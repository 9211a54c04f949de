"""ASGI applications on sockets of our own, several in one loop if need be, stopped in an orderly way within seconds."""

from __future__ import annotations

import asyncio
import errno
import gc
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Literal

import uvicorn

from service.cli.exits import Failed
from service.network.addresses import read_address

MOST_FILES = 16_384

GRACE_SECONDS = 4
"""How long requests in hand may take to finish at a stop."""

LOOPBACK = {4: "127.0.0.1", 6: "::1"}
ABSENT = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
WHY = {
    errno.EADDRINUSE: "another program listens there. Stop it, or choose another port with --port",
    errno.EACCES: "this user may not listen there. Choose a port above 1023 with --port",
    errno.EADDRNOTAVAIL: "that is no address of this machine. Choose another one with --host",
}


def more_files() -> None:
    """Every open attempt and held request is a file to the system, whose usual limit is 1 024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


YOUNG = (400, 2, 1000)
"""How many objects come before the garbage collector looks through the youngest, and how often that happens before it
looks at older ones: seldom much at once. All wait for it, and by its own measure (700, 10, 10) it took 10 ms twice a
second and 90 ms twice a minute while hundreds of attempts were open."""


SWITCH_SECONDS = 0.0005
"""How long a thread may keep the interpreter while another waits for it, instead of 5 ms: the store's threads need
it for a moment after every statement, and stood behind whatever the event loop was at."""


def settle() -> None:
    """For when all is loaded: it stays to the end, and the garbage collector need not look at it. From now on nobody
    waits long for the interpreter."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*YOUNG)
    sys.setswitchinterval(SWITCH_SECONDS)


def bind(host: str, port: int) -> list[socket.socket]:
    """A socket for every address of `host`, all on one port (0: any free one). Nobody is answered yet.

    Raises `Failed` if the port is taken, or the address is none of this machine's.
    """
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            try:
                sockets.append(_bound(family, kind, protocol, (address[0], port, *address[2:])))
            except OSError as error:
                if error.errno not in ABSENT or not sockets:
                    raise  # else a name has an address of a family that is not in use here
            port = port_of(sockets)
    except OSError as error:
        for each in sockets:
            each.close()
        why = WHY.get(error.errno or 0, error.strerror or str(error))
        raise Failed(f"Cannot listen on {host} port {port}: {why}.") from None
    return sockets


def port_of(sockets: Sequence[socket.socket]) -> int:
    port: int = sockets[0].getsockname()[1]
    return port


def url_of(host: str, port: int) -> str:
    """The base URL of a server on this host; one that listens everywhere is reached by loopback, too."""
    address = read_address(host)
    shown = LOOPBACK[address.version] if address and address.is_unspecified else host
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _bound(family: int, kind: int, protocol: int, address: tuple[object, ...]) -> socket.socket:
    bound = socket.socket(family, kind, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


class Server(uvicorn.Server):
    """Listens on given sockets, leaves signals to whoever runs it, and announces its stop.

    `leaving` is called first of all at a stop, while requests are still held: uvicorn would wait for them, and the
    lifespan learns of a stop only after that.
    """

    def __init__(self, config: uvicorn.Config, leaving: Callable[[], None]) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self._leaving = leaving

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._leaving()
        await super().shutdown(sockets)


@asynccontextmanager
async def served(
    app: Callable[..., Any],
    sockets: list[socket.socket],
    *,
    lifespan: Literal["on", "off"] = "off",
    leaving: Callable[[], None] = lambda: None,
) -> AsyncIterator[None]:
    """Serves `app` inside the block; at its end requests in hand are finished and the sockets closed.

    No access log: it would print callback tokens. Forwarded headers mean nothing: the public URL is a setting.
    """
    config = uvicorn.Config(
        app,
        lifespan=lifespan,
        log_config=None,
        log_level="warning",
        access_log=False,
        ws="none",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = Server(config, leaving)
    serving = asyncio.create_task(server.serve(sockets), name="server")
    ready = asyncio.create_task(server.listening.wait())
    try:
        await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            raise RuntimeError("the server did not start") from serving.exception()
        yield
    finally:
        ready.cancel()
        server.should_exit = True
        await serving


@contextmanager
def stop_asked() -> Iterator[asyncio.Event]:
    """An event that is set by Ctrl-C or SIGTERM. Whoever asks a second time ends the process at once, as a crash does:
    that loses time, not work."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM)

    def ask() -> None:
        asked.set()
        for each in signals:
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)

    for each in signals:
        loop.add_signal_handler(each, ask)
    try:
        yield asked
    finally:
        for each in signals:
            loop.remove_signal_handler(each)
