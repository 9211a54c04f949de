"""A task that was created at a provider itself becomes a callback: signed, once, whoever's key is used for it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.providers import PROVIDERS
from service.settings import Account
from tests.service.asking import ACEDATA, SHAPES, SILENT, created, record, told
from tests.service.elsewhere import (
    OWN_KEY,
    at_provider,
    credentials,
    grant,
    operators_key,
    turning,
    watch,
    watched,
)
from tests.world import ADMIN, OTHER_KEY, SIMULATOR, World, world

pytestmark = pytest.mark.anyio
DAY = 24 * 3600.0


def creates(it: World) -> int:
    return sum(count for (_, kind), count in it.upstreams.requests.items() if kind == "create")


def queries(it: World) -> int:
    return sum(count for (_, kind), count in it.upstreams.requests.items() if kind == "query")


async def tasks(it: World) -> list[Any]:
    listed: list[Any] = (await it.client.get("/v1/tasks", headers=it.as_key(ADMIN))).json()["tasks"]
    return listed


async def poll(it: World, shape: str, task_id: str, key: str | None = None) -> Any:
    """What a GET of a shape answers."""
    headers = it.as_key(key)
    if shape == "flat":
        asked = {"action": "retrieve", "id": task_id}
        return (await it.client.post("/wan/tasks", json=asked, headers=headers)).json()
    path = "/api/v1/tasks/" if shape == "native" else "/v1/tasks/"
    return (await it.client.get(path + task_id, headers=headers)).json()


@pytest.mark.parametrize("own", [True, False], ids=["own key", "server's account"])
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_running_task_is_told_once_when_it_ends(tmp_path: Path, provider: str, own: bool) -> None:
    async with world(tmp_path) as it:
        await grant(it)
        upstream_id = await at_provider(it, provider, key=OWN_KEY if own else operators_key(provider))
        it.clock.turn(10)
        lent = {"upstream_key": OWN_KEY} if own else {}
        task_id = await watched(it, provider, upstream_id, **lent)
        assert (await record(it, task_id))["state"] == "RUNNING"
        await it.settle(9)
        assert told(it) == []
        await it.settle(30)
        task = await record(it, task_id)
        assert (task["state"], task["detector"], task["watched"]) == ("SUCCEEDED", "look", True)
        [body] = told(it)
        shown = await poll(it, SHAPES[provider], task_id)
        assert body == (shown["response"] if provider == ACEDATA else shown)
        assert it.inbox.forged == []
        await it.settle(7200, 600)
        assert len(it.inbox.received) == 1
        assert creates(it) == 1


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_task_that_has_ended_is_told_at_once(tmp_path: Path, provider: str) -> None:
    async with world(tmp_path) as it:
        upstream_id = await at_provider(it, provider, "seconds=5")
        it.clock.turn(60)
        response = await watch(it, provider, upstream_id, upstream_key=OWN_KEY)
        assert (response.status_code, response.json()["state"]) == (201, "SUCCEEDED")
        assert response.json()["video_url"]
        await it.tick()
        assert len(told(it)) == 1
        assert await credentials(it) == [None]
        assert queries(it) == 1


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_failed_task_is_told_with_its_reason(tmp_path: Path, provider: str) -> None:
    async with world(tmp_path) as it:
        upstream_id = await at_provider(it, provider, "fail seconds=5")
        it.clock.turn(60)
        task_id = await watched(it, provider, upstream_id, upstream_key=OWN_KEY, format="event")
        await it.tick()
        [event] = told(it)
        assert (event["type"], event["data"]["task_id"]) == ("task.failed", task_id)
        assert event["data"]["error"]["code"] not in ("", "outcome_unknown")


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_every_shape_reads_a_watched_task(tmp_path: Path, provider: str) -> None:
    async with world(tmp_path) as it:
        task_id = await watched(it, provider, await at_provider(it, provider), upstream_key=OWN_KEY)
        for _ in range(2):
            for shape in ("flat", "native", "gateway"):
                assert task_id in str(await poll(it, shape, task_id))
            assert [one["task_id"] for one in await tasks(it)] == [task_id]
            listed = (await it.client.get("/api/v1/tasks")).json()
            assert [one["task_id"] for one in listed["data"]] == [task_id]
            await it.settle(30)


@pytest.mark.parametrize("provider", [ACEDATA, "dashscope"])
async def test_the_record_has_our_times_and_the_providers(tmp_path: Path, provider: str) -> None:
    async with world(tmp_path) as it:
        began = it.clock()
        upstream_id = await at_provider(it, provider, "seconds=100")
        it.clock.turn(60)
        task_id = await watched(it, provider, upstream_id, upstream_key=OWN_KEY)
        await it.settle(60)
        task = await record(it, task_id)
        [placement] = task["placements"]
        assert placement["sent_at"] == task["upstream_times"]["created_at"] < task["created_at"]
        assert task["upstream_times"]["finished_at"] <= task["finished_at"]
        assert placement["upstream_id"] == upstream_id
        assert placement["charge"] is None
        assert it.clock() - began > 100_000


@pytest.mark.parametrize("own", [True, False], ids=["own key", "server's account"])
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_what_the_provider_does_not_know_is_a_404(tmp_path: Path, provider: str, own: bool) -> None:
    async with world(tmp_path) as it:
        await grant(it)
        turning(it)
        lent = {"upstream_key": OWN_KEY} if own else {}
        response = await watch(it, provider, "5f1d3b54-0000-0000-0000-000000000000", **lent)
        assert response.status_code == 404
        assert response.json() == {
            "error": {
                "code": "not_found",
                "message": "The provider does not know such a task. If it was created just now, try again in a few "
                "seconds.",
            }
        }
        assert await tasks(it) == []


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_what_another_client_has_looks_like_what_nobody_knows(tmp_path: Path, provider: str) -> None:
    async with world(tmp_path) as it:
        turning(it)
        for client in ("env:first", "env:second"):
            await grant(it, client)
        task_id = await created(it, "seconds=600", provider=provider)
        sent = (await record(it, task_id))["placements"][0]["upstream_id"]
        seen = await at_provider(it, provider, "seconds=600", key=operators_key(provider))
        await watched(it, provider, seen)
        it.clock.turn(60)
        replies, asked = [], []
        for upstream_id in (sent, seen, "5f1d3b54-0000-0000-0000-000000000000"):
            before = queries(it)
            response = await watch(it, provider, upstream_id, key=OTHER_KEY)
            replies.append((response.status_code, response.content))
            asked.append(queries(it) - before)
            it.clock.turn(60)
        assert replies[0] == replies[1] == replies[2]
        assert replies[0][0] == 404
        assert asked[0] == asked[1] == asked[2] > 0


async def test_another_client_reads_nothing_of_it(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await watched(it, "dashscope", await at_provider(it, "dashscope"), upstream_key=OWN_KEY)
        other = it.as_key(OTHER_KEY)
        assert (await poll(it, "native", task_id, OTHER_KEY))["output"]["task_status"] == "UNKNOWN"
        assert await poll(it, "flat", task_id, OTHER_KEY) == {}
        assert (await it.client.get(f"/v1/tasks/{task_id}/record", headers=other)).status_code == 404
        assert (await it.client.post(f"/v1/tasks/{task_id}/cancel", json={}, headers=other)).status_code == 404
        assert (await it.client.get("/v1/tasks", headers=other)).json()["tasks"] == []


async def test_without_the_right_only_an_own_key_will_do(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        upstream_id = await at_provider(it, "apiyi", key=operators_key("apiyi"))
        refused = await watch(it, "apiyi", upstream_id)
        assert refused.status_code == 403
        assert refused.json()["error"]["message"].startswith("upstream_key: send your own key at the provider;")
        assert queries(it) == 0
        assert (await watch(it, "apiyi", upstream_id, upstream_key=OWN_KEY)).status_code == 404
        assert (await watch(it, "apiyi", upstream_id, upstream_key=operators_key("apiyi"))).status_code == 201


async def test_the_right_holds_where_the_key_may_use_the_provider(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await grant(it, providers=("apiyi",))
        await watched(it, "apiyi", await at_provider(it, "apiyi", key=operators_key("apiyi")))
        elsewhere = await at_provider(it, "dashscope", key=operators_key("dashscope"))
        assert (await watch(it, "dashscope", elsewhere)).status_code == 403
        await watched(it, "dashscope", await at_provider(it, "dashscope"), upstream_key=OWN_KEY)


async def test_the_operator_and_open_mode_watch_with_the_servers_account(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        upstream_id = await at_provider(it, "apiyi", key=operators_key("apiyi"))
        await watched(it, "apiyi", upstream_id, key=ADMIN)
        await it.settle(60)
        assert len(told(it)) == 1
    (tmp_path / "open").mkdir()
    async with world(tmp_path / "open", api_keys=(), public_url=None) as it:
        await watched(it, "apiyi", await at_provider(it, "apiyi", key=operators_key("apiyi")))


async def test_the_operator_finds_the_task_of_the_client_that_has_it(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        upstream_id = await at_provider(it, "apiyi")
        task_id = await watched(it, "apiyi", upstream_id, upstream_key=OWN_KEY)
        response = await watch(it, "apiyi", upstream_id, key=ADMIN, url="/operator")
        assert (response.status_code, response.json()["task_id"]) == (200, task_id)


def unauthorized(request: httpx.Request) -> httpx.Response:
    code = {"error": {"code": "invalid_token", "message": OWN_KEY}}
    return httpx.Response(401, json=code | {"code": "InvalidApiKey", "message": OWN_KEY})


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_an_own_key_that_is_refused_is_named_and_nothing_is_kept(tmp_path: Path, provider: str) -> None:
    async with world(tmp_path) as it:
        turning(it)

        async def between(request: httpx.Request) -> httpx.Response | None:
            return unauthorized(request)

        it.between = between
        response = await watch(it, provider, "some-id", upstream_key=OWN_KEY)
        assert response.status_code == 400
        assert response.json()["error"]["message"] == f"upstream_key: {PROVIDERS[provider].title} refuses it."
        assert await tasks(it) == []
        assert await credentials(it) == []


async def test_the_servers_account_being_refused_is_the_operators_matter(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await grant(it)

        async def between(request: httpx.Request) -> httpx.Response | None:
            return unauthorized(request)

        it.between = between
        response = await watch(it, "dashscope", "some-id")
        assert (response.status_code, response.json()["error"]["code"]) == (403, "upstream_account")
        events = (await it.client.get("/v1/operator/events", headers=it.as_key(ADMIN))).json()["events"]
        assert [(one["kind"], one["subject"]) for one in events] == [("upstream.look_refused", "dashscope")]


@pytest.mark.parametrize("said", [503, 502, 429, 200, None])
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_provider_that_cannot_be_asked_is_a_503_and_nothing_is_kept(
    tmp_path: Path, provider: str, said: int | None
) -> None:
    async with world(tmp_path) as it:
        turning(it)
        upstream_id = await at_provider(it, provider)

        async def between(request: httpx.Request) -> httpx.Response | None:
            if said is None:
                raise httpx.ConnectError("down")
            return httpx.Response(said, content=b"[1]", headers={"retry-after": "7"})

        it.between = between
        response = await watch(it, provider, upstream_id, upstream_key=OWN_KEY)
        assert response.status_code == 503
        assert int(response.headers["retry-after"]) >= 5
        assert await tasks(it) == []
        it.between = None
        it.clock.turn(30)
        await watched(it, provider, upstream_id, upstream_key=OWN_KEY)


async def test_a_key_is_sealed_while_it_is_needed_and_erased_at_the_end(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await watched(it, "dashscope", await at_provider(it, "dashscope"), upstream_key=OWN_KEY)
        [sealed] = await credentials(it)
        assert sealed
        assert OWN_KEY.encode() not in sealed
        shown = (await it.client.get(f"/v1/tasks/{task_id}/record", headers=it.as_key(ADMIN))).text
        assert OWN_KEY not in shown
        await it.settle(60)
        assert await credentials(it) == [None]
        for file in tmp_path.iterdir():
            assert OWN_KEY.encode() not in file.read_bytes()


@pytest.mark.parametrize("end", ["fail seconds=20", "nourl seconds=20", f"lag={3 * DAY}"])
async def test_however_it_ends_no_key_is_left(tmp_path: Path, end: str) -> None:
    async with world(tmp_path) as it:
        upstream_id = await at_provider(it, "dashscope", end if "lag" not in end else "seconds=10000")
        task_id = await watched(it, "dashscope", upstream_id, upstream_key=OWN_KEY)
        if "lag" in end:
            del it.upstreams.tasks[upstream_id]  # the provider has forgotten it
            await it.settle(DAY + 3600, 300)
        await it.settle(60)
        assert (await record(it, task_id))["state"] in ("FAILED", "EXPIRED")
        assert await credentials(it) == [None]
        assert len(told(it)) == 1


async def test_no_log_line_has_the_key(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with world(tmp_path) as it:
        await watched(it, "dashscope", await at_provider(it, "dashscope"), upstream_key=OWN_KEY)

        async def between(request: httpx.Request) -> httpx.Response | None:
            return unauthorized(request)

        it.between = between
        await it.settle(60)
        await watch(it, "dashscope", "another", upstream_key=OWN_KEY)
        assert "look.unheard" in caplog.text
        assert OWN_KEY not in caplog.text


async def test_a_key_that_is_refused_later_fails_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await watched(it, "dashscope", await at_provider(it, "dashscope"), upstream_key=OWN_KEY)

        async def between(request: httpx.Request) -> httpx.Response | None:
            return unauthorized(request)

        it.between = between
        await it.settle(3600, 60)
        assert (await record(it, task_id))["state"] == "QUEUED"
        it.between = None
        await it.settle(3600, 60)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"


async def test_the_first_success_of_a_lent_key_wakes_what_is_stalled_with_it(tmp_path: Path) -> None:
    async with world(tmp_path) as it:

        async def outage(request: httpx.Request) -> httpx.Response | None:
            return httpx.Response(503)

        async def state(task_id: str) -> str:
            shown: str = (await record(it, task_id))["state"]
            return shown

        slow = await watched(it, "dashscope", await at_provider(it, "dashscope"), upstream_key=OWN_KEY)
        it.between = outage
        await it.settle(7000, 20)
        it.between = None
        quick = await watched(it, "dashscope", await at_provider(it, "dashscope"), upstream_key=OWN_KEY)
        it.between = outage
        await it.settle(60)
        it.between = None
        [placement] = (await record(it, slow))["placements"]
        assert placement["stalled"]
        while await state(quick) != "SUCCEEDED":
            await it.settle(1)
        await it.settle(61)
        assert await state(slow) == "SUCCEEDED"
        ended = (await record(it, slow))["finished_at"]
        assert ended < placement["next_look_at"]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_watch_goes_on_after_a_restart(tmp_path: Path, provider: str) -> None:
    async with world(tmp_path) as it:
        await grant(it)
        lent = await watched(it, provider, await at_provider(it, provider), upstream_key=OWN_KEY)
        seen = await watched(it, provider, await at_provider(it, provider, key=operators_key(provider)))
        await it.stop()
        it.clock.turn(120)
        await it.start()
        await it.settle(30)
        assert [(await record(it, one))["state"] for one in (lent, seen)] == ["SUCCEEDED"] * 2
        assert len(told(it)) == 2


async def test_the_same_watch_again_is_the_same_task_and_tells_the_new_url_too(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        upstream_id = await at_provider(it, "laozhang")
        task_id = await watched(it, "laozhang", upstream_id, upstream_key=OWN_KEY)
        asked = queries(it)
        for url in ("/hook", "/other", "/other", None):
            again = await watch(it, "laozhang", upstream_id, url=url)  # without any key: it has it already
            assert (again.status_code, again.json()["task_id"]) == (200, task_id)
        assert queries(it) == asked
        await it.settle(60)
        assert (len(it.inbox.bodies("/hook")), len(it.inbox.bodies("/other"))) == (1, 1)
        late = await watch(it, "laozhang", upstream_id, url="/late")
        assert late.json()["state"] == "SUCCEEDED"
        await it.tick()
        assert len(it.inbox.bodies("/late")) == 1
        assert len(await tasks(it)) == 1


async def test_what_we_sent_is_found_by_its_upstream_id(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "seconds=20", provider="apiyi", url="")
        upstream_id = (await record(it, task_id))["placements"][0]["upstream_id"]
        response = await watch(it, "apiyi", upstream_id)
        assert (response.status_code, response.json()["task_id"]) == (200, task_id)
        await it.settle(60)
        assert len(told(it)) == 1


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_of_watches_that_come_at_once_one_makes_the_task(tmp_path: Path, provider: str) -> None:
    async with world(tmp_path) as it:
        turning(it)
        upstream_id = await at_provider(it, provider)
        asking = [watch(it, provider, upstream_id, upstream_key=OWN_KEY, url=f"/{number}") for number in range(3)]
        other = watch(it, provider, upstream_id, upstream_key=OWN_KEY, key=OTHER_KEY)
        *mine, others = await asyncio.gather(*asking, other)
        assert sorted(one.status_code for one in mine) == [200, 200, 201]
        assert len({one.json()["task_id"] for one in mine}) == 1
        assert others.status_code == 404
        await it.settle(60)
        assert sorted(one.path for one in it.inbox.received) == ["/0", "/1", "/2"]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_looks_with_a_lent_key_hold_nobody_elses_tasks(tmp_path: Path, provider: str) -> None:
    async with world(tmp_path, public_url=None) as it:
        await grant(it)
        keys = {operators_key(provider): [], OWN_KEY: [], "sk-third": []}  # type: dict[str, list[str]]
        for key, ids in keys.items():
            for _ in range(2):
                ids.append(await at_provider(it, provider, "seconds=60", key=key))
                lent = {} if key == operators_key(provider) else {"upstream_key": key}
                it.clock.turn(2)
                await watched(it, provider, ids[-1], **lent)
        asked: list[tuple[str, str]] = []

        async def between(request: httpx.Request) -> httpx.Response | None:
            asked.append(
                (request.headers["authorization"].removeprefix("Bearer "), f"{request.url} {request.content!r}")
            )
            return None

        it.between = between
        await it.settle(90)
        for used, text in asked:
            assert any(one in text for one in keys[used])
            assert not any(one in text for key, ids in keys.items() if key != used for one in ids)
        assert {used for used, _ in asked} == set(keys)
        assert {one["state"] for one in await tasks(it)} == {"SUCCEEDED"}


async def test_a_lent_key_does_not_slow_the_servers_own_looks_down(tmp_path: Path) -> None:
    async with world(tmp_path, public_url=None) as it:
        turning(it)
        own = await created(it, "seconds=30")
        for _ in range(8):
            await watched(it, ACEDATA, await at_provider(it, ACEDATA, "seconds=600"), upstream_key=OWN_KEY, url=None)
            it.clock.turn(1)
        await it.settle(42)
        assert (await record(it, own))["state"] == "SUCCEEDED"


async def test_a_watched_task_is_canceled_with_the_key_that_was_lent_for_it(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        upstream_id = await at_provider(it, "dashscope", "queue=60 seconds=100")
        task_id = await watched(it, "dashscope", upstream_id, upstream_key=OWN_KEY)
        answer = (await it.client.post(f"/v1/tasks/{task_id}/cancel", json={})).json()
        assert (answer["canceled"], answer["state"]) == (True, "CANCELED")
        assert await credentials(it) == [None]
        await it.tick()
        assert len(told(it)) == 1


@pytest.mark.parametrize("named", [True, False])
async def test_a_task_of_acedatas_other_service_is_found(tmp_path: Path, named: bool) -> None:
    async with world(tmp_path) as it:
        turning(it)
        body = {
            "action": "generate",
            "model": "happyhorse-1.1-t2v",
            "prompt": "a horse [sim:seconds=20]",
            "async": True,
        }
        upstream_id = await at_provider(it, ACEDATA, body=body)
        model = {"model": "happyhorse-1.1-t2v"} if named else {}
        task_id = await watched(it, ACEDATA, upstream_id, upstream_key=OWN_KEY, **model)
        assert queries(it) == (1 if named else 2)
        await it.settle(60)
        task = await record(it, task_id)
        assert (task["state"], task["model"]) == ("SUCCEEDED", "happyhorse-1.1-t2v")


async def test_a_watched_task_of_acedata_is_not_waited_for_as_if_it_would_call_us(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await watched(it, ACEDATA, await at_provider(it, ACEDATA), upstream_key=OWN_KEY)
        await it.settle(35)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"


async def test_a_success_without_a_video_is_read_once_more(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        upstream_id = await at_provider(it, "apiyi", "nourl seconds=5")
        it.clock.turn(60)
        task_id = await watched(it, "apiyi", upstream_id, upstream_key=OWN_KEY)
        assert (await record(it, task_id))["state"] == "QUEUED"
        await it.settle(5)
        assert (await record(it, task_id))["error"]["code"] == "no_result"
        assert len(told(it)) == 1


async def test_metadata_and_model_come_back(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        fields = {"metadata": {"order": 7}, "model": "wan2.6-t2v", "format": "event", "upstream_key": OWN_KEY}
        await watched(it, "dashscope", await at_provider(it, "dashscope"), **fields)
        await it.settle(60)
        [event] = told(it)
        assert (event["data"]["metadata"], event["data"]["model"]) == ({"order": 7}, "wan2.6-t2v")


async def test_a_key_of_ours_has_a_default_url_for_watches_too(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        wanted = {"name": "new", "callback_url": f"{it.inbox.url}/default"}
        made = (await it.client.post("/v1/keys", json=wanted, headers=it.as_key(ADMIN))).json()
        it.inbox.secrets = (made["webhook_secret"],)
        upstream_id = await at_provider(it, "apiyi")
        await watched(it, "apiyi", upstream_id, upstream_key=OWN_KEY, key=made["key"], url=None)
        await it.settle(60)
        assert len(told(it, "/default")) == 1


async def test_a_forbidden_url_is_refused_before_anybody_is_asked(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        body = {"provider": "apiyi", "task_id": "x", "callback_url": "http://10.0.0.1/", "upstream_key": OWN_KEY}
        response = await it.client.post("/v1/watch", json=body)
        assert response.status_code == 400
        assert response.json()["error"]["message"].startswith("callback_url: ")
        assert queries(it) == 0


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"task_id": "x"}, "provider"),
        ({"provider": "nobody", "task_id": "x"}, "provider"),
        ({"provider": 1, "task_id": "x"}, "provider"),
        ({"provider": "apiyi"}, "task_id"),
        ({"provider": "apiyi", "task_id": ""}, "task_id"),
        ({"provider": "apiyi", "task_id": 7}, "task_id"),
        ({"provider": "apiyi", "task_id": "x" * 201}, "task_id"),
        ({"provider": "apiyi", "task_id": "a b"}, "task_id"),
        ({"provider": "apiyi", "task_id": "a\n"}, "task_id"),
        ({"provider": "apiyi", "task_id": "ä"}, "task_id"),
        ({"provider": "apiyi", "task_id": "."}, "task_id"),
        ({"provider": "apiyi", "task_id": ".."}, "task_id"),
        ({"provider": "apiyi", "task_id": "x", "callback_url": 1}, "callback_url"),
        ({"provider": "apiyi", "task_id": "x", "format": "xml"}, "format"),
        ({"provider": "apiyi", "task_id": "x", "format": []}, "format"),
        ({"provider": "apiyi", "task_id": "x", "upstream_key": ""}, "upstream_key"),
        ({"provider": "apiyi", "task_id": "x", "upstream_key": "a\r\nb"}, "upstream_key"),
        ({"provider": "apiyi", "task_id": "x", "upstream_key": 1}, "upstream_key"),
        ({"provider": "apiyi", "task_id": "x", "upstream_key": "k" * 1001}, "upstream_key"),
        ({"provider": "apiyi", "task_id": "x", "model": "m" * 201}, "model"),
        ({"provider": "apiyi", "task_id": "x", "model": 1}, "model"),
        ({"provider": "apiyi", "task_id": "x", "metadata": []}, "metadata"),
        ({"provider": "apiyi", "task_id": "x", "metadata": {"x": "y" * 5000}}, "metadata"),
        ({"provider": "apiyi", "task_id": "x", "key": "y"}, "key"),
    ],
)
async def test_what_is_wrong_is_named(tmp_path: Path, fields: dict[str, Any], named: str) -> None:
    async with world(tmp_path) as it:
        response = await it.client.post("/v1/watch", json={"upstream_key": OWN_KEY} | fields)
        assert response.status_code == 400
        assert response.json()["error"]["message"].startswith(f"{named}: ")
        assert queries(it) == 0


NASTY = (
    "../../compatible-mode/v1/models",
    "a/../../b",
    "x?y=z",
    "x#y",
    "%2e%2e%2f%2e%2e",
    "%00",
    "a//b",
    "...",
    "x&y;z",
)


@pytest.mark.parametrize("upstream_id", NASTY)
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_no_id_leads_to_another_path_of_the_provider(tmp_path: Path, provider: str, upstream_id: str) -> None:
    async with world(tmp_path) as it:
        turning(it)
        asked: list[bytes] = []

        async def between(request: httpx.Request) -> httpx.Response | None:
            asked.append(request.url.raw_path)
            return httpx.Response(404, json={})

        it.between = between
        await watch(it, provider, upstream_id, upstream_key=OWN_KEY)
        base = {"flat": b"/wan/tasks", "native": b"/api/v1/tasks/", "gateway": b"/v1/tasks/"}[SHAPES[provider]]
        path = asked[0].removeprefix(b"/" + provider.encode())
        if provider == ACEDATA:
            assert path == base
        else:
            assert path.startswith(base)
            assert not set(path.removeprefix(base)) & set(b"/?#;&")
            assert httpx.URL("http://x" + path.decode()).path.removeprefix(base.decode()) == upstream_id


async def test_a_send_of_ours_whose_answer_was_lost_is_not_for_others_to_watch(tmp_path: Path) -> None:
    """Its record has the callback URL that only we gave out."""
    async with world(tmp_path) as it:
        turning(it)
        await grant(it, "env:second")
        task_id = await created(it, "create=lost seconds=60 callback=lost")
        upstream_id = it.upstreams.creates[0].task_id
        it.clock.turn(10)
        assert (await watch(it, ACEDATA, upstream_id, key=OTHER_KEY)).status_code == 404
        await grant(it)
        response = await watch(it, ACEDATA, upstream_id, url="/mine")
        assert (response.status_code, response.json()["task_id"]) == (200, task_id)
        assert len(await tasks(it)) == 1


@pytest.mark.parametrize("provider", SILENT)
async def test_a_doubtful_send_that_somebody_watches_ends_as_any_other(tmp_path: Path, provider: str) -> None:
    async with world(tmp_path) as it:
        await grant(it, "env:second")
        task_id = await created(it, "create=lost seconds=60", provider=provider)
        upstream_id = it.upstreams.creates[0].task_id
        it.clock.turn(10)
        seen = await watched(it, provider, upstream_id, key=OTHER_KEY, url="/other")
        await it.settle(1000, 10)
        assert (await record(it, seen))["state"] == "SUCCEEDED"
        ended = await record(it, task_id)
        assert ended["state"] == "SUCCEEDED" or ended["error"]["code"] == "outcome_unknown"
        assert (len(told(it)), len(told(it, "/other"))) == (1, 1)
        assert creates(it) == 1


async def test_an_answer_that_comes_after_somebody_watched_the_task_is_not_lost(tmp_path: Path) -> None:
    async with world(tmp_path, submit_wait_seconds=0.01) as it:
        await grant(it, "env:second")
        gate, passed = asyncio.Event(), asyncio.Event()

        async def between(request: httpx.Request) -> httpx.Response | None:
            if not request.url.path.endswith("video-synthesis"):
                return None
            response = await httpx.ASGITransport(it.simulator).handle_async_request(request)
            content = await response.aread()
            passed.set()
            await gate.wait()
            return httpx.Response(response.status_code, content=content)

        it.between = between
        task_id = await created(it, "seconds=20", provider="dashscope")
        await passed.wait()
        seen = await watched(it, "dashscope", it.upstreams.creates[0].task_id, key=OTHER_KEY, url="/other")
        gate.set()
        await asyncio.gather(*it.ringback.submitter._sends.values())
        await it.settle(60)
        assert [(await record(it, one))["state"] for one in (task_id, seen)] == ["SUCCEEDED"] * 2
        assert (len(told(it)), len(told(it, "/other"))) == (1, 1)


async def test_a_secret_key_that_was_dropped_is_told_and_looks_go_on_when_it_is_back(tmp_path: Path) -> None:
    async with world(tmp_path, secret_keys=("old-key",)) as it:
        task_id = await watched(it, "apiyi", await at_provider(it, "apiyi"), upstream_key=OWN_KEY)
        await it.stop()
        await it.start(secret_keys=("new-key",))
        await it.settle(120, 10)
        assert (await record(it, task_id))["state"] == "QUEUED"
        events = (await it.client.get("/v1/operator/events", headers=it.as_key(ADMIN))).json()["events"]
        assert [(one["kind"], one["subject"], one["times"]) for one in events] == [
            ("watch.key_unreadable", "apiyi:watchers", 1)
        ]
        await it.stop()
        await it.start(secret_keys=("old-key", "new-key"))
        await it.settle(30)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"


async def test_questions_that_would_wait_long_for_their_turn_are_sent_away(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        waits: list[float] = []

        async def sleep(seconds: float) -> None:
            waits.append(seconds)

        it.ringback.turns.sleep = sleep
        replies = [await watch(it, ACEDATA, f"id-{number}", upstream_key=OWN_KEY) for number in range(4)]
        assert [one.status_code for one in replies] == [404, 404, 503, 503]
        assert 1 <= int(replies[-1].headers["retry-after"]) <= 10
        assert max(waits) <= 5
        it.clock.turn(10)
        assert (await watch(it, ACEDATA, "id-4", upstream_key=OWN_KEY)).status_code == 404


async def test_the_operator_cannot_have_a_watched_task_sent(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        upstream_id = await at_provider(it, "dashscope", "nourl seconds=5")
        task_id = await watched(it, "dashscope", upstream_id, upstream_key=OWN_KEY)
        await it.settle(60)
        assert (await record(it, task_id))["error"]["code"] == "no_result"
        path = f"/v1/tasks/{task_id}/send-again"
        answer = await it.client.post(path, json={"confirm": True}, headers=it.as_key(ADMIN))
        assert answer.status_code == 409
        assert "only watched here" in answer.json()["error"]["message"]
        await it.settle(600, 60)
        assert creates(it) == 1


async def test_of_several_keys_the_one_that_knows_a_task_looks_after_it(tmp_path: Path) -> None:
    pool = tuple(
        Account(
            provider=PROVIDERS["apiyi"], name=name, base_url=f"{SIMULATOR}/apiyi", api_key=f"sk-{name}", poll_seconds=5
        )
        for name in ("a", "b")
    )
    async with world(tmp_path, accounts=pool) as it:
        await grant(it)
        task_id = await watched(it, "apiyi", await at_provider(it, "apiyi", key="sk-b"))
        assert queries(it) == 2
        await it.settle(60)
        assert (await record(it, task_id))["state"] == "SUCCEEDED"
        assert (await watch(it, "apiyi", "unknown")).status_code == 404


async def test_a_failed_watched_task_is_never_sent_anywhere(tmp_path: Path) -> None:
    async with world(tmp_path, failover="retry_failed") as it:
        task_id = await watched(
            it, "dashscope", await at_provider(it, "dashscope", "fail=InternalError"), upstream_key=OWN_KEY
        )
        await it.settle(3600, 30)
        task = await record(it, task_id)
        assert (task["state"], len(task["placements"])) == ("FAILED", 1)
        assert creates(it) == 1
