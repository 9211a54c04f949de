"""EventBridge tells that a task has ended: believed only when genuine, and then only as a hint."""

from __future__ import annotations

import json
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.providers import PROVIDERS
from service.looking.certificates import KEPT_MS, PAUSE_MS
from service.simulator.eventbridge import CERTIFICATE_URL, certificate, event_of, signed
from tests.service.asking import created, record, told
from tests.world import PUBLIC_URL, World, world

pytestmark = pytest.mark.anyio
DASHSCOPE = PROVIDERS["dashscope"]
TOKEN = "console-token"


class Bucket:
    """Where the certificate lies; counts who comes for it."""

    def __init__(self) -> None:
        self.fetched: list[str] = []
        self.found: bytes | None = certificate()

    async def fetch(self, url: str) -> bytes | None:
        self.fetched.append(url)
        return self.found


@asynccontextmanager
async def pushed(folder: Path, bucket: Bucket, token: str | None = None, **how: Any) -> AsyncIterator[World]:
    """A world in which EventBridge is set up, and single looks are rare enough to be of no help."""
    async with world(folder, certificates=bucket.fetch, eventbridge_token=token, **how) as it:
        it.upstreams.bridge.subscribe(it.ringback.pushes.url(DASHSCOPE), token)
        yield it


def slowly(it: World) -> None:
    for upstream in it.ringback.upstreams:
        upstream.every = 3000.0


async def running(it: World, marker: str = "seconds=60") -> str:
    """A DashScope task that has been looked at once and will not be for long."""
    slowly(it)
    task_id = await created(it, marker, provider="dashscope")
    await it.settle(10)
    return task_id


async def push(it: World, body: bytes, *, url: str = "", **changes: Any) -> httpx.Response:
    url = url or str(it.ringback.pushes.url(DASHSCOPE))
    headers = signed(url, body, **({"at": it.clock.seconds()} | changes))
    return await it.client.post(url.removeprefix(PUBLIC_URL), content=body, headers=headers)


def event(it: World) -> dict[str, Any]:
    """The event of the only task."""
    return event_of(it.upstreams.creates[-1].task)


def bytes_of(body: Any) -> bytes:
    return json.dumps(body).encode()


@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize("marker", ["seconds=60", "seconds=60 push=newline", "seconds=60 push=twice"])
async def test_a_push_is_followed_by_one_look_and_told_within_a_second(
    tmp_path: Path, token: str | None, marker: str
) -> None:
    bucket = Bucket()
    async with pushed(tmp_path, bucket, token) as it:
        task_id = await running(it, marker)
        await it.settle(51)
        task = await record(it, task_id)
        assert task["state"] == "SUCCEEDED"
        assert len(told(it)) == 1
        assert bucket.fetched == [CERTIFICATE_URL]


@pytest.mark.parametrize("marker", ["push=lost", "push=stale"])
async def test_without_a_genuine_push_the_result_is_only_later(tmp_path: Path, marker: str) -> None:
    bucket = Bucket()
    async with pushed(tmp_path, bucket) as it:
        task_id = await running(it, f"seconds=60 {marker}")
        await it.settle(60)
        assert (await record(it, task_id))["state"] != "SUCCEEDED"
        assert bucket.fetched == []
        await it.settle(3600, 60)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"


async def test_what_the_event_says_is_not_believed(tmp_path: Path) -> None:
    async with pushed(tmp_path, Bucket()) as it:
        task_id = await running(it)
        assert (await push(it, bytes_of(event(it)))).status_code == 200
        await it.tick()
        assert (await record(it, task_id))["state"] in ("QUEUED", "RUNNING")
        assert told(it) == []


async def test_a_replayed_event_is_absorbed(tmp_path: Path) -> None:
    async with pushed(tmp_path, Bucket()) as it:
        await running(it)
        await it.tick()
        looks = it.upstreams.requests["dashscope", "query"]
        for _ in range(5):
            assert (await push(it, bytes_of(event(it)))).status_code == 200
            await it.settle(1)
        assert it.upstreams.requests["dashscope", "query"] == looks + 1


async def test_tasks_of_other_programs_are_acknowledged_and_dropped(tmp_path: Path) -> None:
    async with pushed(tmp_path, Bucket()) as it:
        await running(it)
        queries = it.upstreams.requests["dashscope", "query"]
        foreign = event(it) | {"id": "another", "data": {"task_id": "not-ours"}}
        assert (await push(it, bytes_of(foreign))).status_code == 200
        other_kind = event(it) | {"type": "dashscope:System:Else"}
        assert (await push(it, bytes_of(other_kind))).status_code == 200
        assert (await push(it, b"no JSON")).status_code == 200
        await it.settle(5)
        assert it.upstreams.requests["dashscope", "query"] == queries


async def refused(it: World, response: httpx.Response) -> None:
    assert response.status_code == 403
    assert "token" not in response.text
    queries = it.upstreams.requests["dashscope", "query"]
    await it.tick()
    assert it.upstreams.requests["dashscope", "query"] == queries


async def test_an_altered_body_is_refused(tmp_path: Path) -> None:
    async with pushed(tmp_path, Bucket()) as it:
        await running(it)
        url, body = str(it.ringback.pushes.url(DASHSCOPE)), bytes_of(event(it))
        headers = signed(url, body, it.clock.seconds())
        path = url.removeprefix(PUBLIC_URL)
        await refused(it, await it.client.post(path, content=body + b" ", headers=headers))
        await refused(it, await it.client.post(path + "?a=b", content=body + b"\n ", headers=headers))


async def test_another_url_than_the_configured_one_is_refused(tmp_path: Path) -> None:
    async with pushed(tmp_path, Bucket()) as it:
        await running(it)
        url, body = str(it.ringback.pushes.url(DASHSCOPE)), bytes_of(event(it))
        headers = signed(url.replace("ringback.test", "evil.test"), body, it.clock.seconds())
        await refused(it, await it.client.post(url.removeprefix(PUBLIC_URL), content=body, headers=headers))


@pytest.mark.parametrize("late", [-61, 61, 3600])
async def test_a_stale_time_is_refused_before_anything_is_fetched(tmp_path: Path, late: int) -> None:
    bucket = Bucket()
    async with pushed(tmp_path, bucket) as it:
        await running(it)
        await refused(it, await push(it, bytes_of(event(it)), at=it.clock.seconds() - late))
        assert bucket.fetched == []


@pytest.mark.parametrize("token", [None, "", "another"])
async def test_a_wrong_token_is_refused_before_anything_is_fetched(tmp_path: Path, token: str | None) -> None:
    bucket = Bucket()
    async with pushed(tmp_path, bucket, TOKEN) as it:
        await running(it)
        await refused(it, await push(it, bytes_of(event(it)), token=token))
        assert bucket.fetched == []


HOST = "cn-beijing-eventbridge.oss-accelerate.aliyuncs.com"
ELSEWHERE = (
    "http://" + HOST + "/x509_public_certificate_1.pem",
    f"https://{HOST}.evil.test/x509_public_certificate_1.pem",
    f"https://evil.test/{HOST}/x509_public_certificate_1.pem",
    "https://cn-evil-eventbridge.oss-accelerate.aliyuncs.com/x509_public_certificate_1.pem",
    f"https://{HOST}:8443/x509_public_certificate_1.pem",
    f"https://{HOST}:443/x509_public_certificate_1.pem",
    f"https://user@{HOST}/x509_public_certificate_1.pem",
    f"https://{HOST}/x509_public_certificate_1.pem?a=b",
    f"https://{HOST}/x509_public_certificate_1.pem#a",
    f"https://{HOST}/../x509_public_certificate_1.pem",
    f"https://{HOST}/x509_public_certificate_/../a.pem",
    f"https://{HOST}/other.pem",
    f"https://{HOST.upper()}/x509_public_certificate_1.pem",
    f"https://{HOST}\\@evil.test/x509_public_certificate_1.pem",
    "https://[::1/x509_public_certificate_1.pem",
)


@pytest.mark.parametrize("url", ELSEWHERE)
async def test_a_certificate_elsewhere_is_never_fetched(tmp_path: Path, url: str) -> None:
    bucket = Bucket()
    async with pushed(tmp_path, bucket) as it:
        await running(it)
        own, body = str(it.ringback.pushes.url(DASHSCOPE)), bytes_of(event(it))
        headers = signed(own, body, it.clock.seconds()) | {"x-eventbridge-signature-url": url}
        await refused(it, await it.client.post(own.removeprefix(PUBLIC_URL), content=body, headers=headers))
        assert bucket.fetched == []


async def test_the_path_token_is_an_installations_and_no_other(tmp_path: Path) -> None:
    bucket = Bucket()
    async with pushed(tmp_path, bucket) as it:
        await running(it)
        other = f"{PUBLIC_URL}/callbacks/acedata/{it.ringback.tokens.issue('push-dashscope')}"
        forged = f"{PUBLIC_URL}/callbacks/dashscope/push-dashscope.AAAA"
        for url in (other, forged):
            assert (await push(it, bytes_of(event(it)), url=url)).status_code == 404
        assert bucket.fetched == []


async def test_a_certificate_is_fetched_once_an_hour_whatever_came_of_it(tmp_path: Path) -> None:
    bucket = Bucket()
    bucket.found = None
    async with pushed(tmp_path, bucket) as it:
        await running(it)
        for _ in range(3):
            assert (await push(it, bytes_of(event(it)))).status_code == 403
            it.clock.turn(PAUSE_MS / 1000 + 1)
        assert len(bucket.fetched) == 1
        bucket.found = certificate()
        it.clock.turn(KEPT_MS / 1000)
        assert (await push(it, bytes_of(event(it)))).status_code == 200
        bucket.found = None  # what was good outlives an outage
        it.clock.turn(KEPT_MS / 1000 + 1)
        assert (await push(it, bytes_of(event(it)))).status_code == 200
        assert len(bucket.fetched) == 3


@pytest.mark.parametrize("pem", [b"", b"no certificate", certificate()[:200]])
async def test_what_is_no_certificate_verifies_nothing(tmp_path: Path, pem: bytes) -> None:
    bucket = Bucket()
    bucket.found = pem
    async with pushed(tmp_path, bucket) as it:
        await running(it)
        assert (await push(it, bytes_of(event(it)))).status_code == 403


ODD = (
    "",
    "0",
    "-1",
    "9" * 400,
    "9" * 3000,
    "SHA1",
    "1.1",
    "=",
    "AAAA",
    "\u00e9",
    "a b",
    CERTIFICATE_URL + "x",
    *ELSEWHERE,
)
FUZZED = int(os.environ.get("RINGBACK_FUZZ_PUSHES", "1500"))


def altered(chance: random.Random, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes]:
    """A genuine push with one to three things about it changed."""
    headers = dict(headers)
    for _ in range(chance.randint(1, 3)):
        name = chance.choice(list(signed("u", b"", 0.0, "t"))[:-1])  # the content type is not signed
        match chance.randrange(4):
            case 0:
                headers.pop(name, None)
            case 1:
                headers[name] = chance.choice(ODD)
            case 2:
                headers[name] = headers.get(name, "")[::-1] + "x"
            case _:
                at = chance.randrange(len(body))
                body = body[:at] + bytes([body[at] ^ chance.randint(1, 255)]) + body[at + 1 :]
    return headers, body


async def test_fuzzed_pushes_move_nothing_and_fetch_at_most_once(tmp_path: Path) -> None:
    bucket, chance = Bucket(), random.Random(7)
    async with pushed(tmp_path, bucket, TOKEN) as it:
        task_id = await running(it)
        await it.tick()
        before, queries = await record(it, task_id), it.upstreams.requests["dashscope", "query"]
        url, body = str(it.ringback.pushes.url(DASHSCOPE)), bytes_of(event(it))
        genuine = signed(url, body, it.clock.seconds(), TOKEN)
        for _ in range(FUZZED):
            headers, content = altered(chance, genuine, body)
            if (headers, content) == (genuine, body):
                continue
            sent = [(name.encode(), value.encode()) for name, value in headers.items()]
            response = await it.client.post(url.removeprefix(PUBLIC_URL), content=content, headers=sent)
            assert response.status_code == 403, (headers, content)
        await it.tick()
        assert await record(it, task_id) == before
        assert it.upstreams.requests["dashscope", "query"] == queries
        assert len(bucket.fetched) <= 1
