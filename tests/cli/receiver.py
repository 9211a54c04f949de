"""A receiver on loopback that checks signatures with the independent library, and may be stopped and started again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


@dataclass
class Receiver:
    """`taken` are the ids and bodies of what was good, `forged` how many were not. `answers` are the next statuses;
    after them it is 204. `secret` may become known later."""

    port: int = 0
    secret: str = ""
    taken: list[tuple[str, bytes]] = field(default_factory=list)
    forged: int = 0
    answers: list[int] = field(default_factory=list)
    came: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def take(self, headers: dict[str, str], body: bytes) -> int:
        try:
            Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError:
            self.forged += 1
            return 401
        self.taken.append((headers["webhook-id"], body))
        return self.answers.pop(0) if self.answers else 204

    def await_some(self, count: int) -> None:
        """Until so many have come that were not awaited before."""
        for _ in range(count):
            assert self.came.acquire(timeout=60), self.taken


@contextmanager
def receiving(receiver: Receiver) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(receiver.take(headers, body))
            self.end_headers()
            receiver.came.release()

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", receiver.port), Handler) as server:
        receiver.port = server.server_port
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
