"""Callback URLs that lead where a delivery may not go are refused with a sentence, and nothing is dialled."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from tests.service.asking import body_of, created, error_code, paths, record
from tests.world import ADMIN, PUBLIC_URL, World, world

pytestmark = pytest.mark.anyio
NAMES = {
    "hook.example.com.": ["93.184.216.34"],
    "private.example.com.": ["10.0.0.7"],
    "mixed.example.com.": ["93.184.216.34", "127.0.0.1"],
    "cloud.example.com.": ["169.254.169.254"],
    "six.example.com.": ["fd00::1"],
    "mapped.example.com.": ["::ffff:10.0.0.7"],
}

BAD = {
    "http://hook.example.com/": "The URL must be https.",
    "ftp://hook.example.com/": "The URL must start with https://.",
    "javascript:alert(1)": "The URL must start with https://.",
    "/relative": "The URL must start with https://.",
    "https://": "The URL has no host.",
    "https://user:secret@hook.example.com/": "The URL must not carry a user name or password.",
    "https://hook.example.com/#part": "The URL must not have a fragment",
    "https://hook.example.com:8443/": "Port 8443 is not allowed",
    "https://hook.example.com/a b": "The URL contains a space",
    "https://hook.example.com\\@evil.example/": "The URL contains a space, a backslash",
    "https://10.0.0.1/": "The host must be a name, not an IP address.",
    "https://[::1]/": "The host must be a name, not an IP address.",
    "https://93.184.216.34/": "The host must be a name, not an IP address.",
    "https://2130706433/": "The host ends in a number",
    "https://0x7f.1/": "The host ends in a number",
    "https://localhost/": "The host must be a full public name with a dot in it. If the receiver is on",
    "http://localhost:3000/": "The URL must be https. If the receiver is on the operator's own network",
    "https://printer/": "The host must be a full public name",
    "https://printer.local/": "The host is a name for internal use",
    "https://metadata.google.internal/": "The host is a name for internal use",
    "https://private.example.com/": "The host leads to an address that is not public (a private network).",
    "https://mixed.example.com/": "The host leads to an address that is not public (loopback).",
    "https://cloud.example.com/": "The host leads to an address that is not public (link-local",
    "https://six.example.com/": "The host leads to an address that is not public",
    "https://mapped.example.com/": "The host leads to an address that is not public",
    f"{PUBLIC_URL}/": "The URL leads back to this server.",
    f"{PUBLIC_URL}/callbacks/acedata/x": "The URL leads back to this server.",
    "https://hook.example.com/" + "x" * 3000: "The URL is longer than 2048 characters.",
}

dialled: list[Any] = []
watching = [False]


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if watching[0] and event == "socket.connect":
        dialled.append(arguments[1])


sys.addaudithook(_watch)  # it can never be removed, so it only looks while a test wants it


@pytest.fixture
def sockets() -> Iterator[list[Any]]:
    """Every address that any socket of this process is connected to during the test."""
    dialled.clear()
    watching[0] = True
    yield dialled
    watching[0] = False


def naming(it: World, names: dict[str, list[str]]) -> None:
    async def resolve(name: str, port: int) -> list[Any]:
        return [ip_address(text) for text in names.get(name, [])]

    it.ringback.guard._resolve = resolve


@pytest.mark.parametrize("url", BAD, ids=lambda url: url[:40])
async def test_a_forbidden_url_is_refused_with_the_reason_and_never_dialled(
    tmp_path: Path, sockets: list[Any], url: str
) -> None:
    async with world(tmp_path, egress_allow="") as it:
        naming(it, NAMES)
        sockets.clear()  # those that the test world itself needed
        for shape in ("flat", "native", "gateway"):
            response = await it.client.post(paths(shape), json=body_of(shape), headers={"x-callback-url": url})
            assert response.status_code == 400
            assert BAD[url] in response.text
            assert error_code(shape, response.json())
            assert "secret" not in response.text
        flat = await it.client.post("/wan/videos", json=body_of("flat") | {"callback_url": url})
        assert (flat.status_code, BAD[url] in flat.text) == (400, True)
        made = await it.client.post("/v1/keys", json={"name": "x", "callback_url": url}, headers=it.as_key(ADMIN))
        assert (made.status_code, BAD[url] in made.text) == (400, True)
        task = await created(it, url="")
        late = await it.client.post(f"/v1/tasks/{task}/subscriptions", json={"url": url})
        assert (late.status_code, BAD[url] in late.text) == (400, True)
        assert it.upstreams.requests["acedata", "create"] == 1
        assert sockets == []


async def test_a_name_that_nobody_knows_now_is_taken_since_dns_may_be_down(tmp_path: Path) -> None:
    async with world(tmp_path, egress_allow="") as it:
        naming(it, {})
        body = body_of("flat") | {"callback_url": "https://hook.example.com/"}
        assert (await it.client.post("/wan/videos", json=body)).status_code == 200


async def test_a_name_that_turns_inward_after_the_submit_is_never_dialled(tmp_path: Path, sockets: list[Any]) -> None:
    async with world(tmp_path, egress_allow="") as it:
        naming(it, NAMES)
        body = body_of("flat", "[sim:seconds=1]") | {"callback_url": "https://hook.example.com/"}
        task_id = (await it.client.post("/wan/videos", json=body)).json()["task_id"]
        naming(it, {"hook.example.com.": ["169.254.169.254"]})
        sockets.clear()
        await it.settle(40, 5)
        [delivery] = (await record(it, task_id))["deliveries"]
        assert {one["verdict"] for one in delivery["log"]} == {"refused"}
        assert delivery["attempts"] > 1
        assert sockets == []


async def test_the_servers_own_port_is_refused_even_where_loopback_is_allowed(tmp_path: Path) -> None:
    async with world(tmp_path, egress_allow="127.0.0.0/8", host="127.0.0.1", port=8765) as it:
        body = body_of("flat") | {"callback_url": "http://127.0.0.1:8765/wan/videos"}
        response = await it.client.post("/wan/videos", json=body)
        assert response.status_code == 400
        assert "The URL leads back to this server." in response.text


async def test_another_port_of_this_machine_is_refused_with_the_setting_that_opens_it(tmp_path: Path) -> None:
    async with world(tmp_path, egress_allow="10.0.0.0/8", host="127.0.0.1", port=8765) as it:
        body = body_of("flat") | {"callback_url": "http://127.0.0.1:9100/hook"}
        response = await it.client.post("/wan/videos", json=body)
        assert response.status_code == 400
        assert "The URL leads to this machine." in response.text
        assert "RINGBACK_EGRESS_ALLOW" in response.text
