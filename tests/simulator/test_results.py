"""The object storage: links that carry their own permission."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.simulator.upstream import BASE, Clock, Upstream, task_id_of

pytestmark = pytest.mark.anyio


async def link_of(upstream: Upstream, clock: Clock, prompt: str = "a cat") -> str:
    task_id = task_id_of(await upstream.native("dashscope", prompt))
    clock.turn(60)
    url = (await upstream.look("dashscope", task_id)).json()["output"]["video_url"]
    assert isinstance(url, str)
    return url


def boxes(video: bytes) -> list[tuple[bytes, bytes]]:
    """The top-level boxes of an MP4."""
    found, at = [], 0
    while at < len(video):
        size = int.from_bytes(video[at : at + 4], "big")
        found.append((video[at + 4 : at + 8], video[at + 8 : at + size]))
        at += size
    return found


async def test_a_link_gives_an_mp4_that_ends_with_its_tasks_id(upstream: Upstream, clock: Clock) -> None:
    url = await link_of(upstream, clock)
    reply = await upstream.client.get(url)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "video/mp4")
    found = boxes(reply.content)
    assert [kind for kind, _ in found][:2] == [b"ftyp", b"moov"]
    assert found[-1] == (b"free", urlsplit(url).path.removeprefix("/results/").removesuffix(".mp4").encode())


async def test_every_task_has_a_video_of_its_own(upstream: Upstream, clock: Clock) -> None:
    videos = [(await upstream.client.get(await link_of(upstream, clock))).content for _ in range(2)]
    assert videos[0] != videos[1]


async def test_a_link_with_another_credential_beside_it_is_refused(upstream: Upstream, clock: Clock) -> None:
    reply = await upstream.client.get(await link_of(upstream, clock), headers=upstream.headers)
    assert (reply.status_code, reply.headers["content-type"]) == (403, "application/xml")
    assert "<Code>SignatureDoesNotMatch</Code>" in reply.text


async def test_an_altered_link_is_refused(upstream: Upstream, clock: Clock) -> None:
    url = await link_of(upstream, clock)
    expires = parse_qs(urlsplit(url).query)["Expires"][0]
    later = url.replace(expires, str(int(expires) + 1))
    for altered in (later, url.split("?")[0], url.replace("Signature=", "Signature=%C3%A4")):
        assert (await upstream.client.get(altered)).status_code == 403


async def test_a_link_expires(simulate: Callable[..., Upstream], clock: Clock) -> None:
    upstream = simulate(link_seconds=100)
    url = await link_of(upstream, clock, "[sim:seconds=10]")  # asked for fifty seconds after the end
    clock.turn(49)
    assert (await upstream.client.get(url)).status_code == 200
    clock.turn(1)
    reply = await upstream.client.get(url)
    assert reply.status_code == 403
    assert "Request has expired." in reply.text


async def test_gateways_give_a_fresh_link_and_the_others_the_same_again(upstream: Upstream, clock: Clock) -> None:
    links = {}
    for provider in ("apiyi", "dashscope"):
        task_id = task_id_of(await upstream.native(provider, "[sim:seconds=1]"))
        clock.turn(60)
        first = (await upstream.look(provider, task_id)).text.partition("Signature=")[2][:20]
        clock.turn(60)
        links[provider] = (first, (await upstream.look(provider, task_id)).text.partition("Signature=")[2][:20])
    assert links["apiyi"][0] != links["apiyi"][1]
    assert links["dashscope"][0] == links["dashscope"][1] != ""


RANGES = [
    ("bytes=0-7", 206, 0, 8),
    ("bytes=10-", 206, 10, None),
    ("bytes=-16", 206, -16, None),
    ("bytes=0-99999999", 206, 0, None),
    ("bytes=-", 200, 0, None),
    ("lines=1-2", 200, 0, None),
]


@pytest.mark.parametrize(("wanted", "status", "start", "stop"), RANGES)
async def test_a_part_of_a_video(
    upstream: Upstream, clock: Clock, wanted: str, status: int, start: int, stop: int | None
) -> None:
    url = await link_of(upstream, clock)
    whole = (await upstream.client.get(url)).content
    reply = await upstream.client.get(url, headers={"Range": wanted})
    assert (reply.status_code, reply.content) == (status, whole[start:stop])
    if status == 206:
        first = start % len(whole)
        assert reply.headers["content-range"] == f"bytes {first}-{first + len(reply.content) - 1}/{len(whole)}"


async def test_a_part_beyond_the_end_is_refused(upstream: Upstream, clock: Clock) -> None:
    reply = await upstream.client.get(await link_of(upstream, clock), headers={"Range": "bytes=9999999-"})
    assert reply.status_code == 416
    assert reply.headers["content-range"].startswith("bytes */")


async def test_downloads_go_wrong_as_often_as_asked(upstream: Upstream, clock: Clock) -> None:
    url = await link_of(upstream, clock, "[sim:result=503:2]")
    assert [(await upstream.client.get(url)).status_code for _ in range(3)] == [503, 503, 200]
    lost = await link_of(upstream, clock, "[sim:result=lost]")
    with pytest.raises(httpx.RemoteProtocolError):
        await upstream.client.get(lost)


async def test_links_point_to_where_the_create_was_sent_or_to_the_public_url(
    simulate: Callable[..., Upstream], clock: Clock
) -> None:
    assert (await link_of(simulate(), clock)).startswith(f"{BASE}/results/")
    assert (await link_of(simulate(public_url="https://sim.test"), clock)).startswith("https://sim.test/results/")
