"""Receivers whose reply has no end, is a bomb, or breaks the rules of HTTP."""

from __future__ import annotations

import gzip
import zlib

from tests.service.hostile.kinds import Kind, says, says_and_closes, says_for_ever
from tests.service.hostile.stages import CHUNKED, HEAD, LATE, OK

TOO_LONG = "too long|not HTTP"
NOT_HTTP = "not HTTP"
START = b"HTTP/1.1 200 OK\r\n"
ZEROS = b"0" * 20_000_000


def whole(body: bytes, *lines: bytes, status: bytes = b"200 OK") -> bytes:
    head = [b"HTTP/1.1 " + status, *lines, b"Content-Length: %d" % len(body)]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def bare(*lines: bytes, status: bytes = b"200 OK") -> bytes:
    """A reply without a body whose head is these lines."""
    return b"\r\n".join([b"HTTP/1.1 " + status, *lines, b"", b""])


ENDLESS = (
    Kind("body without end, chunked", says_for_ever(CHUNKED, b"1000\r\n" + b"x" * 0x1000 + b"\r\n"), status=200),
    Kind("body without end, until closed", says_for_ever(START + b"\r\n", b"x" * 4096), status=200),
    Kind("body of a petabyte", says_for_ever(bare(b"Content-Length: 1000000000000000"), b"x" * 4096), status=200),
    Kind("chunks of one byte without end", says_for_ever(CHUNKED, b"1\r\nx\r\n" * 500), status=200),
    Kind("chunk size without end", says_for_ever(CHUNKED, b"0" * 4096), status=200),
    Kind("chunk extension without end", says_for_ever(CHUNKED + b"1;", b"x" * 4096), status=200),
    Kind("trailers without end", says_for_ever(CHUNKED + b"0\r\n", b"X-Trailer: x\r\n" * 99), status=200),
    Kind("headers without end", says_for_ever(START, b"X-Header: x\r\n" * 99), reason=TOO_LONG),
    Kind("one header without end", says_for_ever(START + b"X: ", b"x" * 4096), reason=TOO_LONG),
    Kind("status line without end", says_for_ever(b"HTTP/1.1 200 ", b"x" * 4096), reason=TOO_LONG),
    Kind("empty lines without end", says_for_ever(b"", b"\r\n" * 999), reason=TOO_LONG),
    Kind("zeros without end", says_for_ever(b"", b"\0" * 4096), reason=TOO_LONG),
    Kind("100 Continue without end", says_for_ever(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 99), reason=TOO_LONG),
    Kind("early hints without end", says_for_ever(b"", bare(b"Link: </>", status=b"103 E") * 9), reason=TOO_LONG),
    Kind("answers without end", says_for_ever(OK, OK * 99), status=200),
)

BOMBS = (
    Kind("gzip bomb", says(whole(gzip.compress(ZEROS), b"Content-Encoding: gzip")), status=200),
    Kind(
        "gzip bomb in gzip",
        says(whole(gzip.compress(gzip.compress(ZEROS)), b"Content-Encoding: gzip, gzip")),
        status=200,
    ),
    Kind("deflate bomb", says(whole(zlib.compress(ZEROS), b"Content-Encoding: deflate")), status=200),
    Kind("broken gzip", says(whole(b"\x1f\x8bnope", b"Content-Encoding: gzip")), status=200),
    Kind("brotli announced", says(whole(b"\xff" * 64, b"Content-Encoding: br")), status=200),
    Kind("zstd announced", says(whole(b"\x28\xb5\x2f\xfd" * 9, b"Content-Encoding: zstd")), status=200),
    Kind("compressed transfer", says(bare(b"Transfer-Encoding: gzip, chunked")), reason=NOT_HTTP),
)

HEADERS = (
    Kind("thousands of headers", says(whole(b"", *(b"X-%d: v" % number for number in range(4000)))), status=200),
    Kind("a header of 50 kB", says(whole(b"", b"X: " + b"x" * 50_000)), status=200),
    Kind("a header of 200 kB", says(whole(b"", b"X: " + b"x" * 200_000)), reason=TOO_LONG),
    Kind(
        "a hundred cookies", says(whole(b"", *(b"Set-Cookie: c%d=v; Domain=.com" % n for n in range(100)))), status=200
    ),
    Kind("header without a colon", says(whole(b"", b"nonsense")), reason=NOT_HTTP),
    Kind("header without a name", says(whole(b"", b": x")), reason=NOT_HTTP),
    Kind("space in a header's name", says(whole(b"", b"X y: z")), reason=NOT_HTTP),
    Kind("space before the colon", says(whole(b"", b"Content-Length : 5")), reason=NOT_HTTP),
    Kind("NUL in a header", says(whole(b"", b"X: a\0b")), reason=NOT_HTTP),
    Kind("escape sequences in a header", says(whole(b"", b"X: \x1b[2J\x07\x08", b"Server: a\x7fb")), status=200),
    Kind("bytes that are no UTF-8", says(whole(b"\xff\xfe", b"X: \xff\xfe\x80")), status=200),
    Kind("bytes in the reason", says(bare(b"Content-Length: 0", status=b"200 \xf0\x9f\x92\xa9\xff")), status=200),
    Kind("NUL in the reason", says(bare(b"Content-Length: 0", status=b"200 \0")), reason=NOT_HTTP),
    Kind("no reason", says(bare(b"Content-Length: 0", status=b"200")), status=200),
    Kind("folded header", says(whole(b"", b"X: a\r\n b")), status=200),
    Kind("fold before any header", says(b"HTTP/1.1 200 OK\r\n X: a\r\n\r\n"), reason=NOT_HTTP),
    Kind("bare line feeds", says(b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"), status=200),
    Kind("bare carriage returns", says(b"HTTP/1.1 200 OK\rContent-Length: 0\r\r"), reason=LATE),
    Kind("a reply split by a header", says(whole(b"", b"X: a\r\n\r\nHTTP/1.1 200 OK\r\nY: b")), status=200),
)

FRAMING = (
    Kind("two status lines", says(START + OK), reason=NOT_HTTP),
    Kind(
        "length and chunks",
        says(bare(b"Content-Length: 3", b"Transfer-Encoding: chunked") + b"2\r\nok\r\n0\r\n\r\n"),
        status=200,
    ),
    Kind("two lengths", says(bare(b"Content-Length: 2", b"Content-Length: 3") + b"ok!"), reason=NOT_HTTP),
    Kind("one length twice", says(bare(b"Content-Length: 2", b"Content-Length: 2") + b"ok"), status=200),
    Kind("negative length", says(bare(b"Content-Length: -1")), reason=NOT_HTTP),
    Kind("signed length", says(bare(b"Content-Length: +2") + b"ok"), reason=NOT_HTTP),
    Kind("length in words", says(bare(b"Content-Length: two") + b"ok"), reason=NOT_HTTP),
    Kind("length of a hundred digits", says(bare(b"Content-Length: " + b"9" * 100)), reason=NOT_HTTP),
    Kind("more than its length", says(OK + b" and more"), status=200),
    Kind("less than its length", says_and_closes(HEAD), status=200),
    Kind("chunk size that is no number", says(CHUNKED + b"zz\r\nok\r\n"), status=200),
    Kind("negative chunk size", says(CHUNKED + b"-2\r\nok\r\n"), status=200),
    Kind("chunk size of a hundred digits", says(CHUNKED + b"f" * 100 + b"\r\n"), status=200),
    Kind("chunk of 2^64 bytes", says(CHUNKED + b"10000000000000000\r\nok"), status=200),
    Kind("chunk without its end", says(CHUNKED + b"2\r\nok2\r\nok\r\n"), status=200),
    Kind("chunked twice", says(bare(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked")), reason=NOT_HTTP),
    Kind("identity transfer", says(bare(b"Transfer-Encoding: identity") + b"ok"), reason=NOT_HTTP),
    Kind("204 with a body", says(whole(b"body", status=b"204 No Content")), status=204),
    Kind("304 with a body", says(whole(b"body", status=b"304 Not Modified")), status=304),
    Kind("205 without a length", says_and_closes(bare(status=b"205 Reset Content")), status=205),
    Kind(
        "101 that nobody asked for",
        says(bare(b"Upgrade: websocket", b"Connection: upgrade", status=b"101 S")),
        reason=NOT_HTTP,
    ),
    Kind("only a 100", says_and_closes(bare(status=b"100 Continue")), reason="broke off"),
    Kind("status 999", says(whole(b"", status=b"999 Request denied")), status=999),
    Kind("status 99", says(whole(b"", status=b"99 Low")), reason=NOT_HTTP),
    Kind("status 1000", says(whole(b"", status=b"1000 High")), reason=NOT_HTTP),
    Kind("status 000", says(whole(b"", status=b"000 Zero")), reason=NOT_HTTP),
    Kind("status in words", says(whole(b"", status=b"OK fine")), reason=NOT_HTTP),
)

PROTOCOLS = (
    Kind("HTTP/0.9", says_and_closes(b"<h1>It works!</h1>"), reason="broke off"),
    Kind("HTTP/1.0", says_and_closes(b"HTTP/1.0 200 OK\r\n\r\nok"), status=200),
    Kind("HTTP/1.2", says(b"HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n"), status=200),
    Kind("HTTP/2 preface", says(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), reason=NOT_HTTP),
    Kind(
        "HTTP/2 frames",
        says(b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x04\0\x01\0\0\0\x05\0\xff\xff\xff"),
        reason=NOT_HTTP,
    ),
    Kind("HTTP/3", says(b"HTTP/3 200\r\n\r\n"), reason=NOT_HTTP),
    Kind("ICY", says(b"ICY 200 OK\r\n\r\n"), reason=NOT_HTTP),
    Kind("SMTP", says(b"220 mail.example.com ESMTP\r\n"), reason=LATE),
    Kind("Redis", says(b"-ERR unknown command 'POST'\r\n"), reason=LATE),
    Kind("random bytes", says(bytes(range(256)) * 8), reason=NOT_HTTP),
    Kind("an echo of a request", says(b"POST /hook HTTP/1.1\r\nHost: x\r\n\r\n"), reason=NOT_HTTP),
)


def moved(*lines: bytes, status: bytes = b"302 Found") -> bytes:
    return whole(b"", *lines, status=status)


LEADING = (
    Kind("redirect to itself", says(moved(b"Location: /hook")), status=302),
    Kind("redirect to the metadata service", says(moved(b"Location: http://169.254.169.254/latest")), status=302),
    Kind("permanent redirect to loopback", says(moved(b"Location: http://127.0.0.1:22/", status=b"308 P")), status=308),
    Kind("redirect to a file", says(moved(b"Location: file:///etc/passwd", status=b"307 T")), status=307),
    Kind("redirect to gopher", says(moved(b"Location: gopher://127.0.0.1:6379/_FLUSHALL")), status=302),
    Kind("redirect to javascript", says(moved(b"Location: javascript:alert(1)")), status=302),
    Kind("redirect to something that is no URL", says(moved(b"Location: http://[::1")), status=302),
    Kind("redirect to nowhere", says(moved()), status=302),
    Kind("redirect of 60 kB", says(moved(b"Location: https://a.example.com/" + b"a" * 60_000)), status=302),
    Kind("two redirects", says(moved(b"Location: http://10.0.0.1/", b"Location: http://10.0.0.2/")), status=302),
    Kind("refresh", says(whole(b"", b"Refresh: 0; url=http://169.254.169.254/")), status=200),
    Kind("another service", says(whole(b"", b'Alt-Svc: h2="127.0.0.1:22"; ma=9999')), status=200),
    Kind("asks for a password", says(whole(b"", b"WWW-Authenticate: Basic realm=x", status=b"401 U")), status=401),
    Kind(
        "asks for a proxy's password", says(whole(b"", b"Proxy-Authenticate: Negotiate", status=b"407 P")), status=407
    ),
    Kind("asks for a certificate", says(whole(b"", status=b"496 Certificate")), status=496),
    Kind("retry after an age", says(whole(b"", b"Retry-After: " + b"9" * 500, status=b"503 B")), status=503),
    Kind(
        "retry in the year 99999999999",
        says(whole(b"", b"Retry-After: Mon, 01 Jan 99999999999 00:00:00 GMT", status=b"429 T")),
        status=429,
    ),
)
