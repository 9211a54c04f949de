"""Where callbacks arrive, and are believed only with a signature that the independent library verifies."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import Any

import httpx
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PATIENCE = 30.0


@dataclass(frozen=True)
class Received:
    """One POST at the inbox that verified, `at` seconds since the epoch. `answer` is what its task's own GET said at
    that very moment, if asked."""

    path: str
    at: float
    raw: bytes
    answer: Any = None

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


class Inbox:
    """Receives callbacks and believes only what `standardwebhooks` verifies, by the real clock and one of `secrets`.
    `looks` maps a path to a URL that is read with the client's key before the callback there is answered; `{}` in it is
    the task's id."""

    def __init__(self, key: str, secret: str) -> None:
        self.url = ""
        self.key = key
        self.secrets = [secret]
        self.forged: list[bytes] = []
        self.looks: dict[str, str] = {}
        self._received: list[Received] = []
        self._news = threading.Condition()
        self.app = Starlette(routes=[Route("/{path:path}", self.receive, methods=["POST"])])

    async def receive(self, request: Request) -> Response:
        at, path = time.time(), request.url.path
        raw, headers = await request.body(), dict(request.headers)
        if not any(_genuine(secret, raw, headers) for secret in self.secrets):
            self.forged.append(raw)
            return Response(status_code=401)
        answer = await self._look(path, json.loads(raw))
        with self._news:
            self._received.append(Received(path, at, raw, answer))
            self._news.notify_all()
        return Response(status_code=204)

    def wait(self, path: str, words: str = "") -> list[Received]:
        """What came to `path` with `words` in its body, once there is something; fails the test after a while."""

        def found() -> list[Received]:
            return [one for one in self._received if one.path == path and words.encode() in one.raw]

        with self._news:
            assert self._news.wait_for(found, PATIENCE), f"nothing came to {path}"
            return found()

    async def _look(self, path: str, body: Any) -> Any:
        url = self.looks.get(path)
        if url is None:
            return None
        task_id = body.get("task_id") or body["output"]["task_id"]
        async with httpx.AsyncClient(headers={"authorization": f"Bearer {self.key}"}, trust_env=False) as client:
            return (await client.get(url.format(task_id))).json()


def _genuine(secret: str, raw: bytes, headers: dict[str, str]) -> bool:
    try:
        Webhook(secret).verify(raw, headers)
    except WebhookVerificationError:
        return False
    return True
