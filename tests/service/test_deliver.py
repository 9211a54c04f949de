"""Deliveries: the schedule, what ends it, and what stays the same over all attempts."""

from __future__ import annotations

import json
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.backoff import DELIVERY_DELAYS
from service.telling.deliver import DEADLINE_SECONDS, LEASE_MS
from service.telling.outcomes import read_retry_after
from tests.service.asking import created, record, told
from tests.world import ADMIN, KEY, OTHER_KEY, World, serve, world

pytestmark = pytest.mark.anyio
HOUR = 3600.0
NOW = 1_760_000_000_000


async def ended(it: World, **how: Any) -> str:
    """A task of DashScope that has ended and whose delivery was tried once."""
    task_id = await created(it, "seconds=1", provider="dashscope", **how)
    await it.settle(6)
    return task_id


async def delivery(it: World, task_id: str) -> dict[str, Any]:
    [shown] = (await record(it, task_id))["deliveries"]
    result: dict[str, Any] = shown
    return result


def refusing(it: World, times: int, status: int = 500, **headers: str) -> None:
    it.inbox.answers += [(status, {name.replace("_", "-"): value for name, value in headers.items()})] * times


async def test_an_attempt_that_fails_is_made_again_by_the_schedule(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        refusing(it, 4)
        task_id = await ended(it)
        await it.settle(sum(DELIVERY_DELAYS[:4]) + 60, 5)
        shown = await delivery(it, task_id)
        assert (shown["state"], shown["attempts"]) == ("DELIVERED", 5)
        assert [(one["number"], one["status"], one["verdict"]) for one in shown["log"]] == [
            *((number, 500, "bad_status") for number in range(1, 5)), (5, 204, "delivered"),
        ]  # fmt: skip
        begun = [datetime.fromisoformat(one["started_at"]) for one in shown["log"]]
        pauses = [(after - before).total_seconds() for before, after in pairwise(begun)]
        assert [pause // 5 * 5 for pause in pauses] == list(DELIVERY_DELAYS[:4])  # the clock is turned by five


async def test_what_cannot_be_signed_is_not_sent_and_every_try_is_on_record(tmp_path: Path) -> None:
    """The key under which its client's webhook secret was sealed was taken out of RINGBACK_SECRET_KEYS."""
    async with world(tmp_path, secret_keys=("old",)) as it:
        made = await it.ringback.clients.create("third")
        assert made is not None
        it.inbox.secrets = (made.webhook_secret,)
        task_id = await created(it, "seconds=1", provider="dashscope", key=made.key)
        await it.stop()
        await it.start(secret_keys=("new",))
        await it.settle(60, 5)
        shown = await delivery(it, task_id)
        assert (shown["state"], [one["verdict"] for one in shown["log"]]) == ("PENDING", ["unsigned"] * 3)
        assert it.inbox.received == it.inbox.forged == []
        await it.stop()
        await it.start(secret_keys=("new", "old"))
        await it.settle(180, 5)
        assert (await delivery(it, task_id))["state"] == "DELIVERED"
        assert len(told(it)) == 1


async def test_every_attempt_carries_the_same_id_and_bytes_and_a_fresh_timestamp(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        seen: list[tuple[str, bytes, str, str]] = []

        async def keep(request: Request) -> Response:
            names = ("webhook-id", "webhook-timestamp", "webhook-signature")
            message_id, at, signature = (request.headers[name] for name in names)
            seen.append((message_id, await request.body(), at, signature))
            return Response(status_code=503)

        async with serve(Starlette(routes=[Route("/keep", keep, methods=["POST"])])) as url:
            body = {"action": "text2video", "model": "wan2.6-t2v", "prompt": "[sim:seconds=1]"}
            await it.client.post("/wan/videos", json=body | {"callback_url": f"{url}/keep"})
            await it.settle(4 * HOUR, 60)
        ids, bodies, times, signatures = (set(column) for column in zip(*seen, strict=True))
        assert len(seen) > 5
        assert len(ids) == len(bodies) == 1
        assert len(times) == len(signatures) == len(seen)


async def test_a_receiver_that_never_answers_well_is_given_up_after_three_days(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        refusing(it, 99)
        task_id = await ended(it)
        await it.settle(75 * HOUR, 1800)
        shown = await delivery(it, task_id)
        assert shown["state"] == "PENDING"
        await it.settle(10 * HOUR, 1800)
        shown = await delivery(it, task_id)
        assert (shown["state"], shown["attempts"]) == ("EXHAUSTED", len(DELIVERY_DELAYS) + 1)
        assert shown["next_attempt_at"] is None
        before = len(it.inbox.received)
        await it.settle(100 * HOUR, 7200)
        assert len(it.inbox.received) == before


async def test_gone_ends_a_delivery_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        refusing(it, 1, 410)
        task_id = await ended(it)
        await it.settle(10 * HOUR, 600)
        shown = await delivery(it, task_id)
        assert (shown["state"], shown["attempts"], shown["log"][0]["verdict"]) == ("ABANDONED", 1, "gone")
        assert len(it.inbox.received) == 1


async def test_a_redirect_is_a_failure_and_not_followed(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        refusing(it, 1, 307, location=f"{it.inbox.url}/elsewhere")
        task_id = await ended(it)
        [attempt] = (await delivery(it, task_id))["log"]
        assert (attempt["verdict"], attempt["status"]) == ("redirect", 307)
        assert "not followed" in attempt["reason"]
        await it.settle(10)
        assert {one.path for one in it.inbox.received} == {"/hook"}


async def test_a_receivers_retry_after_is_waited_for(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        refusing(it, 1, 429, retry_after="90")
        await ended(it)
        await it.settle(85)
        assert len(it.inbox.received) == 1
        await it.settle(10)
        assert len(it.inbox.received) == 2


@pytest.mark.parametrize("odd", ["Mon, 01 Jan 99999999999 00:00:00 GMT", "1e400", "-5", "soon", "9" * 40])
async def test_an_odd_retry_after_counts_as_absent(tmp_path: Path, odd: str) -> None:
    async with world(tmp_path) as it:
        refusing(it, 1, 503, retry_after=odd)
        task_id = await ended(it)
        await it.settle(10)
        assert (await delivery(it, task_id))["state"] == "DELIVERED"


async def test_a_receiver_that_is_down_is_a_failed_attempt(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        async with serve(Starlette()) as url:
            pass
        body = {"action": "text2video", "model": "wan2.6-t2v", "prompt": "[sim:seconds=1]", "callback_url": url}
        task_id = (await it.client.post("/wan/videos", json=body)).json()["task_id"]
        await it.settle(4)
        shown = await delivery(it, task_id)
        assert (shown["state"], shown["log"][0]["verdict"], shown["log"][0]["status"]) == ("PENDING", "no_reply", None)


async def test_a_place_that_became_forbidden_is_not_dialled_and_tried_again(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "seconds=1", provider="dashscope")
        await it.stop()
        await it.start(egress_allow="")
        await it.settle(6)
        [attempt] = (await delivery(it, task_id))["log"]
        assert (attempt["verdict"], attempt["status"]) == ("refused", None)
        assert attempt["reason"].startswith("not dialled: ")
        assert it.inbox.received == []
        await it.stop()
        await it.start(egress_allow="127.0.0.0/8")
        await it.settle(10)
        assert len(told(it)) == 1


async def test_a_replay_sends_the_same_message_again(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await ended(it)
        shown = await delivery(it, task_id)
        replayed = await it.client.post(f"/v1/deliveries/{shown['id']}/replay")
        assert (replayed.status_code, replayed.json()["state"]) == (202, "PENDING")
        await it.tick()
        first, second = it.inbox.received
        assert (first.id, first.raw) == (second.id, second.raw)
        assert (await delivery(it, task_id))["attempts"] == 2


async def test_a_replay_of_an_exhausted_delivery_has_the_whole_schedule_again(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        refusing(it, len(DELIVERY_DELAYS) + 3)
        task_id = await ended(it)
        await it.settle(90 * HOUR, 3600)
        shown = await delivery(it, task_id)
        assert shown["state"] == "EXHAUSTED"
        await it.client.post(f"/v1/deliveries/{shown['id']}/replay")
        await it.settle(40, 5)
        shown = await delivery(it, task_id)
        assert (shown["state"], shown["attempts"]) == ("DELIVERED", len(DELIVERY_DELAYS) + 1 + 3)


async def test_a_delivery_in_hand_when_the_server_dies_is_made_at_the_next_start(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "seconds=1", provider="dashscope")
        it.clock.turn(6)
        await it.ringback.workers["look.dashscope"].tick()
        [claimed] = await it.ringback.workers["deliver"]._work.claim(10)
        await it.stop()
        await it.start()
        await it.tick()
        [one] = it.inbox.received
        assert one.id == claimed.delivery.id
        assert (await delivery(it, task_id))["state"] == "DELIVERED"


async def test_each_client_is_signed_to_with_its_own_secret(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        headers = it.as_key(ADMIN)
        made = (await it.client.post("/v1/keys", json={"name": "blog"}, headers=headers)).json()
        it.inbox.secrets = (made["webhook_secret"],)
        await ended(it, key=made["key"])
        assert len(it.inbox.received) == 1
        await ended(it, key=KEY)
        assert len(it.inbox.forged) == 1  # signed with the secret of the environment


async def test_the_event_format_is_the_same_for_every_shape(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        body = {"model": "wan2.6-t2v", "input": {"prompt": "[sim:seconds=1]"}}
        path = "/api/v1/services/aigc/video-generation/video-synthesis"
        extra = {"x-callback-format": "event", "x-ringback-metadata": json.dumps({"order": "42"})}
        headers = extra | {"x-callback-url": f"{it.inbox.url}/hook"}
        task_id = (await it.client.post(path, json=body, headers=headers)).json()["output"]["task_id"]
        await it.settle(70)
        [event] = told(it)
        assert event["type"] == "task.succeeded"
        assert event["data"]["task_id"] == task_id
        assert event["data"]["metadata"] == {"order": "42"}
        assert event["data"]["video_url"].startswith("http")


async def test_a_reply_of_an_allowed_private_receiver_is_not_kept(tmp_path: Path) -> None:
    """What the operator alone opened must not be readable through us."""
    async with world(tmp_path) as it:

        async def secretive(request: Request) -> Response:
            return Response("internal secret", status_code=500)

        async with serve(Starlette(routes=[Route("/", secretive, methods=["POST"])])) as url:
            body = {"action": "text2video", "model": "wan2.6-t2v", "prompt": "[sim:seconds=1]", "callback_url": url}
            task_id = (await it.client.post("/wan/videos", json=body)).json()["task_id"]
            await it.settle(4)
        assert (await delivery(it, task_id))["log"][0]["reply"] is None
        assert "internal secret" not in json.dumps(await record(it, task_id))


async def test_nobody_but_the_client_and_the_operator_can_replay(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        shown = await delivery(it, await ended(it))
        path = f"/v1/deliveries/{shown['id']}/replay"
        assert (await it.client.post(path, headers=it.as_key(OTHER_KEY))).status_code == 404
        assert (await it.client.post(path, headers=it.as_key(ADMIN))).status_code == 202
        assert (await it.client.get(path)).status_code == 405


def test_the_lease_of_a_delivery_is_longer_than_an_attempt_may_take() -> None:
    assert LEASE_MS > 2 * DEADLINE_SECONDS * 1000


def test_retry_after_is_read_in_both_forms() -> None:
    assert read_retry_after({"retry-after": "120"}, NOW) == 120
    assert read_retry_after({"retry-after": "Thu, 09 Oct 2025 08:55:00 GMT"}, NOW) == 100
    assert read_retry_after({"retry-after": "Thu, 09 Oct 2014 08:55:00 GMT"}, NOW) == 0
    assert read_retry_after({}, NOW) is None


dates = st.from_regex(r"Mon, \d\d [A-Z][a-z]{2} \d{1,12} \d\d:\d\d:\d\d [-+A-Z\d]{1,6}")


@given(st.text(max_size=60) | dates)
def test_any_retry_after_is_read_or_left_out(header: str) -> None:
    seconds = read_retry_after({"retry-after": header}, NOW)
    assert seconds is None or seconds >= 0
