"""What the clients of the torture ask for: every shape, every provider, and every kind of trouble, by a seed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx

from adapters.providers import PROVIDERS
from tests.torture.stage import Stage

NATIVE = "/api/v1/services/aigc/video-generation/video-synthesis"
PATHS = {"flat": "/wan/videos", "native": NATIVE, "gateway": f"/wan{NATIVE}"}
TROUBLE = (
    "", "", "", "", "fail", "nourl", "lag=1", "poll=503:2", "poll=502html:2", "poll=lost:2", "callback=lost",
    "callback=twice", "callback=early", "create=429 times=1", "create=503 times=2", "create=dropped", "create=lost",
    "create=502html", "create=noid", "create=delay:0.7", "create=delay:1.5", "create=delay:6",
)  # fmt: skip


@dataclass
class Order:
    """One video that a client wants, and what became of its request. `prompt` is like no other's."""

    number: int
    shape: str
    provider: str
    prompt: str
    body: dict[str, Any]
    headers: dict[str, str]
    task_id: str | None = None
    asked: int = 0
    held: bool = field(default=False)

    @property
    def hook(self) -> str:
        return f"/hook/{self.number}"


def order(number: int, random: Random, inbox: str, trouble: Sequence[str] = TROUBLE) -> Order:
    """Each provider and each trouble comes up, whatever the seed."""
    shape, provider = random.choice(list(PATHS)), random.choice(list(PROVIDERS))
    seconds = random.uniform(3, 9)
    prompt = f"video {number} [sim:seconds={seconds:.2f} {trouble[number % len(trouble)]}]"
    headers = {"x-ringback-provider": provider, "content-type": "application/json"}
    if random.random() < 0.3:
        headers["idempotency-key"] = f"order-{number}"
    body: dict[str, Any] = {"model": "wan2.6-t2v", "input": {"prompt": prompt}}
    made = Order(number, shape, provider, prompt, body, headers)
    if shape == "flat":
        made.body = {"action": "text2video", "model": "wan2.6-t2v", "prompt": prompt}
        made.held = random.random() < 0.2
    if shape == "flat" and not made.held:
        made.body["callback_url"] = inbox + made.hook
    else:
        headers["x-callback-url"] = inbox + made.hook
    return made


async def submit(stage: Stage, wanted: Order) -> None:
    """Asks until there is an answer: a client whose connection broke asks again, in the same words."""
    content = json.dumps(wanted.body).encode()
    while wanted.task_id is None:
        await stage.alive.wait()
        wanted.asked += 1
        try:
            response = await stage.client.post(PATHS[wanted.shape], content=content, headers=wanted.headers)
        except httpx.TransportError:
            continue
        assert response.status_code == 200, (wanted, response.text)
        body = response.json()
        wanted.task_id = body.get("task_id") or body["output"]["task_id"]
