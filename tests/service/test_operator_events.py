"""What needs the operator is shown to it: with a sentence that says what to do, and to nobody else."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.doubts.advice import EVENTS
from service.store import Store
from service.store.lookups import NEWEST
from tests.architecture import read
from tests.service.asking import create, created
from tests.service.nouns import ENGINES, NOW, opened
from tests.world import ADMIN, World, world

pytestmark = pytest.mark.anyio
HOUR_MS = 3600 * 1000
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


async def asked(it: World, query: str = "", key: str | None = ADMIN) -> httpx.Response:
    return await it.client.get(f"/v1/operator/events{query}", headers=it.as_key(key))


async def shown(it: World, query: str = "") -> list[dict[str, Any]]:
    response = await asked(it, query)
    assert response.status_code == 200, response.text
    events: list[dict[str, Any]] = response.json()["events"]
    return events


async def test_what_goes_on_is_one_event_that_counts(store: Store) -> None:
    for number in range(3):
        await store.events.note("provider.stalled", "x", NOW + number * HOUR_MS // 2, {"tasks": str(number)})
    await store.events.note("provider.stalled", "y", NOW, {})
    await store.events.note("provider.stalled", "x", NOW + 3 * HOUR_MS, {})
    later, long, other = await store.events.recent("", 0, NEWEST, 10)
    assert (later.subject, later.times, later.at) == ("x", 1, NOW + 3 * HOUR_MS)
    assert (long.subject, long.times, long.at, long.last_at) == ("x", 3, NOW, NOW + HOUR_MS)
    assert long.fields == {"tasks": "2"}
    assert (other.subject, other.times) == ("y", 1)


async def test_events_are_found_by_kind_and_by_when_they_happened_last(store: Store) -> None:
    await store.events.note("provider.stalled", "x", NOW, {})
    await store.events.note("provider.heard", "x", NOW + 10, {})
    await store.events.note("provider.stalled", "x", NOW + 20, {})
    assert [one.kind for one in await store.events.recent("", 0, NEWEST, 10)] == ["provider.stalled", "provider.heard"]
    assert [one.last_at for one in await store.events.recent("provider.heard", 0, NEWEST, 10)] == [NOW + 10]
    assert [one.kind for one in await store.events.recent("", NOW + 20, NEWEST, 10)] == ["provider.stalled"]
    assert await store.events.recent("", NOW + 21, NEWEST, 10) == []
    assert await store.events.recent("nothing", 0, NEWEST, 10) == []


async def test_the_latest_of_some_kinds_about_a_subject_is_found(store: Store) -> None:
    kinds = ("provider.stalled", "provider.heard")
    await store.events.note("provider.stalled", "x", NOW, {"since": "1"})
    await store.events.note("provider.heard", "y", NOW + 5, {})
    await store.events.note("upstream.look_refused", "x", NOW + 9, {})
    found = await store.events.latest(kinds, "x")
    assert found is not None
    assert (found.kind, found.fields) == ("provider.stalled", {"since": "1"})
    assert await store.events.latest(kinds, "z") is None
    await store.events.note("provider.heard", "x", NOW + 6, {})
    latest = await store.events.latest(kinds, "x")
    assert latest is not None
    assert latest.kind == "provider.heard"


async def test_pages_leave_out_no_event_of_the_same_millisecond(store: Store) -> None:
    for number in range(7):
        await store.events.note("submission.in_doubt", str(number), NOW, {})
    seen, before = [], NEWEST
    while page := await store.events.recent("", 0, before, 2):
        seen += [one.subject for one in page]
        before = (page[-1].last_at, page[-1].id)
    assert sorted(seen) == [str(number) for number in range(7)]


async def test_the_operator_sees_what_happened_what_it_means_and_what_to_do(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "create=lost", provider="apiyi")
        [event] = await shown(it)
        assert (event["kind"], event["subject"], event["times"]) == ("submission.in_doubt", task_id, 1)
        assert event["fields"]["provider"] == "apiyi"
        assert event["meaning"] == EVENTS["submission.in_doubt"]
        assert event["at"] == event["last_at"]


async def test_nobody_but_the_operator_sees_them(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        assert (await asked(it, key=None)).status_code == 403  # the world's own client key
        assert (await asked(it, key="nobody's")).status_code == 401


async def test_events_hold_no_prompt_and_no_key(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        for marker in ("create=lost", "create=noid", "create=502html", "create=401", "create=dropped"):
            await create(it, marker, provider="dashscope")
        await it.settle(1000, 20)
        text = (await asked(it)).text
        assert "submission.in_doubt" in text
        assert "upstream.account_refused" in text
        for secret in ("a cat", "sim:", "sk-dashscope-key", ADMIN, "authorization"):
            assert secret not in text


async def test_they_are_paged_and_bounded_in_time(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        for _ in range(3):
            await created(it, "create=lost", provider="apiyi")
            it.clock.turn(60)
        first = (await asked(it, "?limit=2")).json()
        rest = (await asked(it, f"?limit=2&before={first['cursor']}")).json()
        assert (len(first["events"]), len(rest["events"]), rest["cursor"]) == (2, 1, None)
        assert len(await shown(it, "?since=2m")) == 2
        assert len(await shown(it, "?since=1h&kind=submission.in_doubt")) == 3
        assert await shown(it, "?kind=provider.missing") == []
        newest = first["events"][0]["last_at"]
        assert [one["id"] for one in await shown(it, f"?since={newest}")] == [first["events"][0]["id"]]


@pytest.mark.parametrize("query", ["since=yesterday", "since=2", "since=2w", "since=2026-13-01", "before=x", "limit=x"])
async def test_what_cannot_be_asked_for_is_named(tmp_path: Path, query: str) -> None:
    async with world(tmp_path) as it:
        response = await asked(it, f"?{query}")
        assert response.status_code == 400
        assert response.json()["error"]["message"].startswith(f"{query.partition('=')[0]}: ")


async def test_a_kind_without_a_sentence_is_shown_as_it_is(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.ringback.operator.tell("new.kind", "something", detail="as it is")
        [event] = await shown(it)
        assert (event["kind"], event["meaning"]) == ("new.kind", None)
        assert event["fields"] == {"detail": "as it is"}


def test_every_kind_that_is_told_has_its_sentence() -> None:
    """A call that tells the operator names the kind as a literal."""
    told = set()
    for module in read(ROOT):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and re.search(r"operator\.tell$|_tell_operator$", ast.unparse(node.func)):
                kinds = [each.value for each in ast.walk(node.args[0]) if isinstance(each, ast.Constant)]
                told |= {kind for kind in kinds if isinstance(kind, str) and "." in kind}
    assert {"submission.in_doubt", "upstream.account_refused", "provider.missing"} <= told
    assert told <= set(EVENTS)
