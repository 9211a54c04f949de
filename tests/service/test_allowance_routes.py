"""/v1/keys/{client}/allowance: for the operator, and what is wrong in it is told by its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.asking import body_of
from tests.service.prices import asked, priced
from tests.world import ADMIN, KEY, World, world

pytestmark = pytest.mark.anyio
BUDGET = {"amount_micros": 400_000, "currency": "USD", "period": "month"}
NOTHING = {"providers": None, "models": None, "watch": False, "budgets": []}


async def call(it: World, method: str, client: str, body: Any = None, key: str = ADMIN) -> httpx.Response:
    return await it.client.request(method, f"/v1/keys/{client}/allowance", json=body, headers=it.as_key(key))


async def test_it_is_put_shown_and_taken_away_and_holds_at_once(tmp_path: Path) -> None:
    async with world(tmp_path, catalogue=priced()) as it:
        assert (await call(it, "GET", "env:first")).json() == {"client": "env:first", **NOTHING}
        wanted = {"providers": ["acedata"], "models": ["wan2.6-t2v"], "watch": True, "budgets": [BUDGET]}
        put = await call(it, "PUT", "env:first", wanted)
        assert (put.status_code, put.json()) == (200, {"client": "env:first", **wanted})
        assert (await call(it, "GET", "env:first")).json() == put.json()
        assert (await asked(it)).status_code == 403
        assert (await call(it, "PUT", "env:first", {})).json() == {"client": "env:first", **NOTHING}
        assert (await asked(it)).status_code == 200
        await call(it, "PUT", "env:first", wanted)
        assert (await call(it, "DELETE", "env:first")).status_code == 204
        assert (await call(it, "GET", "env:first")).json() == {"client": "env:first", **NOTHING}
        assert (await asked(it)).status_code == 200


async def test_a_key_is_meant_by_its_id_or_its_name_if_only_one_has_it(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        make = {"json": {"name": "studio"}, "headers": it.as_key(ADMIN)}
        first, second = [(await it.client.post("/v1/keys", **make)).json() for _ in range(2)]  # type: ignore[arg-type]
        assert (await call(it, "GET", "studio")).status_code == 404
        assert (await call(it, "PUT", first["id"], {"models": []})).json()["client"] == first["id"]
        await it.client.delete(f"/v1/keys/{second['id']}", headers=it.as_key(ADMIN))
        assert (await call(it, "GET", "studio")).json()["models"] == []
        refused = await it.client.post("/wan/videos", json=body_of("flat"), headers=it.as_key(first["key"]))
        assert refused.status_code == 403


@pytest.mark.parametrize("client", ["nobody", "env:nobody", "first", "key_1", "admin"])
async def test_of_nobody_there_is_none(tmp_path: Path, client: str) -> None:
    async with world(tmp_path) as it:
        for method, body in (("GET", None), ("PUT", {}), ("DELETE", None)):
            assert (await call(it, method, client, body)).status_code == 404


async def test_it_is_the_operators(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        for method, body in (("GET", None), ("PUT", {}), ("DELETE", None)):
            assert (await call(it, method, "env:first", body, KEY)).status_code == 403
            assert (await call(it, method, "env:first", body, "nobody's")).status_code == 401


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ([], "The body"),
        ({"budget": []}, "budget"),
        ({"watch": 1}, "watch"),
        ({"providers": "acedata"}, "providers"),
        ({"providers": ["acedta"]}, "providers"),
        ({"models": [""]}, "models"),
        ({"models": [1]}, "models"),
        ({"models": ["x" * 201]}, "models"),
        ({"models": ["x"] * 201}, "models"),
        ({"budgets": {}}, "budgets"),
        ({"budgets": [BUDGET, BUDGET | {"amount_micros": 1}]}, "budgets"),
        ({"budgets": [7]}, "budgets[0]"),
        ({"budgets": [BUDGET | {"more": 1}]}, "budgets[0]"),
        ({"budgets": [BUDGET | {"amount_micros": 0.5}]}, "budgets[0].amount_micros"),
        ({"budgets": [BUDGET | {"amount_micros": -1}]}, "budgets[0].amount_micros"),
        ({"budgets": [BUDGET | {"amount_micros": True}]}, "budgets[0].amount_micros"),
        ({"budgets": [BUDGET | {"amount_micros": 10**19}]}, ""),
        ({"budgets": [BUDGET | {"currency": "usd"}]}, "budgets[0].currency"),
        ({"budgets": [BUDGET, BUDGET | {"period": "week"}]}, "budgets[1].period"),
        ({"budgets": [BUDGET | {"period": ["day"]}]}, "budgets[0].period"),
    ],
)
async def test_what_is_wrong_is_told_by_its_place_and_changes_nothing(tmp_path: Path, body: Any, place: str) -> None:
    async with world(tmp_path) as it:
        await call(it, "PUT", "env:first", {"models": ["kept"]})
        reply = await call(it, "PUT", "env:first", body)
        assert reply.status_code == 400, reply.text
        assert reply.json()["error"]["message"].startswith(place)
        assert (await call(it, "GET", "env:first")).json()["models"] == ["kept"]
