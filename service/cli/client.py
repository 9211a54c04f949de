"""A client of a running server: asks, and turns every way of not getting an answer into a sentence and an exit code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

import httpx

from service.cli.composing import Known, find_builtin
from service.cli.exits import Refused, Unreachable
from service.cli.options import load_client_settings
from service.settings import ClientSettings, is_loopback

SECONDS = 60.0


class Lost(Unreachable):
    """The request may have been heard, but no answer came."""


class Client:
    """`RINGBACK_URL` and `RINGBACK_KEY` unless `settings` are given. Raises `Misused` for settings that are wrong."""

    def __init__(self, settings: ClientSettings | None = None) -> None:
        settings = settings or load_client_settings()
        self.url = settings.url
        self._has_key = settings.key is not None
        headers = {"authorization": f"Bearer {settings.key.get_secret_value()}"} if settings.key else {}
        local = is_loopback(urlsplit(settings.url).hostname or "")  # no proxy leads back to this machine
        self._http = httpx.Client(base_url=settings.url, headers=headers, timeout=SECONDS, trust_env=not local)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, **query: str | int | None) -> Any:
        """The JSON of a reply. Raises `Unreachable` or `Refused`."""
        asked = {name: value for name, value in query.items() if value is not None}
        return self._answer("GET", path, params=asked)

    def post(self, path: str, fields: Mapping[str, Any]) -> Any:
        return self._answer("POST", path, json=fields)

    def patch(self, path: str, fields: Mapping[str, Any]) -> Any:
        return self._answer("PATCH", path, json=fields)

    def delete(self, path: str) -> None:
        self._answer("DELETE", path)

    @staticmethod
    def path(room: str, which: str, *verb: str) -> str:
        """The path of one thing in a room of the API, whatever characters its id has."""
        return "/".join((room, quote(which, safe=""), *verb))

    def record(self, task_id: str, hold: int = 0) -> Any:
        """Everything that the server knows of a task; asked to hold its answer for so many seconds until the task has
        ended. A server that cannot do so answers at once."""
        headers = {"prefer": f"wait={hold}"} if hold else {}
        return self._answer("GET", self.path("/v1/tasks", task_id, "record"), headers=headers)

    def cancel(self, task_id: str) -> Any:
        return self._answer("POST", f"/v1/tasks/{quote(task_id, safe='')}/cancel", json={})

    def expunge(self, task_id: str) -> Any:
        return self._answer("DELETE", f"/v1/tasks/{quote(task_id, safe='')}")

    def adopt(self, task_id: str, found: Mapping[str, str]) -> Any:
        return self._answer("POST", f"/v1/tasks/{quote(task_id, safe='')}/adopt", json=found)

    def send_again(self, task_id: str, provider: str | None, *, confirm: bool) -> Any:
        path = f"/v1/tasks/{quote(task_id, safe='')}/send-again"
        return self._answer("POST", path, json={"confirm": confirm} | ({"provider": provider} if provider else {}))

    def settle(self, task_id: str, micros: int | None, placement: str | None) -> Any:
        which = {"placement": placement} if placement else {}
        return self.post(self.path("/v1/tasks", task_id, "settle"), {"amount_micros": micros, **which})

    def subscribe(self, task_id: str, wish: Mapping[str, Any]) -> Any:
        return self.post(self.path("/v1/tasks", task_id, "subscriptions"), wish)

    def watch(self, wish: Mapping[str, Any]) -> Any:
        return self._answer("POST", "/v1/watch", json=wish)

    def model(self, name: str) -> Known | None:
        """A model or an alias; the server is asked for what does not come with us, because it may have its own."""
        return find_builtin(name) or next(
            (
                Known(each["service"], each["mode"])
                for each in self.get("/v1/models")["models"]
                if name in (each["model"], *each["aliases"])
            ),
            None,
        )

    def replay(self, noun: str, which: str, how: Mapping[str, Any]) -> Any:
        """`noun` is "deliveries" or "tasks"."""
        return self._answer("POST", f"/v1/{noun}/{quote(which, safe='')}/replay", json=how)

    def begin_replay(self, wish: Mapping[str, Any]) -> Any:
        return self._answer("POST", "/v1/replays", json=wish)

    def cancel_replay(self, replay_id: str) -> Any:
        return self._answer("POST", f"/v1/replays/{quote(replay_id, safe='')}/cancel", json={})

    def try_receiver(self, wish: Mapping[str, Any]) -> Any:
        return self._answer("POST", "/v1/test-events", json=wish)

    def explain(self, question: Mapping[str, Any]) -> Any:
        return self._answer("POST", "/v1/explain", json=question)

    def submit(self, path: str, content: bytes, headers: Mapping[str, str], key: str) -> Any:
        """Sends a create as it is. Its reply may be held until the video is done, so there is no time-out for it.

        If the reply is lost it is asked for once more; `key`, an idempotency key, keeps that from being paid twice.
        """
        sent = {"content-type": "application/json", "idempotency-key": key, **headers}
        request = {"content": content, "headers": sent, "timeout": httpx.Timeout(SECONDS, read=None)}
        try:
            return self._answer("POST", path, **request)
        except Lost:
            return self._answer("POST", path, **request)

    def _answer(self, method: str, path: str, **request: Any) -> Any:
        with self._heard():
            reply = self._http.request(method, path, **request)
        body = _json(reply)
        if reply.is_success and (body is not None or (method == "DELETE" and not reply.content)):
            return body
        raise self._refusal(reply)

    @contextmanager
    def stream(self, path: str, place: str | None, silence: float, **query: str | None) -> Iterator[Iterator[bytes]]:
        """The bytes of an event stream behind a place, as they come; lost after `silence` seconds without any. Raises
        `Unreachable` or `Refused`, also while they are read."""
        headers = {"accept": "text/event-stream"} | ({"last-event-id": place} if place else {})
        asked = {name: value for name, value in query.items() if value is not None}
        timeout = httpx.Timeout(SECONDS, read=silence)
        with self._heard(), self._http.stream("GET", path, params=asked, headers=headers, timeout=timeout) as reply:
            if not reply.headers.get("content-type", "").startswith("text/event-stream"):
                reply.read()
                raise self._refusal(reply)
            yield reply.iter_raw()

    @contextmanager
    def _heard(self) -> Iterator[None]:
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            text = f"No server answers at {self.url}. Start one with `ringback serve`, or set RINGBACK_URL."
            raise Unreachable(text) from error
        except httpx.HTTPError as error:
            raise Lost(f"The server at {self.url} did not answer ({type(error).__name__}).") from error

    def _refusal(self, reply: httpx.Response) -> Refused | Unreachable:
        if reply.is_success:
            return Unreachable(f"What answers at {self.url} is not a Ringback server. Set RINGBACK_URL.")
        body = _json(reply)
        return Refused(self._why(reply, body), _of_error(body, "code") or "")

    def _why(self, reply: httpx.Response, body: Any) -> str:
        stranger = f"What answers at {self.url} said {reply.status_code} and nothing else. Is RINGBACK_URL right?"
        said = _of_error(body, "message") or stranger
        if reply.status_code != httpx.codes.UNAUTHORIZED:
            return said
        return "The server does not know the key in RINGBACK_KEY." if self._has_key else f"{said} Set RINGBACK_KEY."


def _json(reply: httpx.Response) -> Any:
    try:
        return reply.json()
    except ValueError:
        return None


def _of_error(body: Any, name: str) -> str | None:
    """The `message` or `code` of an error body, in whichever shape."""
    if not isinstance(body, dict):
        return None
    inner = body.get("error")
    said = inner.get(name) if isinstance(inner, dict) else body.get(name)
    return said if isinstance(said, str) else None
