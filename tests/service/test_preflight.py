"""The check of a receiver: each step of a delivery explained, and whether forged messages are refused."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from tests.world import OTHER_KEY, SECRET, World, world

pytestmark = pytest.mark.anyio


def verify(secret: str, headers: Mapping[str, str], raw: bytes, now: int) -> bool:
    """As the libraries do, with this world's clock."""
    sent = int(headers["webhook-timestamp"])
    signed = Webhook(secret).sign(headers["webhook-id"], datetime.fromtimestamp(sent, UTC), raw.decode())
    return signed in headers["webhook-signature"].split(" ") and abs(now - sent) <= 300


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


async def checked(it: World, **fields: Any) -> dict[str, Any]:
    reply = await it.client.post("/v1/endpoints/check", json=fields)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def levels(found: Mapping[str, Any]) -> dict[str, str]:
    return {finding["check"]: finding["level"] for finding in found["findings"]}


async def test_a_receiver_that_verifies_is_good_in_every_point(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.inbox.verify = lambda headers, raw: verify(SECRET, headers, raw, it.clock.now // 1000)
        found = await checked(it, url=f"{it.inbox.url}/hook")
        assert found["ok"]
        kinds = ("address", "latency", "answer", "signature", "replay")
        assert levels(found) == dict.fromkeys(kinds, "ok") | {"tls": "warning"}  # it is http, in this world
        [received] = it.inbox.received
        assert received.body["type"] == "webhook.test"
        assert len(it.inbox.forged) == 2


async def test_one_that_verifies_nothing_is_told_so(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.inbox.verify = lambda headers, raw: True
        found = await checked(it, url=f"{it.inbox.url}/hook")
        assert (levels(found)["signature"], levels(found)["replay"]) == ("warning", "warning")
        assert "anybody can forge one" in json.dumps(found)
        assert found["ok"]


@pytest.mark.parametrize("signature", ["v1", "v1a", "both"])
async def test_an_endpoint_is_checked_with_its_own_secret_and_headers(tmp_path: Path, signature: str) -> None:
    async with world(tmp_path) as it:
        seen: list[tuple[str, str]] = []

        def note(headers: Mapping[str, str], raw: bytes) -> bool:
            seen.append((headers["x-token"], headers["webhook-signature"]))
            return True

        it.inbox.verify = note
        wanted = {"url": f"{it.inbox.url}/hook", "headers": {"X-Token": "t0k3n"}, "signature": signature}
        one = (await it.client.post("/v1/endpoints", json=wanted)).json()
        assert (await checked(it, endpoint=one["id"]))["ok"]
        assert [token for token, _ in seen] == ["t0k3n"] * 3
        parts = [[part.partition(",")[0] for part in signed.split(" ")] for _, signed in seen]
        assert parts == [["v1", "v1a"] if signature == "both" else [signature]] * 3
        other = await it.client.post("/v1/endpoints/check", json={"endpoint": one["id"]}, headers=it.as_key(OTHER_KEY))
        assert other.status_code == 404


@pytest.mark.parametrize(
    ("answer", "check", "step"),
    [
        ((401, {}), "answer", "It does not take this secret"),
        ((404, {}), "answer", "nothing at this path"),
        ((405, {}), "answer", "POST"),
        ((410, {}), "answer", "gone"),
        ((500, {}), "answer", "log"),
        ((301, {"location": "https://hook.example.com/new"}), "redirect", "use the final URL"),
    ],
)
async def test_an_answer_that_is_no_success_is_explained(
    tmp_path: Path, answer: tuple[int, dict[str, str]], check: str, step: str
) -> None:
    async with world(tmp_path) as it:
        it.inbox.answers = [answer]
        found = await checked(it, url=f"{it.inbox.url}/hook")
        assert not found["ok"]
        last = found["findings"][-1]
        assert (last["check"], last["level"], step in last["step"]) == (check, "problem", True)
        assert "hook.example.com" not in json.dumps(found)  # what answers is only open to us: it is not quoted
        assert (len(it.inbox.received), it.inbox.forged) == (1, [])  # nothing is forged where the good one fails


@pytest.mark.parametrize(
    ("url", "check"),
    [
        ("https://10.0.0.1/", "address"),
        ("https://user:pass@hook.example.com/", "address"),
        ("https://name.that.does.not.resolve.example.com/", "dns"),
    ],
)
async def test_a_url_that_may_not_be_called_is_explained_and_not_called(tmp_path: Path, url: str, check: str) -> None:
    async with world(tmp_path, egress_allow="") as it:

        async def nowhere(name: str, port: int) -> list[Any]:
            return []

        it.ringback.guard._resolve = nowhere
        found = await checked(it, url=url)
        [finding] = found["findings"]
        assert (finding["check"], finding["level"], bool(finding["step"])) == (check, "problem", True)


async def test_a_receiver_that_is_not_there_is_explained(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        found = await checked(it, url=f"http://127.0.0.1:{free_port()}/")
        last = found["findings"][-1]
        assert (last["check"], last["level"]) == ("connection", "problem")
        assert "refused" in last["said"]


@pytest.mark.parametrize("fields", [{}, {"url": 7}, {"url": "https://a.example.com/", "endpoint": "ep_1"}, {"x": 1}])
async def test_it_is_asked_for_a_url_or_an_endpoint(tmp_path: Path, fields: dict[str, Any]) -> None:
    async with world(tmp_path) as it:
        assert (await it.client.post("/v1/endpoints/check", json=fields)).status_code == 400
        assert SECRET not in str(fields)


async def test_a_client_has_so_many_checks_under_way_and_no_more(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        gate, begun, way_to = asyncio.Event(), list[str](), it.ringback.clients.way_to

        async def late(client: str, to: str | None) -> Any:
            begun.append(client)
            await gate.wait()
            return await way_to(client, to)

        it.ringback.clients.way_to = late  # type: ignore[method-assign]
        wish = {"url": f"{it.inbox.url}/hook"}
        under_way = [asyncio.create_task(checked(it, **wish)) for _ in range(4)]
        while len(begun) < 4:
            await asyncio.sleep(0)
        reply = await it.client.post("/v1/endpoints/check", json=wish)
        assert (reply.status_code, reply.json()["error"]["code"]) == (429, "too_many_checks")
        other = asyncio.create_task(it.client.post("/v1/endpoints/check", json=wish, headers=it.as_key(OTHER_KEY)))
        while len(begun) < 5:
            await asyncio.sleep(0)
        gate.set()
        assert (await other).status_code == 200
        assert len(await asyncio.gather(*under_way, checked(it, **wish))) == 5
