"""Where upstreams call back: whoever forges a callback can at worst cause one paced read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import strategies as st

from service.keys.signing import CallbackTokens
from service.store.placements import CALLBACKS_KEPT
from tests.service.asking import created, record, told
from tests.service.examples import run_examples
from tests.service.lost import unlisted
from tests.world import PUBLIC_URL, World, accounts, world

pytestmark = pytest.mark.anyio


def url_of(it: World, number: int = -1) -> str:
    """The callback URL that the upstream was given with a create."""
    url: str = it.upstreams.creates[number].body["callback_url"]
    return url


async def call(it: World, url: str, body: Any = None, **how: Any) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await it.to_service.post(url, content=content, **how)


async def kept(it: World) -> int:
    rows = await it.ringback.store._engine.read(lambda tx: tx.one("SELECT count(*) AS n FROM callbacks"))
    assert rows is not None
    number: int = rows["n"]
    return number


async def test_whoever_has_no_good_token_gets_one_constant_404(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await created(it, "callback=lost")
        good = url_of(it)
        prefix, _, token = good.rpartition("/")
        altered = token[:-1] + ("A" if token[-1] != "A" else "B")
        other = f"{uuid4()}.{token.rpartition('.')[2]}"
        stranger = CallbackTokens(["another-secret"]).issue(token.rpartition(".")[0])
        unknown = it.ringback.tokens.issue(str(uuid4()))
        bad = [
            *(f"{prefix}/{one}" for one in (altered, other, stranger, unknown, token + "=", "x", "..", token.upper())),
            *(f"{PUBLIC_URL}/callbacks/{name}/{token}" for name in ("laozhang", "dashscope", "nobody", "ACEDATA")),
            f"{PUBLIC_URL}/callbacks/acedata/",
            f"{PUBLIC_URL}/callbacks",
            good + "/",
            f"{prefix}/{'a' * 5000}",
            f"{prefix}/%00",
        ]
        answers = {
            (one.status_code, one.content, tuple(sorted(one.headers.items())))
            for one in [await call(it, url, {"task_id": "x"}) for url in bad]
        }
        assert len(answers) == 1
        [(status, body, _)] = answers
        assert (status, json.loads(body)["error"]["code"]) == (404, "not_found")
        assert await kept(it) == 0


async def test_a_body_is_not_read_for_a_bad_token(tmp_path: Path) -> None:
    async with world(tmp_path) as it:

        async def never() -> Any:
            raise AssertionError("the body was read")
            yield b""

        answer = await it.to_service.post(f"{PUBLIC_URL}/callbacks/acedata/x", content=never())
        assert answer.status_code == 404


async def test_only_post_is_allowed(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await created(it)
        for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"):
            answer = await it.to_service.request(method, url_of(it))
            assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
            assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_a_body_that_is_too_large_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await created(it)

        async def chunks() -> Any:
            for _ in range(5):
                yield b" " * 64 * 1024

        for content in (b" " * (256 * 1024 + 1), chunks()):
            answer = await it.to_service.post(url_of(it), content=content)
            assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
        assert (await call(it, url_of(it), b" " * 256 * 1024)).status_code == 200


ODD = [
    b"", b"null", b"[]", b"0", b'"text"', b"{", b"\xff\xfe", b"\x00", b"{}", b"NaN", b"1e999",
    b"[" * 100_000, b'{"a":' * 20_000, b'{"task_id":"a","task_id":"b"}', b'{"task_id":' + b"9" * 5000 + b"}",
    b'{"task_id":"\\ud800"}', b'{"task_id":"\\u0000"}', b'{"task_id":null}', b'{"task_id":{"id":1}}',
    b'{"task_id":"' + b"x" * 200_000 + b'"}', b'{"success":true}', b'{"success":"maybe","task_id":7,"data":7}',
    b'{"data":{"task_id":[]}}', b'{"task_id":"a","response":[],"state":{}}', b"\xef\xbb\xbf{}",
]  # fmt: skip


async def test_an_odd_body_is_taken_without_a_word(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        for body in ODD:
            task_id = await created(it, "seconds=5000 callback=lost")
            answer = await call(it, url_of(it), body)
            assert (answer.status_code, answer.json()) == (200, {"ok": True})
            await it.tick()
            assert (await record(it, task_id))["state"] in ("QUEUED", "RUNNING")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def claims(draw: st.DrawFn) -> Callable[[str], bytes]:
    """Bodies that claim something about the upstream's task, in the words of its own callbacks, or anything at all."""
    if draw(st.booleans()):
        raw = draw(st.binary(max_size=200))
        return lambda upstream_id: raw
    body = draw(st.dictionaries(st.sampled_from(["data", "error", "request", "trace_id"]), json_values, max_size=3)) | {
        "success": draw(st.booleans() | json_values),
        "state": draw(st.sampled_from(["completed", "failed", "succeeded", "error", "pending"]) | json_values),
        "video_url": draw(st.just("https://evil.example.com/forged.mp4") | json_values),
    }
    named = draw(st.booleans())
    return lambda upstream_id: json.dumps(body | ({"task_id": upstream_id} if named else {})).encode()


async def test_a_good_token_with_any_body_changes_nothing_that_the_read_does_not_say(tmp_path: Path) -> None:
    async with world(tmp_path) as it:

        async def one(claim: Callable[[str], bytes]) -> None:
            task_id = await created(it, "seconds=10 callback=lost", url="")
            body = claim(it.upstreams.creates[-1].task_id)
            assert (await call(it, url_of(it), body)).status_code == 200
            it.clock.turn(4)
            await it.tick()
            task = await record(it, task_id)
            assert (task["state"], task["video_url"], task["error"]) in [
                ("QUEUED", None, None),
                ("RUNNING", None, None),
            ]
            await it.settle(24, 4)
            task = await record(it, task_id)
            assert task["state"] == "SUCCEEDED"
            assert "evil" not in json.dumps(task)

        await run_examples(claims(), one, 40)


async def test_a_token_does_not_adopt_a_task_of_ours_or_of_anybody(tmp_path: Path) -> None:
    """A lost create's token with the id of another task: one of ours, and one that another program submitted."""
    async with world(tmp_path) as it:
        it.between = unlisted
        theirs = await it_directly(it)
        ours = await created(it, "seconds=5 callback=lost")
        doubtful = await created(it, "create=lost callback=lost seconds=5")
        for upstream_id in (it.upstreams.creates[1].task_id, theirs):
            await call(it, url_of(it), {"success": True, "task_id": upstream_id})
            await it.settle(5)
        task = await record(it, doubtful)
        assert (task["state"], task["placements"][0]["upstream_id"]) == ("IN_DOUBT", None)
        await it.settle(60)
        assert (await record(it, ours))["state"] == "SUCCEEDED"
        own = it.upstreams.creates[-1].task_id
        await call(it, url_of(it), {"success": True, "task_id": own})
        await it.settle(5)
        assert (await record(it, doubtful))["state"] == "SUCCEEDED"


async def it_directly(it: World) -> str:
    """A task that another program submitted with the same account, called back elsewhere."""
    body = {"action": "text2video", "model": "wan2.6-t2v", "prompt": "[sim:callback=lost seconds=1]"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(it.simulator)) as program:
        headers = it.as_key("sk-acedata-key")
        url = f"{it.settings['accounts'][0].base_url}/wan/videos"
        answer = await program.post(url, json=body | {"callback_url": "https://other.example.com/"}, headers=headers)
    task_id: str = answer.json()["task_id"]
    return task_id


async def test_at_most_sixteen_bodies_are_kept_and_each_is_answered(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await created(it, "seconds=5000 callback=lost")
        for number in range(40):
            assert (await call(it, url_of(it), {"number": number})).status_code == 200
        assert await kept(it) == CALLBACKS_KEPT == 16


async def test_after_the_end_nothing_is_kept_and_nobody_told_again(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await created(it, "seconds=5")
        await it.settle(10)
        before, reads = await kept(it), it.upstreams.requests["acedata", "query"]
        for number in range(3):
            assert (await call(it, url_of(it), {"number": number})).json() == {"ok": True}
        await it.settle(10)
        assert await kept(it) == before == 1
        assert it.upstreams.requests["acedata", "query"] == reads
        assert len(told(it)) == len(it.inbox.received) == 1


async def test_a_flood_of_callbacks_is_read_at_the_accounts_pace(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await created(it, "seconds=5000 callback=lost")
        for number in range(40):
            await call(it, url_of(it), {"number": number})
            await it.tick()
        assert it.upstreams.requests["acedata", "query"] == 1


async def test_the_callback_of_a_provider_that_was_taken_out_is_kept_until_it_is_back(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "callback=lost seconds=5")
        await it.stop()
        await it.start(accounts=accounts(["dashscope"]))
        it.clock.turn(10)
        body = {"success": True, "task_id": it.upstreams.creates[0].task_id}
        assert [(await call(it, url_of(it), body)).status_code for _ in range(2)] == [200, 200]
        assert await kept(it) == 1
        assert (await call(it, url_of(it).replace("acedata", "dashscope"), body)).status_code == 404
        await it.settle(5)
        assert (await record(it, task_id))["state"] == "QUEUED"
        await it.stop()
        await it.start(accounts=accounts(["dashscope", "acedata"]))
        await it.settle(2)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert len(told(it)) == 1
