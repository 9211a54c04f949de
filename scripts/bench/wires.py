"""How a plain client asks each provider for a video and how it asks whether that is done: its documents' own words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from adapters.providers import PROVIDERS

MODEL = "wan2.6-t2v"
NATIVE = "/api/v1/services/aigc/video-generation/video-synthesis"
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Look:
    """A query for one task, before it has an id."""

    method: str
    path: str
    body: Callable[[str], Json] | None = None


@dataclass(frozen=True)
class Wire:
    """`order` makes the body of a create out of a prompt, `ended` reads the answer to a look. `queries_per_second` is
    what one account may ask, in the provider's words or, where it has none, as Ringback paces itself."""

    provider: str
    path: str
    order: Callable[[str], Json]
    look: Look
    ended: Callable[[Json], bool]
    queries_per_second: float

    async def create(self, client: httpx.AsyncClient, prompt: str, prefix: str = "") -> str:
        """Asks for a video, of the provider or of whoever speaks like it, and returns its id."""
        headers = {"x-dashscope-async": "enable"}
        response = await client.post(prefix + self.path, json=self.order(prompt), headers=headers)
        body = response.raise_for_status().json()
        return str(body.get("task_id") or body["output"]["task_id"])

    async def is_done(self, client: httpx.AsyncClient, task_id: str) -> bool | None:
        """One look at one task. None: the provider said that it is one too many."""
        body = self.look.body(task_id) if self.look.body else None
        path = f"/{self.provider}{self.look.path.format(id=task_id)}"
        response = await client.request(self.look.method, path, json=body)
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            return None
        return response.is_success and self.ended(response.json())


def _flat(prompt: str) -> Json:
    return {"action": "text2video", "model": MODEL, "prompt": prompt, "async": True}


def _native(prompt: str) -> Json:
    return {"model": MODEL, "input": {"prompt": prompt}}


ACEDATA = Wire(
    "acedata",
    "/wan/videos",
    _flat,
    Look("POST", "/wan/tasks", lambda task_id: {"action": "retrieve", "id": task_id}),
    lambda body: "finished_at" in body,
    1.0,  # wire.md 1.3: "Stay under 1 req/s"
)
LAOZHANG = Wire(
    "laozhang",
    f"/wan{NATIVE}",
    _native,
    Look("GET", "/v1/tasks/{id}"),
    lambda body: body.get("status") in ("completed", "failed"),
    PROVIDERS["laozhang"].looks_per_second,
)
DASHSCOPE = Wire(
    "dashscope",
    NATIVE,
    _native,
    Look("GET", "/api/v1/tasks/{id}"),
    lambda body: body["output"]["task_status"] in ("SUCCEEDED", "FAILED", "CANCELED"),
    20.0,  # wire.md 3.3: 20 QPS per Alibaba account
)
