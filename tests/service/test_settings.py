"""Settings: where a value comes from, and what an operator is told who made a mistake."""

from __future__ import annotations

import base64
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import ValidationError

from adapters.providers import PROVIDERS, Provider
from service.settings import (
    VARIABLES,
    Account,
    Settings,
    SettingsError,
    check_exposure,
    is_loopback,
    load,
    load_client,
    scrub,
)
from service.settings.kept import new_webhook_secret, read_or_make

SECRET = "whsec_" + base64.b64encode(bytes(range(24))).decode()
ROWS = list(PROVIDERS.values())
FIRST, SECOND = ROWS[0], ROWS[1]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of its own, where `ringback.db` would be."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(place: Path, text: str) -> Path:
    path = place / "ringback.toml"
    path.write_text(text)
    return path


def problems(environ: dict[str, str], config: Path | None = None) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load(config, environ)
    return caught.value.problems


def poll_variable(provider: Provider) -> str:
    return f"RINGBACK_{provider.name.upper()}_POLL_SECONDS"


def base_variable(provider: Provider) -> str:
    return f"RINGBACK_{provider.name.upper()}_BASE_URL"


# Where values come from


def test_nothing_has_to_be_set(place: Path) -> None:
    settings = load(None, {})
    assert (settings.database, settings.host, settings.port, settings.public_url) == (
        "ringback.db",
        "127.0.0.1",
        8000,
        None,
    )
    assert (settings.in_doubt_seconds, settings.submit_wait_seconds, settings.create_timeout_seconds) == (900, 8, 120)
    assert (settings.hold_seconds, settings.hold_per_key, settings.create_bytes) == (1800, 100, 24 * 1024 * 1024)
    assert settings.streams_per_key == 100
    assert (settings.accounts, settings.api_keys, settings.admin_token, settings.warnings) == ((), (), None, ())


def test_a_variable_comes_before_the_file_and_an_empty_one_counts_as_left_out(place: Path) -> None:
    config = written(place, 'host = "127.0.0.2"\nport = 9000\nlog = "json"\nhold_per_key = 7\n')
    settings = load(config, {"RINGBACK_PORT": "9001", "RINGBACK_HOST": "", "RINGBACK_LOG": "text"})
    assert (settings.host, settings.port, settings.log, settings.hold_per_key) == ("127.0.0.2", 9001, "text", 7)


def test_the_file_is_named_by_the_argument_or_else_by_a_variable(place: Path) -> None:
    config = written(place, "port = 9000")
    other = place / "other.toml"
    other.write_text("port = 9002")
    assert load(None, {"RINGBACK_CONFIG": str(config)}).port == 9000
    assert load(other, {"RINGBACK_CONFIG": str(config)}).port == 9002


def test_lists_are_written_with_commas_or_in_the_file_as_lists(place: Path) -> None:
    by_variable = load(None, {"RINGBACK_SECRET_KEYS": "old, new,", "RINGBACK_API_KEYS": "ann:k1,bob:k:2"})
    by_file = load(written(place, 'secret_keys = ["old", "new"]\napi_keys = ["ann:k1", "bob:k:2"]'), {})
    for settings in (by_variable, by_file):
        assert [key.get_secret_value() for key in settings.secret_keys] == ["old", "new"]
        assert [(key.name, key.key.get_secret_value()) for key in settings.api_keys] == [("ann", "k1"), ("bob", "k:2")]


def test_a_key_without_a_name_keeps_its_name_when_the_order_changes(place: Path) -> None:
    first = load(None, {"RINGBACK_API_KEYS": "one,two"}).api_keys
    second = load(None, {"RINGBACK_API_KEYS": "two,one"}).api_keys
    assert set(first) == set(second)
    assert len({key.name for key in first}) == 2


def test_settings_are_a_value_that_cannot_be_changed_and_shows_no_secret(place: Path) -> None:
    environ = {
        "RINGBACK_DATABASE": "postgresql://me:hunter2@db/ringback",
        "RINGBACK_SECRET_KEYS": "signing-key",
        "RINGBACK_API_KEYS": "ann:client-key",
        "RINGBACK_WEBHOOK_SECRET": SECRET,
        "RINGBACK_ADMIN_TOKEN": "admin-token",
        FIRST.api_key_env: "provider-key",
    }
    settings = load(None, environ)
    for secret in ("hunter2", "signing-key", "client-key", SECRET, "admin-token", "provider-key"):
        assert secret not in repr(settings)
        assert secret not in str(settings)
    with pytest.raises(ValidationError):
        settings.port = 1


def test_every_variable_is_unlike_every_other() -> None:
    assert len(set(VARIABLES.values())) == len(VARIABLES)
    assert all(name.startswith("RINGBACK_") or name.endswith("_API_KEY") for name in VARIABLES.values())


# Accounts


def test_providers_with_a_key_are_accounts_in_the_order_of_the_rows(place: Path) -> None:
    settings = load(None, {row.api_key_env: f" {row.name}-key\n" for row in reversed(ROWS)})
    assert [account.provider for account in settings.accounts] == ROWS
    for account, row in zip(settings.accounts, ROWS, strict=True):
        assert account.api_key.get_secret_value() == f"{row.name}-key"
        assert (account.base_url, account.poll_seconds) == (row.base_url, row.look_every_seconds)


def test_the_operator_chooses_and_orders_the_providers(place: Path) -> None:
    keys = {row.api_key_env: "k" for row in ROWS}
    settings = load(None, {**keys, "RINGBACK_PROVIDERS": f"{SECOND.name}, {FIRST.name}"})
    assert [account.provider for account in settings.accounts] == [SECOND, FIRST]


def test_an_account_may_have_another_base_url_and_pace(place: Path) -> None:
    config = written(place, f'{FIRST.name}_base_url = "http://127.0.0.1:9/x/"\n{FIRST.name}_poll_seconds = 0.05\n')
    (account,) = load(config, {FIRST.api_key_env: "k"}).accounts
    assert (account.base_url, account.poll_seconds) == ("http://127.0.0.1:9/x", 0.05)


def test_several_keys_of_a_provider_are_accounts_of_one_pool(place: Path) -> None:
    by_variable = load(None, {SECOND.api_key_env: "k", FIRST.api_key_env: "main:sk-1, second:sk:2"}).accounts
    config = written(place, f'{FIRST.name}_api_key = ["main:sk-1", "second:sk:2"]')
    assert by_variable == load(config, {SECOND.api_key_env: "k"}).accounts
    found = [(each.provider, each.name, each.api_key.get_secret_value()) for each in by_variable[:2]]
    assert found == [(FIRST, "main", "sk-1"), (FIRST, "second", "sk:2")]
    assert by_variable[2].provider == SECOND


def test_an_upstream_key_keeps_its_name_whatever_stands_beside_it(place: Path) -> None:
    def names(given: str) -> dict[str, str]:
        return {each.api_key.get_secret_value(): each.name for each in load(None, {FIRST.api_key_env: given}).accounts}

    alone = names("sk-1")
    assert names("sk-2,sk-1")["sk-1"] == names("sk-1,sk-2")["sk-1"] == alone["sk-1"]
    assert "sk-1" not in alone["sk-1"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("sk-1,sk-1", " has the same key twice."),
        ("a:sk-1,b:sk-1", " has the same key twice."),
        ("a:sk-1,a:sk-2", " has two keys with the same name."),
        ("sk-1,:sk-2", ", entry 2, cannot be used: a name before the colon"),
        (",", " cannot be used: it must be one or more keys, separated by commas."),
    ],
)
def test_a_wrong_pool_is_explained_without_a_key(place: Path, given: str, said: str) -> None:
    (problem,) = problems({FIRST.api_key_env: given})
    assert problem.startswith(FIRST.api_key_env + said)
    assert "sk-" not in problem


def test_what_the_keys_of_a_pool_share_is_wrong_once(place: Path) -> None:
    (problem,) = problems({FIRST.api_key_env: "sk-1,sk-2", poll_variable(FIRST): "never"})
    assert problem.startswith(f"{poll_variable(FIRST)} is 'never'")


@pytest.mark.parametrize(("given", "most"), [(None, 10), ("3", 3), ("0", None)])
def test_how_many_tasks_may_be_active_is_the_providers_limit_or_the_operators(
    place: Path, given: str | None, most: int | None
) -> None:
    environ = {"APIYI_API_KEY": "k", "DASHSCOPE_API_KEY": "k"} | ({"RINGBACK_APIYI_ACTIVE": given} if given else {})
    apiyi, dashscope = load(None, environ).accounts
    assert (apiyi.most_active, dashscope.most_active) == (most, None)


@pytest.mark.parametrize("given", ["-1", "many", "1.5"])
def test_a_wrong_limit_is_explained(place: Path, given: str) -> None:
    (problem,) = problems({"APIYI_API_KEY": "k", "RINGBACK_APIYI_ACTIVE": given})
    assert problem == f"RINGBACK_APIYI_ACTIVE is '{given}': it must be a whole number, 0 or more."


@pytest.mark.parametrize(("given", "meant"), [(None, ("ask", "no")), ("doubt", ("doubt", "no")), ("no", ("no", "no"))])
def test_what_an_error_of_the_provider_means_is_its_rows_word_or_the_operators(
    place: Path, given: str | None, meant: tuple[str, str]
) -> None:
    environ = {"ACEDATA_API_KEY": "k", "APIYI_API_KEY": "k"}
    accounts = load(None, environ | ({"RINGBACK_ACEDATA_REJECTED_5XX": given} if given else {})).accounts
    assert tuple(account.believed for account in accounts) == meant


def test_a_wrong_meaning_is_explained(place: Path) -> None:
    (problem,) = problems({"APIYI_API_KEY": "k", "RINGBACK_APIYI_REJECTED_5XX": "maybe"})
    assert problem == "RINGBACK_APIYI_REJECTED_5XX is 'maybe': it must be no, ask or doubt."


def test_the_policy_of_fail_over_is_one_of_three(place: Path) -> None:
    assert load(None, {}).failover == "safe"
    assert load(None, {"RINGBACK_FAILOVER": "off"}).failover == "off"
    (problem,) = problems({"RINGBACK_FAILOVER": "always"})
    assert problem == "RINGBACK_FAILOVER is 'always': it must be off, safe or retry_failed."


@pytest.mark.parametrize("base_url", [None, FIRST.base_url, FIRST.base_url.replace("://", "://regional.")])
def test_a_real_provider_is_not_looked_at_more_often_than_it_allows(place: Path, base_url: str | None) -> None:
    environ = {FIRST.api_key_env: "k", poll_variable(FIRST): "2.9"} | (
        {base_variable(FIRST): base_url} if base_url else {}
    )
    (problem,) = problems(environ)
    assert problem.startswith(f"{poll_variable(FIRST)} is '2.9': {FIRST.title} allows no less than 3 seconds")
    environ[poll_variable(FIRST)] = "3"
    assert load(None, environ).accounts[0].poll_seconds == 3


def test_the_floor_holds_for_accounts_that_are_built_directly_too() -> None:
    with pytest.raises(ValidationError, match="no less than 3 seconds"):
        Account(provider=FIRST, base_url=FIRST.base_url, api_key="k", poll_seconds=1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (f"{FIRST.name}x", f"'{FIRST.name}x', which is none of {', '.join(PROVIDERS)}. Did you mean {FIRST.name}?"),
        (f"{FIRST.name},{FIRST.name}", f"names {FIRST.name} twice."),
        (SECOND.name, f"names {SECOND.name}, but {SECOND.api_key_env} is not set."),
    ],
)
def test_a_wrong_order_of_providers_is_explained(place: Path, given: str, said: str) -> None:
    (problem,) = problems({FIRST.api_key_env: "k", "RINGBACK_PROVIDERS": given})
    assert problem.startswith("RINGBACK_PROVIDERS ")
    assert problem.endswith(said)


# Problems


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("RINGBACK_PORT", "abc", "RINGBACK_PORT is 'abc': it must be a whole number from 0 to 65535."),
        ("RINGBACK_PORT", "65536", "RINGBACK_PORT is '65536': it must be a whole number from 0 to 65535."),
        ("RINGBACK_LOG", "yaml", "RINGBACK_LOG is 'yaml': it must be json or text."),
        ("RINGBACK_HOLD_SECONDS", "nan", "RINGBACK_HOLD_SECONDS is 'nan': it must be a number of seconds above 0."),
        ("RINGBACK_IN_DOUBT_SECONDS", "-1", "RINGBACK_IN_DOUBT_SECONDS is '-1': it must be a number of seconds"),
        ("RINGBACK_KEEP_BODIES_DAYS", "-1", "RINGBACK_KEEP_BODIES_DAYS is '-1': it must be a whole number of days, 0"),
        ("RINGBACK_KEEP_TASKS_DAYS", "3", "RINGBACK_KEEP_TASKS_DAYS is '3': it must be 0 (for ever) or 7 days or more"),
        ("RINGBACK_KEEP_TASKS_DAYS", "week", "RINGBACK_KEEP_TASKS_DAYS is 'week': it must be a whole number of days"),
        ("RINGBACK_CREATE_BYTES", "24 MiB", "RINGBACK_CREATE_BYTES is '24 MiB': it must be a whole number of bytes"),
        ("RINGBACK_CATALOGUE", "no/such.toml", "RINGBACK_CATALOGUE is 'no/such.toml': there is no such file."),
        ("RINGBACK_PUBLIC_URL", "http://ringback.example", "it must start with https:// unless it is loopback."),
        ("RINGBACK_PUBLIC_URL", "https://ringback.example:0", "its port must be from 1 to 65535."),
        ("RINGBACK_PUBLIC_URL", "https://ringback.example:x", "its port must be from 1 to 65535."),
        ("RINGBACK_PUBLIC_URL", "ringback.example", "use http:// or https://, a host"),
        ("RINGBACK_PUBLIC_URL", "https://", "use http:// or https://, a host"),
        ("RINGBACK_PUBLIC_URL", "https://ringback.example/?", "and nothing else."),
        ("RINGBACK_DATABASE", "mysql://db/x", "RINGBACK_DATABASE cannot be used: mysql:// is not supported"),
        ("RINGBACK_DATABASE", ":memory:", "accepted work must survive a restart"),
        ("RINGBACK_SECRET_KEYS", ",", "RINGBACK_SECRET_KEYS cannot be used: it must be one or more, separated by"),
    ],
)
def test_a_wrong_value_is_named_shown_and_what_is_allowed_is_said(
    place: Path, variable: str, value: str, said: str
) -> None:
    (problem,) = problems({variable: value})
    assert problem.startswith(variable)
    assert said in problem
    assert "\n" not in problem


@pytest.mark.parametrize(
    ("variable", "value", "secret"),
    [
        ("RINGBACK_API_KEYS", "ann:good,bad name!:hunter2", "hunter2"),
        ("RINGBACK_API_KEYS", "ann:hunter 2", "hunter"),
        ("RINGBACK_ADMIN_TOKEN", "hunter2\nX-Evil: 1", "hunter2"),
        ("RINGBACK_ADMIN_TOKEN", "hünter2", "nter2"),
        ("RINGBACK_WEBHOOK_SECRET", "hunter2", "hunter2"),
        ("RINGBACK_DATABASE", "mysql://me:hunter2@db/x", "hunter2"),
        ("RINGBACK_PUBLIC_URL", "https://me:hunter2@ringback.example", "hunter2"),
        ("RINGBACK_PUBLIC_URL", "https://ringback.example/?key=hunter2", "hunter2"),
        (FIRST.api_key_env, "hunter2 hunter2", "hunter2"),
    ],
)
def test_no_problem_quotes_a_secret(place: Path, variable: str, value: str, secret: str) -> None:
    (problem,) = problems({variable: value} | ({FIRST.api_key_env: "k"} if variable != FIRST.api_key_env else {}))
    assert problem.startswith(variable)
    assert secret not in problem


def test_a_wrong_entry_of_a_list_is_told_by_its_place(place: Path) -> None:
    (problem,) = problems({"RINGBACK_API_KEYS": "ann:k1,:k2"})
    assert problem.startswith("RINGBACK_API_KEYS, entry 2, cannot be used: a name before the colon")


def test_all_problems_are_told_at_once_and_nothing_is_written(place: Path) -> None:
    environ = {"RINGBACK_PORT": "x", "RINGBACK_LOG": "y", FIRST.api_key_env: "k", poll_variable(FIRST): "never"}
    found = problems(environ)
    assert len(found) == 3
    assert [each.split(" ")[0] for each in found] == [poll_variable(FIRST), "RINGBACK_PORT", "RINGBACK_LOG"]
    assert list(place.iterdir()) == []


def test_the_address_that_kubernetes_injects_is_explained_and_its_other_variables_are_no_news(place: Path) -> None:
    (problem,) = problems({"RINGBACK_PORT": "tcp://10.0.0.1:8000"})
    assert problem.startswith("RINGBACK_PORT is 'tcp://10.0.0.1:8000': Kubernetes sets this variable")
    assert "enableServiceLinks: false" in problem
    injected = {"RINGBACK_SERVICE_HOST": "10.0.0.1", "RINGBACK_PORT_8000_TCP_ADDR": "10.0.0.1"}
    assert load(None, {**injected, "RINGBACK_SERVICE_PORT": "8000"}).warnings == ()


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"RINGBACK_API_KEYS": "ann:1,ann:2"}, "RINGBACK_API_KEYS has two entries with the same name."),
        ({"RINGBACK_API_KEYS": "ann:1,bob:1"}, "RINGBACK_API_KEYS has the same key twice."),
        ({"RINGBACK_API_KEYS": "ann:1", "RINGBACK_ADMIN_TOKEN": "1"}, "RINGBACK_ADMIN_TOKEN is also one of"),
    ],
)
def test_one_secret_has_one_role(place: Path, environ: dict[str, str], said: str) -> None:
    (problem,) = problems(environ)
    assert problem.startswith(said)


def test_an_unknown_name_in_the_file_is_an_error_with_the_nearest_name(place: Path) -> None:
    config = written(place, 'databse = "x.db"\n[server]\nport = 1\n')
    first, second = problems({}, config)
    assert first == f"{config} has an unknown name 'databse' (did you mean database?)."
    assert second.startswith(f"{config} has an unknown name 'server'")


def test_a_variable_copied_into_the_file_is_told_its_name_there(place: Path) -> None:
    first, second = problems({}, written(place, 'RINGBACK_PORT = 1\nDASHSCOPE_API_KEY = "k"\n'))
    assert first.endswith("'RINGBACK_PORT' (did you mean port?).")
    assert second.endswith("'DASHSCOPE_API_KEY' (did you mean dashscope_api_key?).")


def test_an_unknown_variable_is_a_warning_with_the_nearest_name(place: Path) -> None:
    environ = {"RINGBACK_PUBLIC_ULR": "https://x.example", "RINGBACK_TEST_POSTGRES": "x", "RINGBACK_KEY": "k"}
    settings = load(None, environ)
    assert settings.public_url is None
    assert settings.warnings == (
        "RINGBACK_PUBLIC_ULR is not a setting and was ignored (did you mean RINGBACK_PUBLIC_URL?).",
    )


def test_a_wrong_value_in_the_file_is_told_with_the_file(place: Path) -> None:
    config = written(place, 'port = "x"')
    assert problems({}, config) == (f"port in {config} is 'x': it must be a whole number from 0 to 65535.",)


@pytest.mark.parametrize("content", [b"port = ", b"\xff\xfe", None])
def test_a_file_that_cannot_be_read_is_one_sentence(place: Path, content: bytes | None) -> None:
    config = place / "ringback.toml"
    if content is not None:
        config.write_bytes(content)
    (problem,) = problems({}, config)
    assert problem.startswith(f"The settings file {config} ")


@pytest.mark.parametrize(
    ("secret", "good"),
    [
        (SECRET, True),
        ("whsec_" + base64.b64encode(b"x" * 64).decode(), True),
        pytest.param(new_webhook_secret(), True, id="a new one"),
        ("whsec_" + base64.b64encode(b"x" * 23).decode(), False),
        ("whsec_" + base64.b64encode(b"x" * 65).decode(), False),
        (SECRET.removeprefix("whsec_"), False),
        ("whsec_" + base64.b64encode(b"x" * 25).decode().rstrip("="), False),
        ("whsec_" + base64.urlsafe_b64encode(b"\xff" * 24).decode(), False),
        ("whsec_" + base64.b64encode(b"x" * 25).decode()[:-3] + "B==", False),
        ("whsec_é", False),
    ],
)
def test_a_webhook_secret_is_padded_standard_base64_of_24_to_64_bytes(place: Path, secret: str, good: bool) -> None:
    environ = {"RINGBACK_WEBHOOK_SECRET": secret}
    if good:
        assert [one.get_secret_value() for one in load(None, environ).webhook_secret] == [secret]
    else:
        (problem,) = problems(environ)
        assert problem.startswith(
            "RINGBACK_WEBHOOK_SECRET, entry 1, cannot be used: it must be whsec_ and then 24 to 64 bytes"
        )


# Secrets that were left out


def test_secrets_that_were_left_out_are_made_once_and_stay(place: Path) -> None:
    first, second = load(None, {}), load(None, {})
    assert first.secret_keys == second.secret_keys
    assert first.webhook_secret == second.webhook_secret
    path = place / "ringback.db.secrets"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in place.iterdir()] == [path.name]


def test_a_given_secret_comes_before_the_kept_one(place: Path) -> None:
    kept = load(None, {})
    settings = load(None, {"RINGBACK_SECRET_KEYS": "mine"})
    assert settings.secret_keys[0].get_secret_value() == "mine"
    assert settings.webhook_secret == kept.webhook_secret


def test_no_file_is_written_when_every_secret_is_given(place: Path) -> None:
    load(None, {"RINGBACK_SECRET_KEYS": "mine", "RINGBACK_WEBHOOK_SECRET": SECRET})
    assert list(place.iterdir()) == []


def test_starters_at_the_same_time_agree_on_the_secrets(place: Path) -> None:
    path = place / "shared.secrets"
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: json.dumps(read_or_make(path)), range(64)))
    assert len(set(found)) == 1
    assert [entry.name for entry in place.iterdir()] == [path.name]


@pytest.mark.parametrize("content", ["", "[]", "{}", "not json \ud7ff", '{"secret_keys": ["a"]}'])
def test_a_damaged_secrets_file_stops_the_start_and_is_not_overwritten(place: Path, content: str) -> None:
    path = place / "ringback.db.secrets"
    path.write_text(content)
    path.chmod(0o600)
    (problem,) = problems({})
    assert problem.startswith("The secrets in ringback.db.secrets cannot be used (it is not what this program wrote")
    assert path.read_text() == content


def test_a_secrets_file_that_everybody_can_read_stops_the_start(place: Path) -> None:
    load(None, {})
    (place / "ringback.db.secrets").chmod(0o644)
    (problem,) = problems({})
    assert "others may read it" in problem


def test_a_missing_directory_is_told(place: Path) -> None:
    (problem,) = problems({"RINGBACK_DATABASE": "no/such/place.db"})
    assert problem.startswith("The secrets in no/such/place.db.secrets cannot be used (No such file or directory)")
    assert "Make the folder no/such" in problem


def test_servers_on_one_postgres_must_be_given_their_secrets(place: Path) -> None:
    (problem,) = problems({"RINGBACK_DATABASE": "postgresql://postgres@127.0.0.1/x"})
    assert problem.startswith("Set RINGBACK_SECRET_KEYS and RINGBACK_WEBHOOK_SECRET: ")


def test_settings_built_directly_have_secrets_of_their_own(place: Path) -> None:
    assert Settings().secret_keys != Settings().secret_keys
    assert Settings().webhook_secret != Settings().webhook_secret
    assert list(place.iterdir()) == []


# Who can reach the server


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost", "LOCALHOST"])
def test_open_mode_is_allowed_on_loopback(host: str) -> None:
    assert is_loopback(host)
    assert check_exposure(Settings(host=host), has_keys=False) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.3", "ringback.example", "localhost.example", "127.1"])
def test_open_mode_is_refused_elsewhere_and_told_how_to_go_on(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(SettingsError, match=r"^RINGBACK_HOST is .* set RINGBACK_API_KEYS.*RINGBACK_HOST=127\.0\.0\.1"):
        check_exposure(Settings(host=host), has_keys=False)


@pytest.mark.parametrize("url", ["https://ringback.example", "http://127.0.0.1:8000"])
def test_open_mode_is_refused_with_a_public_url_even_on_loopback(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^RINGBACK_PUBLIC_URL is set.*leave RINGBACK_PUBLIC_URL out"):
        check_exposure(Settings(public_url=url), has_keys=False)


def test_with_a_client_key_the_server_may_be_reached_from_anywhere(place: Path) -> None:
    settings = Settings(host="0.0.0.0", public_url="https://ringback.example")
    check_exposure(settings, has_keys=True)
    check_exposure(load(None, {"RINGBACK_HOST": "0.0.0.0", "RINGBACK_API_KEYS": "k"}), has_keys=False)


def test_an_admin_token_alone_does_not_close_open_mode(place: Path) -> None:
    with pytest.raises(SettingsError):
        check_exposure(load(None, {"RINGBACK_HOST": "0.0.0.0", "RINGBACK_ADMIN_TOKEN": "t"}), has_keys=False)


# Beside the server


def test_scrubbing_leaves_nothing_that_could_reach_a_provider() -> None:
    dangerous = {row.api_key_env for row in ROWS} | {"RINGBACK_API_KEYS", "RINGBACK_TEST_POSTGRES", "RINGBACK_CONFIG"}
    dangerous |= {"DASHSCOPE_HTTP_BASE_URL", "DASHSCOPE_BASE_URL", "ACEDATACLOUD_API_TOKEN", "ACEDATACLOUD_BASE_URL"}
    dangerous |= {"HTTP_PROXY", "https_proxy", "ALL_PROXY", base_variable(FIRST), poll_variable(FIRST)}
    environ = dict.fromkeys(dangerous, "x") | {"PATH": "/bin", "HOME": "/home/ann"}
    assert set(scrub(environ)) == dangerous
    assert environ == {"PATH": "/bin", "HOME": "/home/ann"}


def test_client_commands_know_their_server_and_key() -> None:
    assert (load_client({}).url, load_client({}).key) == ("http://127.0.0.1:8000", None)
    client = load_client({"RINGBACK_URL": "https://ringback.example/", "RINGBACK_KEY": "k"})
    assert client.url == "https://ringback.example"
    assert client.key is not None
    assert client.key.get_secret_value() == "k"
    with pytest.raises(SettingsError, match=r"^RINGBACK_URL is 'nowhere': use http://"):
        load_client({"RINGBACK_URL": "nowhere"})
