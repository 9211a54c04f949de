"""A server without keys is for its own machine; in every mode a request must name this server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from service.app import create_app
from service.settings import SettingsError
from tests.service.asking import body_of, created, told
from tests.world import ADMIN, World, world

pytestmark = pytest.mark.anyio
OPEN: dict[str, Any] = {"api_keys": (), "public_url": None}
JSON = {"content-type": "application/json"}


def page(it: World) -> httpx.AsyncClient:
    """A browser: it has no key."""
    return httpx.AsyncClient(transport=it.client._transport, base_url="http://localhost:8000")


async def create(it: World, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await page(it).post("/wan/videos", json=body_of("flat"), headers=named)


async def test_a_program_needs_no_key(tmp_path: Path) -> None:
    async with world(tmp_path, **OPEN) as it:
        task = await created(it, "seconds=1", key=None)
        await it.settle(70)
        assert told(it)[0]["task_id"] == task
        assert (await create(it)).status_code == 200
        assert (await create(it, origin="http://localhost:8000", sec_fetch_site="same-origin")).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:3000"},
        {"origin": "https://localhost:8000"},
        {"origin": "http://127.0.0.1:8000"},
        {"origin": ""},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "cross-site", "origin": "http://localhost:8000"},
    ],
)
async def test_a_page_of_another_origin_can_neither_create_nor_read(tmp_path: Path, headers: dict[str, str]) -> None:
    async with world(tmp_path, **OPEN) as it:
        task = await created(it, provider="dashscope")
        response = await create(it, **headers)
        assert response.status_code == 403
        assert response.json()["error"]["message"].startswith("A page of another origin may not use this server")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        for path in (f"/v1/tasks/{task}", "/v1/tasks", f"/v1/tasks/{task}/record"):
            assert (await page(it).get(path, headers=named)).status_code == 403
        assert it.upstreams.requests["acedata", "create"] == 0


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json"]
)
async def test_what_a_form_can_send_creates_nothing(tmp_path: Path, kind: str | None) -> None:
    async with world(tmp_path, **OPEN) as it:
        headers = {} if kind is None else {"content-type": kind}
        for path in ("/wan/videos", "/wan/tasks", "/v1/deliveries/x/replay", "/api/v1/tasks/x/cancel"):
            response = await page(it).post(path, content=b'{"model":"wan2.6-t2v","prompt":"a cat"}', headers=headers)
            assert response.status_code == 415, path
        assert it.upstreams.requests.total() == 0


async def test_json_may_name_its_charset(tmp_path: Path) -> None:
    async with world(tmp_path, **OPEN) as it:
        assert (await create(it, content_type="Application/JSON; charset=utf-8")).status_code == 200


@pytest.mark.parametrize("mode", [OPEN, {}])
async def test_no_cors_headers_are_ever_sent(tmp_path: Path, mode: dict[str, Any]) -> None:
    asking = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    async with world(tmp_path, **mode) as it:
        for method, path in (
            ("OPTIONS", "/wan/videos"),
            ("GET", "/health"),
            ("GET", "/v1/tasks"),
            ("POST", "/wan/videos"),
        ):
            response = await page(it).request(method, path, headers=asking)
            assert not [name for name in response.headers if name.startswith("access-control")]
            assert response.status_code >= 400 or path == "/health"


async def test_with_keys_a_page_needs_one_and_may_use_it(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        assert (await create(it, origin="https://blog.example")).status_code == 401
        response = await it.client.post("/wan/videos", json=body_of("flat"), headers={"origin": "https://blog.example"})
        assert response.status_code == 200


async def test_the_first_key_that_is_made_ends_open_mode(tmp_path: Path) -> None:
    async with world(tmp_path, **OPEN) as it:
        assert (await create(it)).status_code == 200
        made = await it.client.post("/v1/keys", json={"name": "blog"}, headers=it.as_key(ADMIN) | JSON)
        assert made.status_code == 201
        assert (await create(it)).status_code == 401
        assert (await create(it, authorization=f"Bearer {made.json()['key']}")).status_code == 200
        await it.client.delete(f"/v1/keys/{made.json()['id']}", headers=it.as_key(ADMIN))
        assert (await create(it)).status_code == 401  # not even when it is revoked


async def test_the_operators_paths_need_the_token_in_open_mode_too(tmp_path: Path) -> None:
    async with world(tmp_path, **OPEN) as it:
        assert (await page(it).get("/v1/keys")).status_code == 403


@pytest.mark.parametrize(
    "exposed",
    [
        {"host": "0.0.0.0"},
        {"host": "::"},
        {"host": "192.168.1.7"},
        {"host": "ringback.example.com"},
        {"public_url": "https://ringback.example.com"},
        {"public_url": "http://localhost:8000"},
    ],
)
async def test_without_keys_a_server_that_others_can_reach_does_not_start(
    tmp_path: Path, exposed: dict[str, str]
) -> None:
    async with world(tmp_path) as it:
        await it.stop()
        with pytest.raises(SettingsError, match="there is no client key"):
            await it.start(**OPEN | exposed)


async def test_a_server_that_does_not_start_answers_nobody(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.stop()
        with pytest.raises(SettingsError):
            await it.start(**OPEN | {"host": "0.0.0.0"})
        app = create_app(it.ringback)
        with pytest.raises(SettingsError):
            async with app.router.lifespan_context(app):
                raise AssertionError("it started")


HOSTS = {
    "localhost": True,
    "localhost:8000": True,
    "LOCALHOST": True,
    "127.0.0.1": True,
    "127.0.0.1:8000": True,
    "127.8.8.8": True,
    "[::1]:8000": True,
    "ringback.test": True,
    "ringback.test:443": True,
    "evil.example": False,
    "localhost.evil.example": False,
    "127.0.0.1.evil.example": False,
    "ringback.test.evil.example": False,
    "192.168.1.7": False,
    "0.0.0.0": False,
    "[::]": False,
    "2130706433": False,
    "0x7f000001": False,
    "127.1": False,
    "": False,
    "evil.example@localhost": False,
    "localhost@evil.example": False,
}


@pytest.mark.parametrize("host", HOSTS)
async def test_only_requests_that_name_this_server_are_answered(tmp_path: Path, host: str) -> None:
    async with world(tmp_path) as it:
        for path in ("/health", "/v1/tasks", "/wan/videos", "/callbacks/acedata/x", "/nothing"):
            response = await it.client.get(path, headers={"host": host})
            assert (response.status_code != 421) == HOSTS[host]
            if not HOSTS[host]:
                assert response.json()["error"]["code"] == "misdirected_request"


async def test_a_request_with_two_hosts_or_none_is_not_answered(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        for hosts in ([], [(b"host", b"localhost"), (b"host", b"evil.example")]):
            status = []

            async def send(message: Any, status: list[int] = status) -> None:
                status += [message["status"]] if "status" in message else []

            async def receive() -> Any:
                return {"type": "http.request", "body": b""}

            scope = {"type": "http", "method": "GET", "path": "/health", "headers": hosts, "query_string": b""}
            await it.client._transport.app(scope, receive, send)
            assert status == [421]
