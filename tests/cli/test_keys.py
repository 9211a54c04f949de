"""`ringback keys`: on the database itself, as an operator uses it before and while a server runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from service.cli import main
from service.keys.signing import PREFIX
from service.settings import scrub
from tests.cli.program import started, url_in


@pytest.fixture(autouse=True)
def _a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in scrub(dict(os.environ)):
        monkeypatch.delenv(name)
    monkeypatch.setenv("RINGBACK_DATABASE", str(tmp_path / "ringback.db"))


def keys(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["keys", *words], input=stdin)


def made(*words: str, stdin: str | None = None) -> dict[str, Any]:
    shown = keys("create", *words, "--json", stdin=stdin)
    assert shown.exit_code == 0, shown.output
    key: dict[str, Any] = json.loads(shown.stdout)
    return key


def test_a_key_and_its_secret_are_shown_once() -> None:
    key = made("studio")
    assert key["key"].startswith("rb_")
    assert key["webhook_secret"].startswith(PREFIX)
    listed = keys("list").output
    assert key["id"] in listed
    assert "studio" in listed
    assert key["key"] not in listed
    assert key["webhook_secret"] not in listed


def test_people_are_told_to_keep_it() -> None:
    shown = keys("create", "studio")
    assert "rb_" in shown.stdout
    assert "not shown again" in shown.stderr


def test_a_key_that_a_program_sends_already_is_read_from_standard_input() -> None:
    assert made("studio", "--import", stdin="sk-of-a-provider\n")["key"] == "sk-of-a-provider"
    again = keys("create", "again", "--import", stdin="sk-of-a-provider\n")
    assert (again.exit_code, again.stderr) == (1, "ringback: That key is registered already.\n")


def test_a_name_means_one_key_until_that_is_revoked() -> None:
    key = made("studio")
    again = keys("create", "studio")
    assert (again.exit_code, again.stdout) == (1, "")
    assert again.stderr.startswith(f"ringback: There is a key with the name studio already ({key['id']}).")
    assert keys("create", key["id"]).exit_code == 1
    assert len(json.loads(keys("list", "--json").stdout)["keys"]) == 1
    keys("revoke", key["id"])
    assert made("studio")["id"] != key["id"]


@pytest.mark.parametrize("text", ["", "\n", "two words\n", "schlüssel\n"])
def test_what_no_header_can_carry_is_no_key(text: str) -> None:
    refused = keys("create", "studio", "--import", stdin=text)
    assert refused.exit_code == 2
    assert text.strip() == "" or text.strip() not in refused.output


def test_no_option_takes_the_key_itself() -> None:
    assert keys("create", "studio", "--import", "sk-of-a-provider").exit_code == 2


def test_a_callback_url_must_be_one_that_may_be_called() -> None:
    assert made("studio", "--callback-url", "https://hooks.example.com/x")
    refused = keys("create", "other", "--callback-url", "http://127.0.0.1/x")
    assert refused.exit_code == 2
    assert refused.stderr.startswith("ringback: --callback-url: ")


def test_a_revoked_key_is_listed_as_revoked_and_cannot_be_revoked_again() -> None:
    key = made("studio")
    assert keys("revoke", key["id"]).exit_code == 0
    assert json.loads(keys("list", "--json").stdout)["keys"][0]["revoked_at"] is not None
    assert keys("revoke", key["id"]).exit_code == 1


def test_without_keys_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "ringback.db").touch()
    assert keys("list").output.startswith("There are no keys in the database. Those of RINGBACK_API_KEYS")


@pytest.mark.parametrize("words", [("list",), ("revoke", "key_1")])
def test_in_another_folder_it_makes_no_database_of_its_own(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = keys(*words)
    assert done.exit_code == 1
    assert "RINGBACK_DATABASE" in done.output
    assert not (tmp_path / "ringback.db").exists()


def test_it_works_while_a_server_runs(tmp_path: Path) -> None:
    with started(tmp_path, "serve", "--port", "0") as server:
        url = f"{url_in(server.until('listens'))}/v1/tasks"

        def asked(key: str) -> int:
            return httpx.get(url, headers={"authorization": f"Bearer {key}"}, trust_env=False).status_code

        assert asked("anything") == 200, "open mode"
        key = made("studio")
        assert asked("anything") == 401, "the first key ends it"
        assert asked(key["key"]) == 200
        assert keys("revoke", key["id"]).exit_code == 0
        assert asked(key["key"]) == 401


def test_a_webhook_secret_is_replaced_with_an_overlap() -> None:
    key = made("studio")
    shown = keys("rotate-secret", "studio", "--overlap", "1h", "--json")
    assert shown.exit_code == 0, shown.output
    rotated = json.loads(shown.stdout)
    assert (rotated["id"], rotated["webhook_secret"] != key["webhook_secret"]) == (key["id"], True)
    assert rotated["old_secret_until"] is not None
    assert keys("rotate-secret", "nobody").exit_code == 1
    assert keys("rotate-secret", "studio", "--secret", "whsec_short").exit_code == 2


def test_a_key_takes_the_secret_that_its_receiver_has() -> None:
    secret = "whsec_" + "QUJD" * 11
    assert made("studio", "--secret", secret)["webhook_secret"] == secret
    assert made("other", "--secret", "-", stdin=f"{secret}\n")["webhook_secret"] == secret


def test_a_rotation_of_the_servers_keys_is_finished_by_sealing_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_SECRET_KEYS", "old")
    made("studio")
    monkeypatch.setenv("RINGBACK_SECRET_KEYS", "new")
    lost = keys("reseal")
    assert (lost.exit_code, lost.stdout) == (1, "0 secrets are sealed with the newest key.\n")
    assert lost.stderr.startswith("ringback: 1 secrets stay as they are: ")
    monkeypatch.setenv("RINGBACK_SECRET_KEYS", "old,new")
    assert json.loads(keys("reseal", "--json").stdout) == {"resealed": 1, "unopenable": 0}
    monkeypatch.setenv("RINGBACK_SECRET_KEYS", "new")
    assert json.loads(keys("reseal", "--json").stdout) == {"resealed": 1, "unopenable": 0}
