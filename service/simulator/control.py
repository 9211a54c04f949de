"""The simulator's own door, `/_sim/`: what was ordered, and how the next creates are to behave."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from service.simulator.markers import PROVIDERS, read_behaviour, read_words
from service.simulator.tasks import Create
from service.simulator.world import Plan, World


class Control:
    """`GET /_sim/stats`, `POST /_sim/behaviour`, `POST /_sim/reset`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def mount(self) -> Mount:
        routes = [
            Route("/stats", self.stats, methods=["GET"]),
            Route("/behaviour", self.behaviour, methods=["POST"]),
            Route("/reset", self.reset, methods=["POST"]),
        ]
        return Mount("/_sim", routes=routes)

    async def stats(self, request: Request) -> Response:
        """What would be on the bill. No prompts, keys or links: a prompt is named by its hash."""
        return JSONResponse(statistics(self._world))

    async def behaviour(self, request: Request) -> Response:
        """Takes {"behaviour": "create=429", "times": 2, "provider": null, "model": null}: the next `times` creates that
        match behave so, whatever their prompts say."""
        try:
            self._world.plans.append(_plan(await request.body()))
        except ValueError as wrong:
            return JSONResponse({"error": str(wrong)}, 400)
        return JSONResponse({"plans": len(self._world.plans)})

    async def reset(self, request: Request) -> Response:
        """Forgets all tasks, creates, plans and callbacks."""
        self._world.reset()
        return JSONResponse({})


def statistics(world: World) -> dict[str, Any]:
    """The body of `/_sim/stats`."""
    billed = [create for create in world.creates if create.billed]
    by_prompt = Counter(create.task.order.prompt_hash for create in billed)
    requests: dict[str, dict[str, int]] = {}
    for (provider, kind), count in world.requests.items():
        requests.setdefault(provider, {})[kind] = count
    return {
        "creates_billed": len(billed),
        "by_provider": dict(Counter(create.provider for create in billed)),
        "requests": requests,
        "callbacks_sent": len(world.outbox.sent),
        "tasks": [_row(create, by_prompt, world.clock()) for create in world.creates],
    }


def _row(create: Create, by_prompt: Counter[str], now: float) -> dict[str, Any]:
    order = create.task.order
    return {
        "provider": create.provider,
        "id": create.task_id,
        "model": order.model,
        "state": create.task.script.phase(now).value,
        "billed": create.billed,
        "prompt_hash": order.prompt_hash,
        "callback_token": order.callback_url.rstrip("/").rpartition("/")[2] if order.callback_url else None,
        "creates": by_prompt[order.prompt_hash],
    }


def _plan(raw: bytes) -> Plan:
    wish = json.loads(raw)
    if not isinstance(wish, dict) or not isinstance(words := wish.get("behaviour"), str):
        raise ValueError('behaviour must be a string, such as "create=429"')
    behaviour = read_behaviour(words) if "[sim:" in words else read_words(words)
    times = wish.get("times", behaviour.times or 1)
    if type(times) is not int or times < 1:
        raise ValueError("times must be a positive integer")
    provider = wish.get("provider") or behaviour.only
    if provider not in (None, *PROVIDERS):
        raise ValueError(f"provider must be one of {', '.join(PROVIDERS)}")
    return Plan(behaviour, times, provider, wish.get("model"))
