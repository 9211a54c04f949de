"""`ringback keys allow`, and the same options of `keys create`: limits and rights, on the database itself."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from service.cli import main
from service.cli.on_database import on_database
from service.cli.options import load_settings
from service.settings import scrub
from tests.cli.program import started, url_in


@pytest.fixture(autouse=True)
def _a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in scrub(dict(os.environ)):
        monkeypatch.delenv(name)
    monkeypatch.setenv("RINGBACK_DATABASE", str(tmp_path / "ringback.db"))
    monkeypatch.setenv("RINGBACK_API_KEYS", "app:sk-app")


def keys(*words: str) -> Result:
    return CliRunner().invoke(main, ["keys", *words])


def parsed(*words: str) -> dict[str, Any]:
    shown = keys(*words, "--json")
    assert shown.exit_code == 0, shown.output
    found: dict[str, Any] = json.loads(shown.stdout)
    return found


def test_a_new_key_is_limited_from_the_start() -> None:
    made = parsed("create", "studio", "--budget", "20 USD/month", "--provider", "acedata", "--model", "wan2.6-t2v")
    [key] = parsed("list")["keys"]
    assert key["allowance"] == {
        "client": made["id"],
        "providers": ["acedata"],
        "models": ["wan2.6-t2v"],
        "watch": False,
        "budgets": [{"amount_micros": 20_000_000, "currency": "USD", "period": "month"}],
    }
    assert "20 USD a month; acedata; wan2.6-t2v" in keys("list").output


def test_what_no_option_names_stays() -> None:
    made = parsed("create", "studio", "--budget", "20 USD/month", "--watch")
    parsed("allow", "studio", "--model", "wan2.7-t2v", "--model", "wan2.7-i2v")
    after = parsed("allow", made["id"])
    assert (after["watch"], after["models"]) == (True, ["wan2.7-t2v", "wan2.7-i2v"])
    assert [budget["amount_micros"] for budget in after["budgets"]] == [20_000_000]
    after = parsed("allow", "studio", "--no-watch", "--any-model", "--budget", "5 CNY/day", "--budget", "1.5 USD")
    assert (after["watch"], after["models"]) == (False, None)
    assert [(one["currency"], one["period"]) for one in after["budgets"]] == [("CNY", "day"), ("USD", "total")]
    assert parsed("allow", "studio", "--no-budget")["budgets"] == []


def test_people_read_it_in_words() -> None:
    parsed("create", "studio")
    shown = keys("allow", "studio", "--budget", "20 USD/month", "--budget", "3 USD/day").output
    assert "20 USD a month and 3 USD a day" in shown
    assert "any" in shown


def test_clients_without_a_key_in_the_database_are_meant_by_their_ids() -> None:
    parsed("create", "studio")
    assert parsed("allow", "env:app", "--provider", "dashscope")["client"] == "env:app"
    assert parsed("allow", "open", "--watch")["watch"] is True
    assert [each["client"] for each in parsed("list")["others"]] == ["env:app", "open"]
    assert "env:app" in keys("list").output


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("allow", "nobody"), 1, "no such client"),
        (("allow", "env:nobody", "--watch"), 1, "no such client"),
        (("allow", "twice"), 1, "Several keys have the name twice"),
        (("allow", "studio", "--provider", "acedta"), 2, "allowed: acedata, laozhang, apiyi, dashscope"),
        (("allow", "studio", "--budget", "20"), 2, "such as 20 USD/month"),
        (("allow", "studio", "--budget", "1 USD", "--budget", "2 USD"), 2, "one for each currency and period"),
        (("allow", "studio", "--budget", "1 USD", "--no-budget"), 2, "--no-budget takes it away"),
        (("allow", "studio", "--model", "x", "--any-model"), 2, "--any-model takes it away"),
        (("create", "other", "--budget", "a lot"), 2, "such as 20 USD/month"),
    ],
)
def test_what_is_wrong_is_told_and_changes_nothing(words: tuple[str, ...], code: int, says: str) -> None:
    parsed("create", "studio")
    for _ in range(2):
        on_database(load_settings(None), lambda clients: clients.create("twice"))  # as programs may, over the API
    before = parsed("list")
    refused = keys(*words)
    assert (refused.exit_code, parsed("list")) == (code, before)
    assert says in refused.stderr


def test_a_model_that_is_not_in_the_catalogue_is_allowed_with_a_word() -> None:
    parsed("create", "studio")
    shown = keys("allow", "studio", "--model", "wan9-t2v")
    assert shown.exit_code == 0
    assert "wan9-t2v is not in the catalogue" in shown.stderr


def test_a_running_server_takes_it_at_once(tmp_path: Path) -> None:
    with started(tmp_path, "serve", "--port", "0", ACEDATA_API_KEY="sk-x", RINGBACK_API_KEYS="app:sk-app") as server:
        url = f"{url_in(server.until('listens'))}/v1/explain"
        question = {"shape": "flat", "body": {"model": "wan2.6-t2v", "prompt": "a cat"}}

        def chosen() -> str | None:
            headers = {"authorization": "Bearer sk-app"}
            told = httpx.post(url, json=question, headers=headers, trust_env=False).json()["chosen"]
            return None if told is None else str(told)

        assert chosen() == "acedata"
        assert keys("allow", "env:app", "--model", "wan2.7-t2v").exit_code == 0
        assert chosen() is None
        assert keys("allow", "env:app", "--any-model").exit_code == 0
        assert chosen() == "acedata"
