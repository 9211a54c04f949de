"""Whatever is sent to any path, the answer is a clean one in the caller's own shape, and never a 500."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import strategies as st

from tests.service.asking import NATIVE, body_of, error_code
from tests.service.examples import run_examples
from tests.world import ADMIN, world

pytestmark = pytest.mark.anyio

CREATES = {
    "/wan/videos": "flat",
    "/happyhorse/videos": "flat",
    NATIVE: "native",
    "/api/v1/services/aigc/image2video/video-synthesis": "native",
    f"/wan{NATIVE}": "gateway",
}
QUERIES = {"/wan/tasks": "flat", "/happyhorse/tasks": "flat"}
POSTS = CREATES | QUERIES
READS = {"/api/v1/tasks/some-id": "native", "/wan/api/v1/tasks/some-id": "native", "/v1/tasks/some-id": "gateway"}
OWN = ("/v1/tasks", "/v1/tasks/x/record", "/v1/deliveries", "/v1/deliveries/x", "/v1/models", "/v1/keys")

MALFORMED = {
    "not JSON": b"{",
    "two values": b"{} {}",
    "not UTF-8": b'{"model": "\xff"}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "NaN": b'{"model": NaN}',
    "deep": b'{"model":' + b"[" * 70 + b"]" * 70 + b"}",
    "very deep": b"[" * 200_000,
    "twice": b'{"model": "wan2.6-t2v", "model": "wan2.7-t2v"}',
    "NUL": b'{"model": "wan\\u0000"}',
    "raw NUL": b'{"model": "wan\x00"}',
    "half a character": b'{"model": "\\ud83d"}',
    "huge integer": b'{"duration": 99999999999999999999}',
    "absurd integer": b'{"duration": ' + b"9" * 10_000 + b"}",
    "huge number": b'{"duration": 1e999}',
    "many values": b'{"a":[' + b"0," * 300_000 + b"0]}",
    "an array": b"[]",
    "a string": b'"text"',
    "null": b"null",
    "a number": b"7",
    "nothing": b"",
    "blanks": b"  \n ",
}


def check_shape(shape: str, response: httpx.Response) -> None:
    """The body has all that a client of the shape reads of an error, and the status says the same."""
    assert 400 <= response.status_code < 500, response.text
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert error_code(shape, body)
    if shape == "flat":
        assert body["success"] is False
        assert body["error"]["message"]
        assert body["trace_id"]
    elif shape == "native":
        assert body["message"]
        assert body["request_id"]
        assert "output" not in body
    elif shape == "gateway":
        assert body["error"]["message"]
        assert body["error"]["type"]


def quiet(response: httpx.Response) -> None:
    """Nothing of our insides in it."""
    assert not [word for word in ("Traceback", ".py", "sqlite", "Exception") if word in response.text]


@pytest.mark.parametrize("case", MALFORMED)
async def test_a_malformed_body_is_refused_in_the_callers_shape(tmp_path: Path, case: str) -> None:
    async with world(tmp_path) as it:
        for path, shape in POSTS.items():
            response = await it.client.post(path, content=MALFORMED[case], headers={"content-type": "application/json"})
            assert response.status_code == 400, (path, response.text)
            check_shape(shape, response)
            quiet(response)
        for path in ("/v1/keys", "/v1/tasks/x/subscriptions"):
            response = await it.client.post(path, content=MALFORMED[case], headers=it.as_key(ADMIN))
            assert 400 <= response.status_code < 500
        assert it.upstreams.requests.total() == 0


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_large_is_refused_in_the_callers_shape(tmp_path: Path, chunked: bool) -> None:
    async with world(tmp_path, create_bytes=2000) as it:

        async def chunks(size: int) -> Any:
            for _ in range(0, size, 1000):
                yield b" " * 1000

        for path, shape in POSTS.items():
            size = 3000 if path in CREATES else 1024 * 1024 + 1000
            response = await it.client.post(path, content=chunks(size) if chunked else b" " * size)
            assert response.status_code == 413, path
            check_shape(shape, response)


STRANGERS = [None, "", "Bearer", "Bearer ", "Basic eA==", "Bearer nobody's", "Bearer \xff\xfe", "client-key-1"]


@pytest.mark.parametrize("authorization", STRANGERS)
async def test_without_a_good_key_nothing_is_done(tmp_path: Path, authorization: str | None) -> None:
    raw = {} if authorization is None else {b"authorization": authorization.encode("latin-1")}
    async with world(tmp_path) as it:
        stranger = httpx.AsyncClient(transport=it.client._transport, base_url="http://localhost")
        for path, shape in (POSTS | READS).items():
            method = "POST" if path in POSTS else "GET"
            response = await stranger.request(method, path, json=body_of("flat"), headers=raw)
            assert response.status_code == 401, path
            check_shape(shape, response)
        for path in OWN:
            assert (await stranger.get(path, headers=raw)).status_code == 401
        assert it.upstreams.requests.total() == 0


async def test_what_is_the_operators_is_not_for_clients(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        for method, path in (("GET", "/v1/keys"), ("POST", "/v1/keys"), ("DELETE", "/v1/keys/x")):
            response = await it.client.request(method, path)
            assert response.status_code == 403
            assert response.json()["error"]["code"] == "auth"
            assert (await it.client.request(method, path, headers=it.as_key(ADMIN))).status_code != 403


async def test_a_wrong_method_and_an_unknown_path_are_told_in_the_callers_shape(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        for path, shape in POSTS.items():
            for method in ("GET", "PUT", "PATCH", "DELETE"):
                response = await it.client.request(method, path)
                assert (response.status_code, response.headers["allow"]) == (405, "POST")
                check_shape(shape, response)
        for path, shape in READS.items():
            response = await it.client.post(path)
            assert response.status_code == 405
            check_shape(shape, response)
        for path, shape in {"/wan/nothing": "flat", "/happyhorse/": "flat", "/api/v1/nothing": "native"}.items():
            response = await it.client.get(path)
            assert response.status_code == 404
            check_shape(shape, response)
        for path in ("/", "/nothing", "/v1/nothing", "/v1", "//", "/wan"):
            response = await it.client.get(path)
            assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


async def test_own_paths_below_a_task_speak_our_own_shape(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        for method, path in (("GET", "/v1/tasks/x/record"), ("POST", "/v1/tasks/x/record"), ("GET", "/v1/tasks/x/y")):
            response = await it.client.request(method, path)
            assert response.json().keys() == {"error"}
            assert response.json()["error"].keys() == {"code", "message"}


@pytest.mark.parametrize(
    "query", ["limit=x", "limit=-1", "limit=1e3", "before=x", "before=1", "before=.", "state=DONE"]
)
async def test_a_wrong_question_of_our_own_is_refused(tmp_path: Path, query: str) -> None:
    async with world(tmp_path) as it:
        for path in ("/v1/tasks", "/v1/deliveries"):
            response = await it.client.get(f"{path}?{query}")
            assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")
            assert response.json()["error"]["message"].startswith(query.partition("=")[0])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-callback-format", "xml"),
        ("x-callback-url", "not a url"),
        ("x-callback-url", "http://10.0.0.1/"),
        ("x-ringback-metadata", "{"),
        ("x-ringback-metadata", "[]"),
        ("x-ringback-metadata", ""),
        ("x-ringback-metadata", '{"a":"' + "x" * 5000 + '"}'),
        ("x-ringback-provider", "nobody"),
        ("x-ringback-provider", "\xff"),
        ("idempotency-key", ""),
        ("idempotency-key", "\xff"),
        ("idempotency-key", "x" * 300),
    ],
)
async def test_a_wrong_header_of_ours_is_refused(tmp_path: Path, name: str, value: str) -> None:
    async with world(tmp_path) as it:
        for path, shape in CREATES.items():
            raw = {name.encode(): value.encode("latin-1")}
            response = await it.client.post(path, json=body_of(shape), headers=raw)
            assert response.status_code == 400, response.text
            check_shape(shape, response)
        assert it.upstreams.requests.total() == 0


scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(
    scalars | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
WORDS = (
    "model", "prompt", "action", "input", "parameters", "media", "type", "url", "id", "ids", "task_id", "async",
    "callback_url", "timeout", "duration", "size", "resolution", "ratio", "seed", "watermark", "img_url", "image_url",
    "audio_url", "negative_prompt", "reference_urls", "function", "template", "video_url", "image_urls", "shot_type",
)  # fmt: skip
said = st.sampled_from(
    ["wan2.6-t2v", "wan2.7-i2v", "happyhorse-1.1-t2v", "text2video", "retrieve", "retrieve_batch", "720P", "a cat", ""]
)
bodies = st.recursive(
    st.dictionaries(st.sampled_from(WORDS), said | values, max_size=8),
    lambda inner: st.dictionaries(st.sampled_from(WORDS), said | values | inner | st.lists(inner), max_size=8),
    max_leaves=4,
)


@pytest.mark.parametrize("path", POSTS)
async def test_no_body_makes_the_server_fail(tmp_path: Path, path: str) -> None:
    async with world(tmp_path, hold_seconds=0.001) as it:

        async def one(body: Any) -> None:
            response = await it.client.post(path, content=json.dumps(body).encode())
            assert response.status_code < 500, response.text
            if response.status_code >= 400:
                check_shape(POSTS[path], response)
            quiet(response)

        await run_examples(bodies | values, one, 120)


@pytest.mark.parametrize("path", POSTS)
async def test_no_bytes_make_the_server_fail(tmp_path: Path, path: str) -> None:
    async with world(tmp_path, hold_seconds=0.001) as it:

        async def one(body: bytes) -> None:
            response = await it.client.post(path, content=body)
            assert response.status_code == 400
            check_shape(POSTS[path], response)

        await run_examples(st.binary(max_size=60), one, 60)


async def test_no_path_makes_the_server_fail(tmp_path: Path) -> None:
    async with world(tmp_path) as it:

        async def one(path: str) -> None:
            for prefix in ("", "api/v1/tasks/", "v1/tasks/", "v1/deliveries/", "callbacks/acedata/", "wan/"):
                response = await it.client.get(f"/{prefix}{quote(path)}")
                assert response.status_code < 500
                quiet(response)

        await run_examples(st.text(max_size=20), one, 60)


numbers = st.integers(-(10**30), 10**30).map(str) | st.sampled_from(["1e9", "١", "0x10", " 7", "", "-0", "9" * 5000])
filters = st.dictionaries(
    st.sampled_from(["page_no", "page_size", "start_time", "end_time", "status", "model_name", "task_id", "region"]),
    numbers | st.text(max_size=10),
    max_size=4,
)
flat_filters = st.dictionaries(
    st.sampled_from(["offset", "limit", "created_at_min", "created_at_max", "ids", "type"]),
    st.integers(-(2**63), 2**63 - 1) | values,
    max_size=4,
)


async def test_no_question_for_a_list_makes_the_server_fail(tmp_path: Path) -> None:
    async with world(tmp_path) as it:

        async def native(question: dict[str, str]) -> None:
            response = await it.client.get("/api/v1/tasks", params=question)
            assert response.status_code < 500
            if response.status_code >= 400:
                check_shape("native", response)

        async def flat(question: dict[str, Any]) -> None:
            response = await it.client.post("/wan/tasks", json={"action": "retrieve_batch"} | question)
            assert response.status_code < 500
            if response.status_code >= 400:
                check_shape("flat", response)

        await run_examples(filters, native, 150)
        await run_examples(flat_filters, flat, 150)


async def test_a_client_that_hangs_up_while_it_sends_is_no_failure(tmp_path: Path, caplog: Any) -> None:
    async with world(tmp_path) as it:
        app = it.client._transport.app
        messages = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])
        sent: list[Any] = []

        async def receive() -> Any:
            return next(messages)

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"host", b"localhost"), (b"authorization", b"Bearer client-key-1")]
        scope = {
            "type": "http", "method": "POST", "path": "/wan/videos", "raw_path": b"/wan/videos", "headers": headers,
            "query_string": b"", "scheme": "http", "server": ("localhost", 80), "client": ("127.0.0.1", 1),
            "root_path": "", "http_version": "1.1",
        }  # fmt: skip
        await app(scope, receive, send)
        assert [record for record in caplog.records if record.levelname == "ERROR"] == []
