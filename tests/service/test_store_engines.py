"""Whether the store's contract was tested on both engines, so that a run without the second one shows it."""

from __future__ import annotations

import pytest

from service.store.schema import STEPS, TYPE_WORDS, render
from tests.service.nouns import ENGINES
from tests.service.postgres import ADDRESS


@pytest.mark.skipif(not ADDRESS, reason="RINGBACK_TEST_POSTGRES is not set: the store's contract ran on SQLite only")
def test_the_contract_runs_on_both_engines() -> None:
    assert ENGINES == ("sqlite", "postgres")


@pytest.mark.parametrize("engine", TYPE_WORDS)
def test_the_tables_are_written_in_each_engines_own_words(engine: str) -> None:
    ddl = "\n".join(render(statement, engine) for statements in STEPS.values() for statement in statements)
    assert not {"{", "}"} & set(ddl)
    assert ("STRICT" in ddl) == (engine == "sqlite")
    assert ("BIGINT" in ddl) == (engine == "postgres")
