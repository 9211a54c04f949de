"""Upstream accounts out of the rows of providers: each key that was given for a provider is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from adapters.providers import Provider
from service.settings.checks import ApiKey
from service.settings.given import PREFIX, Given, problems_of
from service.settings.values import Account, UpstreamKeys

PARTS = ("api_key", "base_url", "poll_seconds", "active", "rejected_5xx")
"""What can be set for each provider."""


def variables_of(provider: Provider) -> dict[str, str]:
    """The settings of one provider and their variables."""
    upper = provider.name.upper()
    return {
        f"{provider.name}_api_key": provider.api_key_env,
        f"{provider.name}_base_url": f"{PREFIX}{upper}_BASE_URL",
        f"{provider.name}_poll_seconds": f"{PREFIX}{upper}_POLL_SECONDS",
        f"{provider.name}_active": f"{PREFIX}{upper}_ACTIVE",
        f"{provider.name}_rejected_5xx": f"{PREFIX}{upper}_REJECTED_5XX",
    }


def read_accounts(given: Given, rows: Mapping[str, Provider]) -> tuple[tuple[Account, ...], list[str]]:
    """The accounts in the order of preference, and what is wrong with them.

    `providers` chooses and orders; without it every provider with a key is used, in the order of the rows.
    """
    with_key = [name for name in rows if f"{name}_api_key" in given.values]
    names, problems = _chosen(given, rows, with_key) if "providers" in given.values else (with_key, [])
    accounts: list[Account] = []
    for name in names:
        found, wrong = _pool(rows[name], _part(name, given))
        accounts += found
        problems += wrong
    return tuple(accounts), problems


def _pool(provider: Provider, part: Given) -> tuple[list[Account], list[str]]:
    """One account for each key of a provider, and what is wrong with them."""
    try:
        keys = UpstreamKeys.model_validate({"api_key": part.values["api_key"]}).api_key
    except ValidationError as error:
        return [], problems_of(error, UpstreamKeys, part)
    problems = _alike(keys, part.labels["api_key"])
    accounts: list[Account] = []
    for key in () if problems else keys:
        try:
            accounts.append(Account.model_validate(_account(provider, key, part.values)))
        except ValidationError as error:  # of what they share: the same each time
            problems += problems_of(error, Account, part)
    return accounts, list(dict.fromkeys(problems))


def _alike(keys: Sequence[ApiKey], label: str) -> list[str]:
    if len({key.key.get_secret_value() for key in keys}) < len(keys):
        return [f"{label} has the same key twice."]
    return [f"{label} has two keys with the same name."] if len({key.name for key in keys}) < len(keys) else []


def _chosen(given: Given, rows: Mapping[str, Provider], with_key: list[str]) -> tuple[list[str], list[str]]:
    label, value = given.labels["providers"], given.values["providers"]
    listed = value.split(",") if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(entry, str) for entry in listed):
        return [], [f"{label} must be names of providers, separated by commas."]
    names = [name for entry in listed if (name := entry.strip())]
    problems = [f"{label} names {name} twice." for name in sorted({name for name in names if names.count(name) > 1})]
    for name in dict.fromkeys(names):
        if name not in rows:
            near = get_close_matches(name, rows, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            problems.append(f"{label} names {name!r}, which is none of {', '.join(rows)}.{hint}")
        elif name not in with_key:
            problems.append(f"{label} names {name}, but {rows[name].api_key_env} is not set.")
    return [name for name in dict.fromkeys(names) if name in with_key], problems


def _account(provider: Provider, key: ApiKey, values: Mapping[str, Any]) -> dict[str, Any]:
    own = {"base_url": provider.base_url, "poll_seconds": provider.look_every_seconds, **values}
    return own | {"provider": provider, "name": key.name, "api_key": key.key}


def _part(name: str, given: Given) -> Given:
    """What was given for one provider, under the names of an account's fields."""
    own = {part: f"{name}_{part}" for part in PARTS if f"{name}_{part}" in given.values}
    values = {part: given.values[full] for part, full in own.items()}
    return Given(values, {part: given.labels[full] for part, full in own.items()}, ())
