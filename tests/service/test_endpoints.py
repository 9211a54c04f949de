"""Endpoints over the API: standing receivers of a client, and what they are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from service.sending.answers import digest
from tests.world import ADMIN, KEY, OTHER_KEY, SECRET, World, world

pytestmark = pytest.mark.anyio
CREATE = {"action": "text2video", "model": "wan2.6-t2v", "prompt": "a cat", "async": True}
ENDPOINTS = "/v1/endpoints"
NATIVE = "/api/v1/services/aigc/video-generation/video-synthesis"


async def made(it: World, path: str = "/in", *, key: str = KEY, **fields: Any) -> dict[str, Any]:
    body = {"url": f"{it.inbox.url}{path}", "secret": SECRET, **fields}
    reply = await it.client.post(ENDPOINTS, json=body, headers=it.as_key(key))
    assert reply.status_code == 201, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def created(it: World, status: int = 200, **headers: str) -> dict[str, Any]:
    reply = await it.client.post("/wan/videos", json=CREATE, headers=headers)
    assert reply.status_code == status, reply.text
    found: dict[str, Any] = reply.json()
    return found


def told(it: World, path: str = "/in") -> list[str]:
    return [body["type"] for body in it.inbox.bodies(path)]


# Making, changing, deleting


async def test_an_endpoint_has_a_secret_that_is_shown_once(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        made = (await it.client.post(ENDPOINTS, json={"url": f"{it.inbox.url}/in"})).json()
        assert made["secret"].startswith("whsec_")
        assert made["public_key"].startswith("whpk_")
        assert {name: made[name] for name in ("events", "format", "signature", "default", "schedule")} == {
            "events": None, "format": "own", "signature": "v1", "default": False, "schedule": None,
        }  # fmt: skip
        del made["secret"], made["old_secret_until"]
        unused = dict.fromkeys(("failing_since", "succeeded_at", "paused_until", "pause"))
        made["health"] = {"standing": "new", "failures": 0} | unused
        assert (await it.client.get(f"{ENDPOINTS}/{made['id']}")).json() == made
        assert (await it.client.get(ENDPOINTS)).json() == {"endpoints": [made], "cursor": None}


async def test_what_is_named_is_changed_and_null_means_the_usual(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        one = await made(it, schedule=[5, 60], timeout_seconds=3, headers={"X-Token": "t0k3n"}, description="shop")
        assert one["header_names"] == ["X-Token"]
        assert "t0k3n" not in str(one)
        path = f"{ENDPOINTS}/{one['id']}"
        changed = (await it.client.patch(path, json={"schedule": None, "timeout_seconds": 30})).json()
        assert (changed["schedule"], changed["timeout_seconds"], changed["description"]) == (None, 30, "shop")
        assert changed["header_names"] == ["X-Token"]
        assert (await it.client.patch(path, json={"headers": None})).json()["header_names"] == []
        assert (await it.client.delete(path)).status_code == 204
        assert (await it.client.get(path)).status_code == 404
        assert (await it.client.delete(path)).status_code == 404


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "url: "),
        ({"url": 7}, "url: "),
        ({"url": "https://10.0.0.1/"}, "url: "),
        ({"url": "ftp://hook.example.com/"}, "url: "),
        ({"events": []}, "events: "),
        ({"events": ["task.done"]}, "task.succeeded"),
        ({"events": "task.failed"}, "events: "),
        ({"format": "xml"}, "own, event, cloudevents"),
        ({"schedule": []}, "schedule: 1 to 20"),
        ({"schedule": [0]}, "schedule: "),
        ({"schedule": [1] * 21}, "schedule: "),
        ({"schedule": [604_800] * 5}, "schedule: all pauses together"),
        ({"schedule": [True]}, "schedule: "),
        ({"timeout_seconds": 31}, "timeout_seconds: a whole number of seconds from 1 to 30"),
        ({"timeout_seconds": 0}, "timeout_seconds: "),
        ({"timeout_seconds": True}, "timeout_seconds: "),
        ({"headers": ["x"]}, "headers: "),
        ({"headers": {"Host": "x"}}, "headers: Host is set by this server"),
        ({"headers": {"content-TYPE": "x"}}, "headers: content-TYPE is set by this server"),
        ({"headers": {"webhook-id": "x"}}, "headers: webhook-id is set by this server"),
        ({"headers": {"X-A": "s3cret\r\nX-B: x"}}, "headers: X-A: visible ASCII"),
        ({"headers": {"X A": "x"}}, "headers: a name is made of"),
        ({"headers": {"X-A": "x", "x-a": "y"}}, "headers: each name"),
        ({"headers": {"X-A": 7}}, "headers: "),
        ({"signature": "v2"}, "v1, v1a, both"),
        ({"default": 1}, "default: true or false"),
        ({"rate_per_second": 0}, "rate_per_second: "),
        ({"concurrency": 17}, "concurrency: "),
        ({"description": "x" * 201}, "description: "),
        ({"secret": "whsec_c2hvcnQ="}, "secret: "),
        ({"client": "env:second"}, "client: it may be"),
        ({"colour": "red"}, "colour: it may be"),
    ],
)
async def test_a_wrong_field_is_refused_by_name(tmp_path: Path, fields: dict[str, Any], named: str) -> None:
    async with world(tmp_path) as it:
        body = {"url": f"{it.inbox.url}/in", **fields} if fields else {}
        reply = await it.client.post(ENDPOINTS, json=body)
        assert reply.status_code == 400
        assert named in reply.json()["error"]["message"]
        assert "s3cret" not in reply.text
        assert (await it.client.get(ENDPOINTS)).json()["endpoints"] == []


async def test_another_clients_endpoint_answers_as_unknown(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        path = f"{ENDPOINTS}/{(await made(it))['id']}"
        other = it.as_key(OTHER_KEY)
        replies = [
            await it.client.get(path, headers=other),
            await it.client.patch(path, json={"description": "mine"}, headers=other),
            await it.client.delete(path, headers=other),
            *[await it.client.post(f"{path}/{verb}", json={}, headers=other) for verb in ("disable", "enable")],
            await it.client.post(f"{path}/rotate-secret", json={}, headers=other),
        ]
        assert [reply.status_code for reply in replies] == [404] * 6
        assert (await it.client.get(ENDPOINTS, headers=other)).json()["endpoints"] == []
        named = {"X-Callback-Endpoint": path.rpartition("/")[2]}
        spied = await it.client.post("/wan/videos", json=CREATE, headers=other | named)
        unknown = await it.client.post("/wan/videos", json=CREATE, headers=other | {"X-Callback-Endpoint": "ep_none"})
        assert spied.status_code == unknown.status_code == 400
        assert spied.json()["error"] == unknown.json()["error"]
        assert it.upstreams.creates == []


async def test_the_operator_sees_all_and_makes_them_for_others(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        mine = await made(it)
        theirs = await made(it, "/theirs", key=ADMIN, client="env:second")
        admin = it.as_key(ADMIN)
        listed = (await it.client.get(ENDPOINTS, headers=admin)).json()["endpoints"]
        assert {one["id"] for one in listed} == {mine["id"], theirs["id"]}
        assert theirs["client"] == "env:second"
        wrong = await it.client.post(ENDPOINTS, json={"url": f"{it.inbox.url}/", "client": "nobody"}, headers=admin)
        assert wrong.status_code == 400


# Who is told


async def test_a_task_is_told_to_the_endpoint_that_its_create_names(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        one = await made(it, format="event", headers={"X-Token": "t0k3n"})
        task = await created(it, **{"X-Callback-Endpoint": one["id"]})
        await it.settle(60)
        [received] = it.inbox.received
        assert (received.body["type"], received.body["data"]["task_id"]) == ("task.succeeded", task["task_id"])
        assert received.headers["x-token"] == "t0k3n"
        [delivery] = (await it.client.get("/v1/deliveries")).json()["deliveries"]
        assert (delivery["endpoint"], delivery["state"]) == (one["id"], "DELIVERED")


async def test_the_default_endpoint_is_told_of_tasks_that_name_nobody(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await made(it, "/old", format="event", default=True)
        new = await made(it, format="event", default=True)
        await created(it)
        await it.client.post("/wan/videos", json=CREATE | {"callback_url": f"{it.inbox.url}/bare"})
        await it.settle(60)
        assert (told(it, "/old"), told(it), len(it.inbox.bodies("/bare"))) == ([], ["task.succeeded"], 1)
        await it.client.patch(f"{ENDPOINTS}/{new['id']}", json={"default": False})
        await created(it)
        await it.settle(60)
        assert len(it.inbox.received) == 2


async def test_a_url_and_an_endpoint_are_both_told(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        one = await made(it)
        await created(it, **{"X-Callback-Endpoint": one["id"], "X-Callback-Url": f"{it.inbox.url}/bare"})
        await it.settle(60)
        assert sorted(received.path for received in it.inbox.received) == ["/bare", "/in"]


async def test_subscribing_and_watching_take_an_endpoint_too(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        one = await made(it, format="event")
        task = (await created(it))["task_id"]
        path = f"/v1/tasks/{task}/subscriptions"
        subscribed = await it.client.post(path, json={"endpoint": one["id"]})
        assert (subscribed.status_code, subscribed.json()["endpoint"]) == (201, one["id"])
        assert (await it.client.post(path, json={"endpoint": one["id"]})).status_code == 200
        for wrong in ({}, {"endpoint": one["id"], "url": it.inbox.url}, {"endpoint": 7}, {"endpoint": "ep_none"}):
            assert (await it.client.post(path, json=wrong)).status_code == 400
        sent = it.upstreams.creates[-1].task_id
        watched = {"provider": "acedata", "task_id": sent, "endpoint": one["id"], "events": ["task.succeeded"]}
        assert (await it.client.post("/v1/watch", json=watched)).status_code == 200
        assert (await it.client.post("/v1/watch", json=watched | {"endpoint": "ep_none"})).status_code == 400
        await it.settle(60)
        assert told(it) == ["task.succeeded"] * 2


async def test_messages_wait_for_a_disabled_endpoint_and_follow_it_to_a_new_url(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        one = await made(it, format="event")
        path = f"{ENDPOINTS}/{one['id']}"
        assert (await it.client.post(f"{path}/disable", json={})).json()["disabled_by"] == "client"
        await created(it, **{"X-Callback-Endpoint": one["id"]})
        await it.settle(60)
        assert it.inbox.received == []
        await it.client.patch(path, json={"url": f"{it.inbox.url}/new"})
        assert (await it.client.post(f"{path}/enable", json={})).json()["disabled_at"] is None
        await it.settle(5)
        assert told(it, "/new") == ["task.succeeded"]


async def test_of_a_deleted_endpoint_the_past_stays_readable(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        one = await made(it)
        task = (await created(it, **{"X-Callback-Endpoint": one["id"]}))["task_id"]
        await it.settle(60)
        assert len(it.inbox.received) == 1
        await it.client.delete(f"{ENDPOINTS}/{one['id']}")
        record = (await it.client.get(f"/v1/tasks/{task}/record")).json()
        assert [each["endpoint"] for each in record["subscriptions"]] == [one["id"]]
        [delivery] = record["deliveries"]
        again = await it.client.post(f"/v1/deliveries/{delivery['id']}/replay", json={})
        assert (again.status_code, len(it.inbox.received)) == (409, 1)


async def test_an_attempt_whose_endpoint_goes_meanwhile_is_the_last(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        one = await made(it, schedule=[600])
        await created(it, **{"X-Callback-Endpoint": one["id"]})
        it.inbox.answers = [(500, {})]
        await it.settle(60)
        await it.ringback.store._engine.write(lambda tx: tx.run("DELETE FROM endpoints"))  # while one was on its way
        await it.settle(620, step=20)
        [delivery] = (await it.client.get("/v1/deliveries")).json()["deliveries"]
        log = (await it.client.get(f"/v1/deliveries/{delivery['id']}")).json()["log"]
        assert (delivery["state"], log[-1]["verdict"], len(it.inbox.received)) == ("ABANDONED", "no_endpoint", 1)


# What they are told


async def test_only_the_events_that_were_asked_for_are_told(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        one = await made(it, format="event", events=["task.failed"])
        await created(it, **{"X-Callback-Endpoint": one["id"]})
        await it.settle(60)
        assert it.inbox.received == []
        narrower = {"X-Callback-Endpoint": one["id"], "X-Callback-Events": "task.succeeded, task.failed"}
        await created(it, **narrower)
        await it.settle(60)
        assert told(it) == ["task.succeeded"]


async def test_a_bare_url_is_told_that_a_task_runs_if_it_asks_for_it(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        headers = {"X-Callback-Url": f"{it.inbox.url}/in", "X-Callback-Format": "event"}
        headers |= {"X-Callback-Events": "task.running,task.succeeded", "X-Ringback-Provider": "dashscope"}
        body = {"model": "wan2.7-t2v", "input": {"prompt": "a cat [sim:seconds=90]"}}
        assert (await it.client.post(NATIVE, json=body, headers=headers)).status_code == 200
        await it.settle(240)
        assert told(it) == ["task.running", "task.succeeded"]
        assert it.inbox.received[0].body["data"]["state"] == "RUNNING"
        assert it.inbox.received[0].body["data"]["finished_at"] is None


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"X-Callback-Events": "task.done"}, "X-Callback-Events: a list of one or more of task.running"),
        ({"X-Callback-Events": "task.failed"}, "X-Callback-Events: nobody is to be told"),
        ({"X-Callback-Format": "xml"}, "X-Callback-Format: it may be own, event, cloudevents"),
        ({"X-Callback-Endpoint": ""}, "X-Callback-Endpoint: there is no such endpoint"),
    ],
)
async def test_a_wrong_header_is_refused_before_anything_is_sent(
    tmp_path: Path, headers: dict[str, str], named: str
) -> None:
    async with world(tmp_path) as it:
        assert named in (await created(it, 400, **headers))["error"]["message"]
        assert it.upstreams.creates == []


async def test_cloudevents_are_structured_json_of_their_own_type(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        one = await made(it, format="cloudevents")
        task = (await created(it, **{"X-Callback-Endpoint": one["id"]}))["task_id"]
        await created(it, **{"X-Callback-Url": f"{it.inbox.url}/bare", "X-Callback-Format": "cloudevents"})
        await it.settle(60)
        received = next(each for each in it.inbox.received if each.path == "/in")
        assert received.headers["content-type"] == "application/cloudevents+json"
        body = received.body
        data = body.pop("data")
        assert (data["task_id"], data["state"]) == (task, "SUCCEEDED")
        assert body == {
            "specversion": "1.0",
            "id": received.id,
            "source": "https://ringback.test",
            "type": "task.succeeded",
            "subject": task,
            "time": data["finished_at"],
            "datacontenttype": "application/json",
        }
        assert it.inbox.bodies("/bare")[0]["specversion"] == "1.0"


async def test_an_endpoint_has_a_schedule_of_its_own(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        one = await made(it, schedule=[100])
        it.inbox.answers = [(500, {}), (500, {})]
        await created(it, **{"X-Callback-Endpoint": one["id"]})
        await it.settle(60)
        [delivery] = (await it.client.get("/v1/deliveries")).json()["deliveries"]
        assert (delivery["state"], len(it.inbox.received)) == ("PENDING", 1)
        await it.settle(100)
        [delivery] = (await it.client.get("/v1/deliveries")).json()["deliveries"]
        assert (delivery["state"], len(it.inbox.received)) == ("EXHAUSTED", 2)


async def test_a_header_that_a_younger_rule_forbids_is_not_written(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        one = await made(it)
        sealed = it.ringback.vault.seal('{"Host": "elsewhere.example.com"}')
        sql = "UPDATE endpoints SET headers = :headers"
        await it.ringback.store._engine.write(lambda tx: tx.run(sql, headers=sealed))
        await created(it, **{"X-Callback-Endpoint": one["id"]})
        await it.settle(60)
        [delivery] = (await it.client.get("/v1/deliveries")).json()["deliveries"]
        log = (await it.client.get(f"/v1/deliveries/{delivery['id']}")).json()["log"]
        assert log[0]["verdict"] == "unsent"
        assert it.inbox.received == []


# Repeated creates


async def test_a_create_with_another_endpoint_is_another_request(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        first, second = await made(it), await made(it, "/other")
        key = {"Idempotency-Key": "one"}
        task = await created(it, **key, **{"X-Callback-Endpoint": first["id"]})
        assert (await created(it, **key, **{"X-Callback-Endpoint": first["id"]}))["task_id"] == task["task_id"]
        narrower = {"X-Callback-Endpoint": first["id"], "X-Callback-Events": "task.failed"}
        for other in ({"X-Callback-Endpoint": second["id"]}, {}, narrower):
            await created(it, 422, **key, **other)
        assert len(it.upstreams.creates) == 1


async def test_headers_that_are_not_there_leave_a_create_what_it_was_before_there_were_any(tmp_path: Path) -> None:
    """Else a create that is repeated across an upgrade would be paid for twice."""
    async with world(tmp_path) as it:
        task = (await created(it, **{"X-Callback-Url": f"{it.inbox.url}/in"}))["task_id"]
        kept = await it.ringback.store.lookups.task(task)
        assert kept is not None
        raw = httpx.Request("POST", "http://localhost/", json=CREATE).content
        assert kept.digest == digest(raw, f"{it.inbox.url}/in", None, None, None)
