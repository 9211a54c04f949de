"""A receiver on loopback that answers byte by byte as a test wants, and names that lead where a test wants."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from service.network.addresses import Address

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Asked:
    """One request as it came: which connection of the receiver, counted from 0, brought it."""

    connection: int
    head: bytes
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        lines = self.head.decode().split("\r\n")[1:]
        return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines) if name}


Answer = Callable[[Asked, asyncio.StreamWriter], Awaitable[bool | None]]
"""Writes a reply; False hangs up afterwards."""


async def fine(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(OK)


def saying(reply: bytes) -> Answer:
    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(reply)

    return answer


async def hang_up(_: Asked, writer: asyncio.StreamWriter) -> bool:
    return False


async def silence(_: Asked, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


@dataclass
class Receiver:
    """`gone` is set when a client has hung up on an answer that was still being written."""

    answer: Answer = fine
    host: str = "127.0.0.1"
    port: int = 0
    connections: int = 0
    asked: list[Asked] = field(default_factory=list)
    open: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    sni: list[str | None] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/hook"

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number, self.connections = self.connections, self.connections + 1
        self.open += 1
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
                while True:
                    asked = await _read_request(reader, number)
                    self.asked.append(asked)
                    try:
                        if await self.answer(asked, writer) is False:
                            return
                        await writer.drain()
                    except ConnectionError:
                        self.gone.set()
                        return
        finally:
            self.open -= 1
            writer.close()


async def _read_request(reader: asyncio.StreamReader, number: int) -> Asked:
    head = await reader.readuntil(b"\r\n\r\n")
    asked = Asked(number, head, b"")
    asked.body = await reader.readexactly(int(asked.headers.get("content-length", "0")))
    return asked


@asynccontextmanager
async def receiving(
    answer: Answer = fine, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    receiver = Receiver(answer, host)
    if tls:
        tls.sni_callback = lambda _socket, name, _context: receiver.sni.append(name)
    server = await asyncio.start_server(receiver._accept, host, port, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        tasks = list(receiver._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


class Names:
    """A resolver: each name has a list of answers, given one after the other, the last one for ever."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self.answers = {name.replace("_", "."): list(given) for name, given in answers.items()}
        self.looked_up: list[str] = []

    def set(self, name: str, *answers: Sequence[str]) -> Names:
        self.answers[name] = list(answers)
        return self

    async def __call__(self, name: str, port: int) -> list[Address]:
        self.looked_up.append(name)
        answers = self.answers.get(name, [[]])
        texts = answers.pop(0) if len(answers) > 1 else answers[0]
        return [ipaddress.ip_address(text) for text in texts]


def certified(folder: Path, *names: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's and a client's context around one self-signed certificate for these names."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain = folder / "certificate.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain.write_bytes(private + certificate.public_bytes(pem))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain)
    return server, ssl.create_default_context(cafile=chain)
