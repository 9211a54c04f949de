"""Handing an event to a receiver on this machine, signed as the server signs what it delivers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from service.cli.event_stream import Frame
from service.domain.event_log import forwarded_id
from service.keys.signing import sign
from service.network.http import AGENT
from service.settings import is_loopback

SECONDS = 20.0
PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Between the tries to reach a receiver that is down, as it is while a program is started again."""


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What came of it: a status, or why there is none."""

    webhook_id: str
    elapsed_ms: int
    tries: int
    status: int | None = None
    error: str | None = None

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Forwarder:
    """`say` hears of each try that found nobody."""

    def __init__(self, url: str, secret: str, say: Callable[[str], None]) -> None:
        self._url, self._secret, self._say = url, secret, say
        local = is_loopback(urlsplit(url).hostname or "")  # no proxy leads back to this machine
        headers = {"user-agent": AGENT}
        self._http = httpx.Client(headers=headers, timeout=SECONDS, follow_redirects=False, trust_env=not local)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def forward(self, frame: Frame) -> Forwarded:
        return self.post(forwarded_id(task_of(json.loads(frame.data)), frame.type), frame.data)

    def post(self, named: str, body: bytes, content_type: str = "application/json") -> Forwarded:
        """One POST; more only if nobody is there. An answer is an answer, whatever it says."""
        tries, error, began = 0, "", time.monotonic()
        for pause in (*PAUSES, None):
            tries += 1
            try:
                reply = self._post(named, body, content_type)
                return Forwarded(named, _since(began), tries, status=reply.status_code)
            except httpx.HTTPError as trouble:
                error = _words(trouble)
            if pause is not None:
                self._say(f"{self._url}: {error}; again in {pause:g} s")
                time.sleep(pause)
        return Forwarded(named, _since(began), tries, error=error)

    def _post(self, named: str, body: bytes, content_type: str) -> httpx.Response:
        headers = sign([self._secret], named, int(time.time()), body)
        return self._http.post(self._url, content=body, headers=headers | {"content-type": content_type})


def task_of(body: dict[str, Any]) -> str:
    """The task that a body tells of: an event, or one in any shape."""
    task: str = body.get("task_id") or (body.get("output") or body["data"])["task_id"]
    return task


def _since(began: float) -> int:
    return int((time.monotonic() - began) * 1000)


def _words(trouble: httpx.HTTPError) -> str:
    if isinstance(trouble, httpx.ConnectError):
        return "nobody listens there"
    return "no answer in time" if isinstance(trouble, httpx.TimeoutException) else f"it broke off ({trouble})"
