"""The check of what statements would cost sees what it is there for."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.store import Store, lanes
from service.store.schema import LANE
from tests.inplace import InPlaceEngine
from tests.plans import WALK

pytestmark = pytest.mark.anyio
FIRST = f"(SELECT min(due_at) FROM deliveries WHERE {LANE} = lanes.id AND due_at IS NOT NULL)"


@pytest.mark.parametrize("column", ["(SELECT id FROM tasks WHERE trace_id = 'x')", FIRST])
async def test_a_verb_that_walks_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: str) -> None:
    monkeypatch.setattr(lanes, "_COLUMNS", f"{column} AS walked, id")
    store = Store(InPlaceEngine(tmp_path / "ringback.db"))
    try:
        with pytest.raises(AssertionError, match="walked"):
            await store.lanes.several(["a"])
    finally:
        await store.close()


def test_what_an_index_leads_to_is_no_walk() -> None:
    assert not WALK.fullmatch("SEARCH deliveries USING INDEX deliveries_due (<expr>=? AND due_at>?)")
    assert not WALK.fullmatch("SCAN placements USING INDEX placements_live")
