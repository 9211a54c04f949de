"""Our own API names what it does not know instead of passing it over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.service.asking import created
from tests.world import ADMIN, world

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/v1/tasks/{id}/subscriptions", {"url": "https://hook.example.com/", "formt": "event"}, "formt: "),
        ("/v1/tasks/{id}/subscriptions", ["https://hook.example.com/"], "The body must be a JSON object."),
        ("/v1/keys", {"name": "n", "callback": "https://hook.example.com/"}, "callback: "),
        ("/v1/keys", {"name": "n", "key": ""}, "key: "),
        ("/v1/keys", {"name": "n", "key": "one two"}, "key: "),
    ],
)
async def test_what_our_own_calls_do_not_know_is_refused_by_name(
    tmp_path: Path, path: str, body: Any, named: str
) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "seconds=500")
        response = await it.client.post(path.format(id=task_id), json=body, headers=it.as_key(ADMIN))
        assert response.status_code == 400
        assert response.json()["error"]["message"].startswith(named)
