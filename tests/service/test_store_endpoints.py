"""What the verbs of endpoints promise, on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.domain.deliveries import (
    RUNNING,
    Delivery,
    DeliveryState,
    DisabledBy,
    Endpoint,
    Format,
    Sealed,
    Signature,
    Subscription,
)
from service.domain.tasks import NO_RESULT, Task, TaskState, Verdict, fail
from service.store import Store
from service.store.keys import Key
from service.store.lookups import NEWEST
from tests.service.nouns import (
    ENGINES,
    NOW,
    a_message,
    a_placement,
    a_subscription,
    a_task,
    an_endpoint,
    due_now,
    opened,
    placement_of,
    watched,
)

pytestmark = pytest.mark.anyio
MANY = 100


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


async def made(store: Store, **changes: Any) -> Endpoint:
    endpoint = an_endpoint(**changes)
    assert await store.endpoints.create(endpoint, MANY)
    return endpoint


async def subscribed(store: Store, endpoint: Endpoint, **changes: Any) -> tuple[Task, Subscription]:
    task = a_task()
    subscription = a_subscription(task, url=endpoint.url, format=None, endpoint=endpoint.id, **changes)
    await store.tasks.accept(task, a_placement(task), [subscription])
    return task, subscription


async def end(store: Store, task: Task) -> list[Delivery]:
    """What the end of a task opened."""
    ended = fail(task, NO_RESULT, NOW, "look")
    assert await store.tasks.record(ended, Verdict.ENDED, message_of(task))
    return await store.deliveries.recent(None, task.id, "", NEWEST, MANY)


def message_of(task: Task, type_: str = "task.failed"):
    def message(subscription: Subscription) -> Delivery:
        return a_message(task, subscription, type=type_, endpoint=subscription.endpoint)

    return message


async def test_an_endpoint_is_kept_as_it_was_made(store: Store) -> None:
    plain = await made(store)
    full = await made(
        store,
        description="the shop, 店",
        events=("task.succeeded", RUNNING),
        format=Format.CLOUDEVENTS,
        schedule=(0.5, 60.0),
        timeout_seconds=5,
        headers=b"sealed headers",
        signature=Signature.BOTH,
        is_default=True,
        rate_per_second=3,
        concurrency=2,
        disabled_at=NOW,
        disabled_by=DisabledBy.GONE,
        created_at=NOW + 1,
    )
    assert await store.endpoints.get(plain.id, "env:first") == plain
    assert await store.endpoints.get(full.id, None) == full
    assert await store.endpoints.recent("env:first", NEWEST, MANY) == [full, plain]
    assert await store.endpoints.recent("env:first", (NOW + 1, full.id), 1) == [plain]


async def test_another_client_neither_sees_nor_changes_an_endpoint(store: Store) -> None:
    endpoint = await made(store)
    assert await store.endpoints.get(endpoint.id, "env:second") is None
    assert await store.endpoints.recent("env:second", NEWEST, MANY) == []
    assert (
        await store.endpoints.change(endpoint.id, "env:second", lambda was: replace(was, url="https://x.com")) is None
    )
    assert await store.endpoints.rotate(endpoint.id, "env:second", b"s", b"k", NOW, NOW + 1) is None
    assert await store.endpoints.disable(endpoint.id, "env:second", DisabledBy.CLIENT, NOW) is None
    assert await store.endpoints.enable(endpoint.id, "env:second", NOW) is None
    assert not await store.endpoints.delete(endpoint.id, "env:second")
    assert await store.endpoints.get(endpoint.id, None) == endpoint


async def test_a_client_has_a_limited_number_of_endpoints(store: Store) -> None:
    await made(store)
    assert not await store.endpoints.create(an_endpoint(), 1)
    assert await store.endpoints.create(an_endpoint(client="env:second"), 1)


async def test_a_client_has_one_default_at_most(store: Store) -> None:
    assert await store.endpoints.default_of("env:first") is None
    first = await made(store, is_default=True)
    other = await made(store, client="env:second", is_default=True)
    assert await store.endpoints.default_of("env:first") == first
    second = await made(store, is_default=True)
    assert await store.endpoints.default_of("env:first") == second
    await store.endpoints.change(first.id, "env:first", lambda was: replace(was, is_default=True))
    assert await store.endpoints.default_of("env:first") == first
    assert await store.endpoints.default_of("env:second") == other
    await store.endpoints.change(first.id, None, lambda was: replace(was, is_default=False))
    assert await store.endpoints.default_of("env:first") is None


async def test_what_waits_follows_an_endpoint_to_its_new_url(store: Store) -> None:
    endpoint = await made(store)
    task, subscription = await subscribed(store, endpoint)
    [delivery] = await end(store, task)
    assert (delivery.url, delivery.endpoint) == (endpoint.url, endpoint.id)
    sent = await delivered(store, endpoint)
    moved = await store.endpoints.change(
        endpoint.id, None, lambda was: replace(was, url="https://New.example.com:8443/")
    )
    assert moved is not None
    latest = await store.deliveries.get(delivery.id, None)
    assert latest == replace(delivery, url="https://New.example.com:8443/", receiver="new.example.com:8443")
    assert await store.deliveries.get(sent.id, None) == sent
    assert await store.lookups.subscriptions(task.id) == [subscription]


async def delivered(store: Store, endpoint: Endpoint) -> Delivery:
    task, _ = await subscribed(store, endpoint)
    done = message_of(task)
    ended = fail(task, NO_RESULT, NOW, "look")
    await store.tasks.record(
        ended, Verdict.ENDED, lambda it: replace(done(it), state=DeliveryState.DELIVERED, due_at=None)
    )
    [delivery] = await store.deliveries.recent(None, task.id, "", NEWEST, MANY)
    return delivery


async def test_an_endpoint_is_told_as_it_is_at_the_end_of_the_task(store: Store) -> None:
    endpoint = await made(store)
    task, _ = await subscribed(store, endpoint)
    seen: list[Subscription] = []

    def message(subscription: Subscription) -> Delivery:
        seen.append(subscription)
        return message_of(task)(subscription)

    changed = await store.endpoints.change(
        endpoint.id, None, lambda was: replace(was, url="https://b.example.com/", format=Format.EVENT)
    )
    assert changed is not None
    await store.tasks.record(fail(task, NO_RESULT, NOW, "look"), Verdict.ENDED, message)
    assert [(one.url, one.format) for one in seen] == [("https://b.example.com/", Format.EVENT)]


async def test_only_what_was_asked_for_is_told(store: Store) -> None:
    endpoint = await made(store, events=("task.succeeded",))
    task, _ = await subscribed(store, endpoint)
    assert await end(store, task) == []
    task, _ = await subscribed(store, endpoint, events=("task.failed",))  # its own word comes first
    assert len(await end(store, task)) == 1


async def test_that_a_task_runs_is_told_only_to_whom_asked_for_it(store: Store) -> None:
    endpoint = await made(store, events=(RUNNING, "task.failed"))
    task = a_task(state=TaskState.QUEUED)
    silent, asking = a_subscription(task), a_subscription(task, url=endpoint.url, endpoint=endpoint.id)
    await store.tasks.accept(task, a_placement(task, verdict=Verdict.ACCEPTED), [silent, asking])
    running = replace(task, state=TaskState.RUNNING)
    assert await store.tasks.record(running, Verdict.ENDED, message_of(task, RUNNING))
    told = await store.deliveries.recent(None, task.id, "", NEWEST, MANY)
    assert [(one.subscription, one.type) for one in told] == [(asking.id, RUNNING)]
    assert (await store.lookups.placements(task.id))[0].verdict is Verdict.ACCEPTED  # the send goes on
    late = a_subscription(task, events=(RUNNING,))
    await store.tasks.subscribe(late, None, lambda it, one: message_of(it, RUNNING)(one))
    assert len(await store.deliveries.recent(None, task.id, "", NEWEST, MANY)) == 2
    assert len(await end(store, replace(running, version=1))) == 4


async def test_a_subscription_is_kept_as_it_was_made_and_the_same_one_only_once(store: Store) -> None:
    endpoint = await made(store)
    task, first = await subscribed(store, endpoint, events=("task.succeeded", RUNNING))
    again = a_subscription(task, url="https://elsewhere.example.com/", format=None, endpoint=endpoint.id)
    other_events = await store.tasks.subscribe(again, None, a_message)
    same = await store.tasks.subscribe(replace(first, id="another"), None, a_message)
    assert (other_events, same) == (again, first)
    assert await store.lookups.subscriptions(task.id) == sorted([first, again], key=lambda one: one.id)


async def test_nothing_is_due_while_an_endpoint_is_disabled_and_nothing_is_lost(store: Store) -> None:
    endpoint = await made(store)
    before, _ = await subscribed(store, endpoint)
    during, _ = await subscribed(store, endpoint)
    [waiting] = await end(store, before)
    disabled = await store.endpoints.disable(endpoint.id, None, DisabledBy.FAILING, NOW + 1)
    assert disabled == replace(endpoint, disabled_at=NOW + 1, disabled_by=DisabledBy.FAILING, updated_at=NOW + 1)
    again = await store.endpoints.disable(endpoint.id, None, DisabledBy.CLIENT, NOW + 2)
    assert again == disabled  # the first reason stands
    [kept] = await end(store, during)
    assert (kept.state, kept.due_at) == (DeliveryState.PENDING, None)
    assert await due_now(store, NOW + 10, NOW + 20) == []
    enabled = await store.endpoints.enable(endpoint.id, None, NOW + 3)
    assert enabled == replace(endpoint, updated_at=NOW + 3)
    claimed = await due_now(store, NOW + 10, NOW + 20)
    assert {one.id for one in claimed} == {waiting.id, kept.id}


async def test_enabling_what_is_enabled_leaves_the_schedule_alone(store: Store) -> None:
    endpoint = await made(store)
    task, _ = await subscribed(store, endpoint)
    [delivery] = await end(store, task)
    assert await store.endpoints.enable(endpoint.id, None, NOW + 5) == endpoint
    assert await store.deliveries.get(delivery.id, None) == delivery


async def test_a_deleted_endpoint_leaves_what_was_sent_and_gets_nothing_more(store: Store) -> None:
    endpoint = await made(store)
    sent = await delivered(store, endpoint)
    waiting, _ = await subscribed(store, endpoint)
    running, subscription = await subscribed(store, endpoint)
    [pending] = await end(store, waiting)
    assert await store.endpoints.rotate(endpoint.id, None, b"s", b"k", NOW, NOW + 100)
    assert await store.endpoints.delete(endpoint.id, "env:first")
    assert not await store.endpoints.delete(endpoint.id, "env:first")
    assert await store.endpoints.get(endpoint.id, None) is None
    assert await store.secrets.retired(endpoint.id, NOW) == []
    assert await store.deliveries.get(sent.id, None) == sent
    assert await store.deliveries.get(pending.id, None) == replace(pending, state=DeliveryState.ABANDONED, due_at=None)
    assert await end(store, running) == []
    assert await store.lookups.subscriptions(running.id) == [subscription]


async def test_an_attempt_on_its_way_is_recorded_whatever_becomes_of_the_endpoint(store: Store) -> None:
    endpoint = await made(store)
    task, _ = await subscribed(store, endpoint)
    await end(store, task)
    [claimed] = await due_now(store, NOW, NOW + 60_000)
    await store.endpoints.disable(endpoint.id, None, DisabledBy.CLIENT, NOW)
    await store.endpoints.enable(endpoint.id, None, NOW)
    await store.endpoints.delete(endpoint.id, None)
    assert await store.deliveries.get(claimed.id, None) == claimed


async def test_retired_secrets_sign_until_their_time_is_over_and_are_erased_then(store: Store) -> None:
    endpoint = await made(store)
    rotated = await store.endpoints.rotate(endpoint.id, "env:first", b"second", b"key two", NOW, NOW + 100)
    assert rotated == replace(endpoint, secret=b"second", signing_key=b"key two")
    await store.endpoints.rotate(endpoint.id, None, b"third", b"key three", NOW + 1, NOW + 101)
    retired = await store.secrets.retired(endpoint.id, NOW + 99)
    latest = replace(endpoint, secret=b"third", signing_key=b"key three", updated_at=NOW + 1)
    sealed = Sealed((latest.secret, latest.signing_key, *retired), latest)
    assert await store.endpoints.sealed("whoever", endpoint.id, NOW + 99) == sealed
    assert await store.endpoints.sealed("whoever", "ep_none", NOW) is None
    assert set(retired) == {endpoint.secret, endpoint.signing_key, b"second", b"key two"}
    assert set(await store.secrets.retired(endpoint.id, NOW + 100)) == {b"second", b"key two"}
    assert await store.secrets.retired(endpoint.id, NOW + 101) == []
    await made(store, id="ep_other")
    await store.endpoints.rotate("ep_other", None, b"x", b"y", NOW + 100, NOW + 200)
    assert await count(store) == 4
    await store.endpoints.rotate(endpoint.id, None, b"fourth", b"key four", NOW + 100, NOW + 100)  # no overlap
    assert await store.secrets.retired(endpoint.id, NOW) == []
    assert await count(store) == 2


async def count(store: Store) -> int:
    row = await store._engine.read(lambda tx: tx.one("SELECT count(*) AS kept FROM retired_secrets"))
    assert row is not None
    return int(row["kept"])


async def test_a_keys_secret_is_replaced_and_the_old_one_still_signs(store: Store) -> None:
    key = Key("key_1", "app", "hash", b"first", NOW)
    await store.keys.create(key)
    assert await store.keys.rotate("key_1", b"second", NOW, NOW + 100)
    assert await store.keys.get("key_1") == replace(key, secret=b"second")
    assert await store.secrets.retired("key_1", NOW) == [b"first"]
    assert await store.endpoints.sealed("key_1", None, NOW) == Sealed((b"second", b"first"))
    assert await store.endpoints.sealed("key_1", None, NOW + 100) == Sealed((b"second",))
    assert await store.endpoints.sealed("key_none", None, NOW) == Sealed()
    assert (await store.secrets.erase(NOW + 99), await store.secrets.erase(NOW + 100)) == (0, 1)
    await store.keys.revoke("key_1", NOW)
    assert not await store.keys.rotate("key_1", b"third", NOW, NOW + 100)
    assert not await store.keys.rotate("key_unknown", b"third", NOW, NOW + 100)


async def test_every_sealed_text_is_sealed_anew_and_what_cannot_be_opened_stays(store: Store) -> None:
    endpoint = await made(store, headers=b"sealed headers")
    await store.keys.create(Key("key_1", "app", "hash", b"lost", NOW))
    await store.keys.create(Key("key_2", "app", "hash 2", b"first", NOW))
    await store.keys.rotate("key_2", b"second", NOW, NOW + 100)
    lent = await watched(store, credential=b"lent")

    def reseal(sealed: bytes) -> bytes | None:
        return None if sealed == b"lost" else b"anew " + sealed

    assert await store.secrets.reseal(reseal) == (6, 1)
    anew = await store.endpoints.get(endpoint.id, None)
    assert anew == replace(
        endpoint, secret=b"anew sealed secret", signing_key=b"anew sealed key", headers=b"anew sealed headers"
    )
    keys = await store.keys.list()
    assert [key.secret for key in keys] == [b"lost", b"anew second"]
    assert await store.secrets.retired("key_2", NOW) == [b"anew first"]
    assert (await placement_of(store, lent)).credential == b"anew lent"
