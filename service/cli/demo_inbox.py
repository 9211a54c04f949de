"""The demo's receiver of callbacks: it believes nothing that does not carry a good signature."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.keys.signing import Verdict, verify

Message = MutableMapping[str, Any]
REFUSED, TAKEN = 401, 204


@dataclass(frozen=True, slots=True)
class Received:
    """One POST. `body` is what it said, None if that was not JSON; `verdict` judges its signature; `at` is the time
    since the epoch, in seconds."""

    path: str
    webhook_id: str
    body: Any
    verdict: Verdict
    at: float


class Inbox:
    """An ASGI application, complete with its trust: 204 for what verifies, 401 for the rest. `tell` gets both."""

    def __init__(self, secrets: Sequence[str], tell: Callable[[Received], object] = lambda received: None) -> None:
        self._secrets = secrets
        self.tell = tell

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        raw = await _body(receive)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        now = time.time()
        verdict = verify(self._secrets, headers, raw, int(now))
        status = TAKEN if verdict.ok else REFUSED
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body"})
        self.tell(Received(scope["path"], headers.get("webhook-id", ""), _json(raw), verdict, now))


async def _body(receive: Callable[[], Awaitable[Message]]) -> bytes:
    parts = bytearray()
    more = True
    while more:
        message = await receive()
        parts += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(parts)


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None
