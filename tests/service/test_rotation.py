"""Secrets are replaced again and again while messages are sent: none is refused by a receiver that takes the new secret
any time before the overlap is over."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from service.domain.deliveries import Delivery, Subscription
from service.domain.tasks import OUTCOME_UNKNOWN, Task, TaskState, Verdict, fail
from tests.service.nouns import a_message, a_placement, a_subscription, a_task
from tests.service.test_endpoint_keys import endpoint
from tests.world import ADMIN, World, world

pytestmark = pytest.mark.anyio
MESSAGES = 300
ROTATIONS = 6
OVERLAP = 600


@dataclass
class Receiver:
    """It knows one secret at a time. `refused` counts what did not verify by that."""

    secret: str
    taken: list[str] = field(default_factory=list)
    refused: int = 0

    def verify(self, headers: Mapping[str, str], raw: bytes) -> bool:
        sent = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        expected = Webhook(self.secret).sign(headers["webhook-id"], sent, raw.decode())
        known = expected in headers["webhook-signature"].split(" ")
        if known:
            self.taken.append(headers["webhook-id"])
        else:
            self.refused += 1
        return known


async def to_tell(it: World, url: str, client: str, to: str | None) -> None:
    """A task that ended, with one message that is due."""
    task = a_task(state=TaskState.IN_DOUBT, client=client)
    subscription = a_subscription(task, url=url, endpoint=to)

    def message(each: Subscription) -> Delivery:
        return a_message(task, each, due_at=it.clock(), endpoint=each.endpoint, type="task.failed")

    await it.ringback.store.tasks.accept(task, a_placement(task), [subscription])
    ended: Task = fail(task, OUTCOME_UNKNOWN, it.clock(), "doubt")
    await it.ringback.store.tasks.record(ended, Verdict.UNPROVEN, message)


@pytest.mark.parametrize("whose", ["endpoint", "key"])
async def test_no_message_fails_while_secrets_are_replaced_under_load(tmp_path: Path, whose: str) -> None:
    async with world(tmp_path) as it:
        admin = it.as_key(ADMIN)
        if whose == "endpoint":
            made = await endpoint(it, signature="both")
            client, to, receiver = "env:first", made["id"], Receiver(made["secret"])
            path, named = f"/v1/endpoints/{to}/rotate-secret", "secret"
        else:
            key = (await it.client.post("/v1/keys", json={"name": "app"}, headers=admin)).json()
            client, to, receiver = key["id"], None, Receiver(key["webhook_secret"])
            path, named = f"/v1/keys/{client}/rotate-secret", "webhook_secret"
        it.inbox.verify = receiver.verify
        for _ in range(MESSAGES):
            await to_tell(it, f"{it.inbox.url}/in", client, to)
        worker = asyncio.create_task(it.ringback.workers["deliver"].run())
        try:
            for turn in range(1, ROTATIONS + 1):
                rotated = await it.client.post(path, json={"overlap_seconds": OVERLAP}, headers=admin)
                await until(receiver, MESSAGES * (2 * turn - 1) // (2 * ROTATIONS))  # the old secret still verifies
                receiver.secret = rotated.json()[named]
                await until(receiver, MESSAGES * turn // ROTATIONS)
        finally:
            it.ringback.workers["deliver"].stop()
            await worker
        assert (len(set(receiver.taken)), receiver.refused, it.inbox.forged) == (MESSAGES, 0, [])


async def until(receiver: Receiver, count: int) -> None:
    async with asyncio.timeout(60):
        while len(receiver.taken) < count and not receiver.refused:
            await asyncio.sleep(0)
