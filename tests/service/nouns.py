"""Nouns of the house as tests want them, and a store on either engine to keep them in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from service.domain.deliveries import Delivery, DeliveryState, Endpoint, Format, Subscription, receiver_of
from service.domain.lanes import Standing
from service.domain.tasks import NO_RESULT, Placement, Task, TaskState, Verdict, fail
from service.store import Grant, Store
from tests.service.postgres import ADDRESS, PostgresEngine

NOW = 1_760_000_000_000
SENDING = (TaskState.SUBMITTING, Verdict.SENDING)

ENGINES = ("sqlite", "postgres") if ADDRESS else ("sqlite",)
"""For `@pytest.fixture(params=ENGINES)`: the same contract on both."""


@asynccontextmanager
async def opened(engine: str, folder: Path) -> AsyncIterator[Store]:
    store = Store(PostgresEngine(ADDRESS)) if engine == "postgres" else Store.open(folder / "ringback.db")
    yield store
    await store.close()


def a_task(**changes: Any) -> Task:
    """A flat task on its way to AceData."""
    return Task(
        **{
            "id": str(uuid4()),
            "client": "env:first",
            "shape": "flat",
            "path": "/wan/videos",
            "model": "wan2.6-t2v",
            "provider": "acedata",
            "state": TaskState.SUBMITTING,
            "body": {"model": "wan2.6-t2v", "prompt": "a cat"},
            "request_id": str(uuid4()),
            "trace_id": str(uuid4()),
            "created_at": NOW,
            "updated_at": NOW,
            "service": "wan",
            "placement": str(uuid4()),
        }
        | changes
    )


def a_placement(task: Task, **changes: Any) -> Placement:
    """The current placement of a task, being sent."""
    return Placement(
        **{
            "id": task.placement,
            "task": task.id,
            "provider": task.provider,
            "verdict": Verdict.SENDING,
            "sent_at": task.created_at,
            "doubt_at": task.created_at + 180_000,
        }
        | changes
    )


def a_subscription(task: Task, **changes: Any) -> Subscription:
    fields = {"id": str(uuid4()), "task": task.id, "url": "https://hook.example.com/", "format": Format.OWN}
    return Subscription(**fields | {"created_at": NOW} | changes)


def an_endpoint(**changes: Any) -> Endpoint:
    fields = {"id": f"ep_{uuid4().hex}", "client": "env:first", "url": "https://hook.example.com/in"}
    fields |= {"secret": b"sealed secret", "signing_key": b"sealed key", "created_at": NOW, "updated_at": NOW}
    return Endpoint(**fields | changes)


def a_message(task: Task, subscription: Subscription, **changes: Any) -> Delivery:
    """The delivery that tells a subscription of a task's end, due at once."""
    return Delivery(
        **{
            "id": f"msg_{uuid4().hex}",
            "task": task.id,
            "subscription": subscription.id,
            "client": task.client,
            "url": subscription.url,
            "receiver": receiver_of(subscription.url),
            "type": "task.succeeded",
            "state": DeliveryState.PENDING,
            "body": b'{"success":true}',
            "created_at": NOW,
            "due_at": NOW,
        }
        | changes
    )


def ended(task: Task) -> Task:
    return fail(task, NO_RESULT, NOW, "look")


async def due_now(store: Store, now: int, lease: int, limit: int = 100) -> list[Delivery]:
    """The deliveries that are due, claimed: at most so many of each lane."""
    ready, _ = await store.lanes.ready(now, dict.fromkeys(Standing, 100))
    taken = await store.lanes.claim([Grant(lane.id, limit, now) for lane in ready], now, lease)
    return [delivery for delivery, _ in taken]


async def next_lane_at(store: Store, now: int = 0) -> int | None:
    """When the next lane of any is to be served, if none is at `now`."""
    ready, due = await store.lanes.ready(now, dict.fromkeys(Standing, 1))
    assert not ready
    return due


async def kept(store: Store, **changes: Any) -> Task:
    """A task that is kept with the placement it is being sent by and one subscription."""
    task = a_task(**changes)
    await store.tasks.accept(task, a_placement(task), [a_subscription(task)])
    return task


async def queued(store: Store, upstream_id: str | None = None, look_at: int = NOW + 5000, **changes: Any) -> Task:
    """A task that its upstream has taken."""
    task = await kept(store, **changes)
    taken = await store.tasks.accepted(task.placement or "", upstream_id or str(uuid4()), NOW, look_at)
    assert taken is not None
    return taken


def a_watched(**changes: Any) -> tuple[Task, Placement]:
    """A task that somebody created at DashScope, watched with a key of its own; `changes` are the placement's."""
    task = a_task(shape="native", path="", model="", service="", provider="dashscope", state=TaskState.QUEUED, body={})
    given = {
        "verdict": Verdict.ACCEPTED,
        "doubt_at": None,
        "upstream_id": str(uuid4()),
        "due_at": NOW,
        "account": "key:1",
        "credential": b"sealed",
        "watched": True,
    }
    return task, a_placement(task, **given | changes)


async def watched(store: Store, **changes: Any) -> Task:
    task, placement = a_watched(**changes)
    assert await store.watches.watch(task, placement, [a_subscription(task)], a_message) is None
    return task


async def placement_of(store: Store, task: Task) -> Placement:
    found = await store.lookups.placement(task.placement or "")
    assert found is not None
    return found


async def latest(store: Store, task: Task) -> Task:
    found = await store.lookups.task(task.id)
    assert found is not None
    return found
