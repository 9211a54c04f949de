"""Receivers whose TLS is wrong: identities for the ones that speak it, and bytes for those that only seem to."""

from __future__ import annotations

import asyncio
import datetime
import os
import ssl
import warnings
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from tests.service.hostile.kinds import Behave, Kind, drip, flood, reset, says, says_and_closes, says_for_ever, stay
from tests.service.hostile.stages import CHUNKED, HEAD, OK

HOST = "hook.example.com"
DAY = datetime.timedelta(days=1)
PEM = serialization.Encoding.PEM
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
CERTIFICATE = "certificate was not accepted"


class Authority:
    """A CA of its own and what it certifies. `trusted` is the context of a client that believes it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._own = self._certificate("the CA", self._key, [], ca=True)
        (folder / "ca.pem").write_bytes(self._own.public_bytes(PEM))
        self.trusted = ssl.create_default_context(cafile=folder / "ca.pem")
        self._made = 0

    def serves(self, *names: str, begins: int = -1, ends: int = 1, key: PrivateKey | None = None) -> ssl.SSLContext:
        """A server's context with a certificate for these names, valid between these days from now."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        certificate = self._certificate("receiver", key, names, begins=begins, ends=ends)
        self._made += 1
        chain = self._folder / f"{self._made}.pem"
        private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        chain.write_bytes(private + certificate.public_bytes(PEM) + self._own.public_bytes(PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.load_cert_chain(chain)
        return context

    def _certificate(
        self, name: str, key: PrivateKey, names: Sequence[str], *, ca: bool = False, begins: int = -1, ends: int = 1
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the CA")]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins * DAY)
            .not_valid_after(now + ends * DAY)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.DNSName(each) for each in names or ["none.invalid"]]), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )


def identities(folder: Path, authority: Authority) -> dict[str, ssl.SSLContext]:
    """By the word that a `Kind` names its own by."""
    (folder / "stranger").mkdir()
    stranger = Authority(folder / "stranger")
    asking = authority.serves(HOST)
    asking.verify_mode = ssl.CERT_REQUIRED
    asking.load_verify_locations(folder / "ca.pem")
    old = authority.serves(HOST)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.minimum_version = ssl.TLSVersion.TLSv1
    older = authority.serves(HOST)
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    return {
        "good": authority.serves(HOST),
        "TLS 1.2": older,
        "wrong name": authority.serves("other.example.com"),
        "wildcard of another level": authority.serves("*.com"),
        "expired": authority.serves(HOST, begins=-9, ends=-1),
        "not yet valid": authority.serves(HOST, begins=1, ends=9),
        "unknown CA": stranger.serves(HOST),
        "weak key": authority.serves(HOST, key=rsa.generate_private_key(65537, 1024)),
        "asks for a certificate": asking,
        "TLS 1.1": old,
    }


def begins_with(data: bytes, *, then: Behave | None = None) -> Behave:
    """On the port of a TLS receiver: bytes of its own instead of a handshake."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(data)
        await (then(reader, writer) if then else stay(reader))

    return behave


async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await writer.drain()


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    reset(writer)


async def drips_a_record(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await drip(writer, b"\x16\x03\x03\x00\x7a" + b"\x02" * 99)


async def floods_alerts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await flood(writer, b"\x15\x03\x03\x00\x02\x01\x5a" * 500)


async def floods_records(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await flood(writer, b"\x16\x03\x03\x40\x00" + b"\x02\xff\xff\xff" * 4096)


def breaks_its_record(begin: bytes) -> Behave:
    """Answers under TLS, then writes plain bytes into the stream of records."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await says_and_writes(begin, reader, writer)
        os.write(writer.get_extra_info("socket").fileno(), b"\x17\x03\x03\x00\x10" + b"garbage garbage!")
        await stay(reader)

    return behave


async def says_and_writes(begin: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(begin)
    await writer.drain()


async def cuts_the_wire(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await says_and_writes(HEAD + b"half", reader, writer)
    writer.transport.abort()


HANDSHAKE = "the TLS handshake failed|connection failed|broke off"
TLS = (
    Kind("certificate for another name", says(OK), reason=CERTIFICATE, tls="wrong name"),
    Kind("certificate for all of .com", says(OK), reason=CERTIFICATE, tls="wildcard of another level"),
    Kind("certificate that has expired", says(OK), reason=f"{CERTIFICATE}.*expired", tls="expired"),
    Kind("certificate of tomorrow", says(OK), reason=CERTIFICATE, tls="not yet valid"),
    Kind("certificate of an unknown CA", says(OK), reason=CERTIFICATE, tls="unknown CA"),
    Kind("certificate with a weak key", says(OK), reason=CERTIFICATE, tls="weak key"),
    Kind("asks us for a certificate", says(OK), reason="broke off|TLS", tls="asks for a certificate"),
    Kind("TLS 1.1 at most", says(OK), reason="handshake failed", tls="TLS 1.1"),
    Kind("TLS 1.2", says(OK), status=200, tls="TLS 1.2"),
    Kind("handshake that stalls", begins_with(b""), reason="TLS handshake did not end in time", tls="none"),
    Kind(
        "handshake that drips",
        begins_with(b"", then=drips_a_record),
        reason="TLS handshake did not end in time",
        tls="none",
    ),
    Kind("alert in the handshake", begins_with(b"\x15\x03\x03\x00\x02\x02\x28"), reason="handshake", tls="none"),
    Kind("alerts without end", begins_with(b"", then=floods_alerts), reason="handshake", tls="none"),
    Kind("handshake without end", begins_with(b"", then=floods_records), reason="handshake", tls="none"),
    Kind("closes in the handshake", begins_with(b"\x16\x03\x03", then=closes), reason=HANDSHAKE, tls="none"),
    Kind("resets in the handshake", begins_with(b"", then=resets), reason=HANDSHAKE, tls="none"),
    Kind("plain HTTP instead of TLS", begins_with(b"HTTP/1.1 400 Plain\r\n\r\n"), reason="handshake", tls="none"),
    Kind("random bytes instead of TLS", begins_with(bytes(range(256)) * 9), reason="handshake", tls="none"),
    Kind("broken record before the reply", breaks_its_record(b""), reason="TLS was broken off: dec", tls="good"),
    Kind("broken record in the reply", breaks_its_record(HEAD + b"half"), status=200, tls="good"),
    Kind("no farewell in the body", cuts_the_wire, status=200, tls="good"),
    Kind(
        "body without end under TLS",
        says_for_ever(CHUNKED, b"1000\r\n" + b"x" * 0x1000 + b"\r\n"),
        status=200,
        tls="good",
    ),
    Kind("closes after its reply under TLS", says_and_closes(OK), status=200, tls="good"),
)
