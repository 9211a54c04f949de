"""A catalogue with prices of everything that the tests ask for; the built-in one has those that are documented."""

from __future__ import annotations

from typing import Any

from adapters.catalogue import Catalogue, builtin
from tests.service.asking import body_of, paths, record
from tests.world import World

PRICES = {
    ("wan2.6-t2v", "acedata", "720P"): (0.1, "USD"),
    ("wan2.6-t2v", "acedata", "1080P"): (0.2, "USD"),
    ("wan2.6-t2v", "laozhang", "1080P"): (0.3, "USD"),
    ("wan2.6-t2v", "dashscope", "720P"): (0.6, "CNY"),
    ("wan2.6-t2v", "dashscope", "1080P"): (1.0, "CNY"),
    ("happyhorse-1.1-t2v", "acedata", "1080P"): (0.25, "USD"),
}
"""By model, provider and resolution, each for one second. APIYI has none for Wan 2.6."""


def priced(more: str = "") -> Catalogue:
    tables = (
        f'[[models."{model}".prices]]\nprovider = "{provider}"\nresolution = "{resolution}"\n'
        f'per_second = {per_second}\ncurrency = "{currency}"\n'
        for (model, provider, resolution), (per_second, currency) in PRICES.items()
    )
    return builtin("\n".join(tables) + more)


async def asked(it: World, marker: str = "", *, seconds: int = 5, provider: str = "acedata", **how: Any) -> Any:
    """The reply to a create in the provider's own shape, of a video of so many seconds in 1280*720."""
    shape = {"acedata": "flat", "dashscope": "native"}.get(provider, "gateway")
    body = body_of(shape, f"a cat [sim:{marker}]" if marker else "a cat")
    size = {"size": "1280*720", "duration": seconds}
    body |= size if shape == "flat" else {"parameters": size}
    headers = it.as_key(how.get("key")) | {"x-ringback-provider": provider}
    return await it.client.post(paths(shape), json=body, headers=headers)


async def bought(it: World, marker: str = "", **how: Any) -> str:
    """The id of such a task, that was accepted."""
    reply = await asked(it, marker, **how)
    assert reply.status_code == 200, reply.text
    said = reply.json()
    task_id: str = said.get("task_id") or said["output"]["task_id"]
    return task_id


async def charges(it: World, task_id: str) -> list[tuple[int | None, int | None, str | None]]:
    """Of each send of a task: what it costs at most, what it did cost, and in which currency."""
    found = [placement["charge"] for placement in (await record(it, task_id))["placements"]]
    return [(one["estimate_micros"], one["amount_micros"], one["currency"]) for one in found]
