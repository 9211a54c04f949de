"""Requests generated from the catalogue's rules, in every shape, for every provider and model.

What is refused is refused by us, before the provider hears of it; what is sent is taken by the provider and ends well.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from adapters.model import Model, ParameterRule
from adapters.providers import PROVIDERS
from tests.service.orders import MODELS, Order, order
from tests.world import World, accounts, world

pytestmark = pytest.mark.anyio
ROUNDS = 4
DISPUTED = {"4:5", "5:4", "9:21", "21:9", "480P"}
"""Values on which the providers' pages differ: the catalogue reads them widely, the simulator narrowly."""


def within(rule: ParameterRule, provider: str, dice: random.Random) -> Any:
    """A value that the rule allows; None where it allows any."""
    single = (*rule.values, *rule.also, *rule.providers.get(provider, ()))
    if rule.minimum is not None and rule.maximum is not None:
        lowest = min((rule.maximum, *rule.maximum_with.values()))
        return dice.randint(rule.minimum, lowest)
    agreed = [value for value in single if value not in DISPUTED]
    return dice.choice(agreed) if agreed else None


def generated(shape: str, model: Model, provider: str, dice: random.Random) -> Order:
    asked = order(shape, model, f"take {dice.random()} [sim:seconds=3]")
    place = asked.body if shape == "flat" else asked.body.setdefault("parameters", {})
    for name, rule in model.parameters.items():
        value = within(rule, provider, dice)
        if value is not None and dice.random() < 0.5:
            place[name] = value
    return asked


async def attempt(it: World, asked: Order, provider: str) -> str | None:
    """The id of the task, None if we refused it."""
    before = it.upstreams.requests[provider, "create"]
    headers = {"x-ringback-provider": provider, "x-callback-url": f"{it.inbox.url}/hook"}
    body = asked.body | ({"async": True} if asked.shape == "flat" else {})
    reply = await it.client.post(asked.path, json=body, headers=headers)
    sent = it.upstreams.requests[provider, "create"] - before
    assert (reply.status_code, sent) in ((200, 1), (400, 0)), (asked.body, reply.text)
    if reply.status_code == 400:
        return None
    said: str = reply.json()["task_id"] if asked.shape == "flat" else reply.json()["output"]["task_id"]
    return said


@pytest.mark.parametrize("shape", ["flat", "native", "gateway"])
async def test_what_the_catalogue_allows_is_taken_by_every_provider(tmp_path: Path, shape: str) -> None:
    dice = random.Random(shape)
    async with world(tmp_path, accounts=accounts(PROVIDERS, active=0)) as it:  # room for any number
        tasks = [
            (model.name, provider, await attempt(it, generated(shape, model, provider, dice), provider))
            for model in MODELS
            for provider in model.providers
            for _ in range(ROUNDS)
        ]
        await it.settle(40, 2)
        taken = [task_id for _, _, task_id in tasks if task_id]
        assert len(taken) > len(tasks) / 2, "most of what the catalogue allows can be said to most providers"
        for name, provider, task_id in tasks:
            if task_id is not None:
                record = (await it.client.get(f"/v1/tasks/{task_id}/record")).json()
                assert record["state"] == "SUCCEEDED", (name, provider, record["error"])
        assert len(it.upstreams.creates) == len(taken)
        assert len(it.inbox.received) == len(taken)
