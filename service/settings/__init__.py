"""Settings: a frozen value, read once from the environment and, below it, a TOML file. The only room that reads them.

A name in the file is the variable's name in small letters without `RINGBACK_`: `RINGBACK_PORT` is `port`,
a provider's `<NAME>_API_KEY` is `<name>_api_key`. An empty value counts as left out. Every problem is one sentence that
names the variable, what was given (never a secret) and what is allowed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from adapters.catalogue import Catalogue, CatalogueError, builtin
from adapters.providers import PROVIDERS, Provider
from service.settings import kept
from service.settings.accounts import read_accounts, variables_of
from service.settings.catalogue import read_catalogue, sentence, without_key
from service.settings.checks import ApiKey, is_loopback
from service.settings.given import PREFIX, File, Given, SettingsError, problems_of, read_file, read_given, scrub
from service.settings.values import Account, ClientSettings, Settings

__all__ = [
    "VARIABLES",
    "Account",
    "ApiKey",
    "ClientSettings",
    "Settings",
    "SettingsError",
    "catalogue_path",
    "check_exposure",
    "is_loopback",
    "listen_secret",
    "load",
    "load_client",
    "read_catalogue",
    "read_variable",
    "scrub",
    "sentence",
    "variables",
]

_OWN = {name: PREFIX + name.upper() for name in Settings.model_fields if name not in ("accounts", "warnings")}


def variables(rows: Mapping[str, Provider]) -> dict[str, str]:
    """Every setting and its variable, where these providers are known."""
    of_providers = {name: variable for row in rows.values() for name, variable in variables_of(row).items()}
    return {**_OWN, "providers": PREFIX + "PROVIDERS", **of_providers}


VARIABLES: Mapping[str, str] = variables(PROVIDERS)
"""Every setting and its variable, without an operator's own providers."""


def load(config: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process. `config` comes before `RINGBACK_CONFIG`, variables before the file.

    Secrets that were left out are read from, or the first time written to, a file beside the database.
    Raises `SettingsError` with every problem that was found.
    """
    file = read_file(environ, config)
    catalogue = _catalogue(environ, file)
    given = read_given(variables(catalogue.providers), environ, file)
    accounts, problems = read_accounts(given, catalogue.providers)
    warnings = given.warnings + without_key(catalogue, frozenset(given.values))
    values = {name: value for name, value in given.values.items() if name in Settings.model_fields}
    values |= {"accounts": accounts, "catalogue": catalogue, "warnings": warnings}
    settings = _validated(values, given, problems)
    missing = {"secret_keys", "webhook_secret"} - given.values.keys()
    if not missing:
        return settings
    found = _kept_secrets(settings, missing)
    path = kept.path_of(settings.database)
    labels = {**given.labels, **{name: f"{name} in {path}" for name in missing}}
    return _validated(values | {name: found[name] for name in missing}, Given(values, labels, ()), [])


def catalogue_path(config: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The operator's catalogue that a server would read. Raises `SettingsError`."""
    return _catalogue_path(environ, read_file(environ, config))


def _catalogue(environ: Mapping[str, str], file: File) -> Catalogue:
    """It comes first: its providers have settings of their own."""
    path = _catalogue_path(environ, file)
    try:
        return builtin() if path is None else read_catalogue(path)
    except CatalogueError as error:
        raise SettingsError(sentence(path or Path(), mistake) for mistake in error.mistakes) from None


def _catalogue_path(environ: Mapping[str, str], file: File) -> Path | None:
    variable = VARIABLES["catalogue"]
    value = environ.get(variable) or file.content.get("catalogue")
    label = variable if environ.get(variable) else f"catalogue in {file.path}"
    if value is not None and not isinstance(value, str):
        raise SettingsError([f"{label} must be the path of a file."])
    if value and not Path(value).is_file():
        raise SettingsError([f"{label} is {value!r}: there is no such file."])
    return Path(value) if value else None


def _validated(values: Mapping[str, Any], given: Given, problems: list[str]) -> Settings:
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError([*problems, *problems_of(error, Settings, given)]) from None
    if problems:
        raise SettingsError(problems)
    return settings


def _kept_secrets(settings: Settings, missing: set[str]) -> dict[str, Any]:
    variables = " and ".join(VARIABLES[name] for name in sorted(missing))
    if settings.on_postgres:
        raise SettingsError([f"Set {variables}: every server on one PostgreSQL database must have the same."])
    path = kept.path_of(settings.database)
    try:
        return kept.read_or_make(path)
    except OSError as error:
        reason = error.strerror or str(error)
    except ValueError:
        reason = "it is not what this program wrote there"
    mend = "Mend the file" if path.parent.is_dir() else f"Make the folder {path.parent}, where RINGBACK_DATABASE is"
    raise SettingsError([f"The secrets in {path} cannot be used ({reason}). {mend}, or set {variables}."])


def load_client(environ: Mapping[str, str] = os.environ) -> ClientSettings:
    """`RINGBACK_URL` and `RINGBACK_KEY`. Raises `SettingsError`."""
    variables = {name: PREFIX + name.upper() for name in ClientSettings.model_fields}
    values = {name: environ[variable] for name, variable in variables.items() if environ.get(variable)}
    try:
        return ClientSettings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(problems_of(error, ClientSettings, Given(values, variables, ()))) from None


def listen_secret(environ: Mapping[str, str] = os.environ) -> tuple[str, Path]:
    """The webhook secret of `ringback listen`, always the same, and the file that keeps it. Raises `SettingsError`."""
    base = environ.get("XDG_CONFIG_HOME")
    path = (Path(base) if base else Path.home() / ".config") / "ringback" / "listen.secret"
    try:
        return kept.read_or_make_secret(path), path
    except (OSError, ValueError) as error:
        reason = error.strerror or str(error) if isinstance(error, OSError) else "it is no text"
        raise SettingsError(
            [f"The secret in {path} cannot be used ({reason}). Mend the file, or give --secret."]
        ) from None


def read_variable(name: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """One that the user has named on the command line."""
    return environ.get(name)


def check_exposure(settings: Settings, has_keys: bool) -> None:
    """Open mode, in which no client needs a key, is for this machine only. Raises `SettingsError`.

    `has_keys`: whether the database holds client keys. A web page or a neighbour could otherwise spend the operator's
    money.
    """
    if has_keys or settings.api_keys:
        return
    if settings.public_url:
        raise SettingsError([f"RINGBACK_PUBLIC_URL is set, {_OPEN}, or leave RINGBACK_PUBLIC_URL out."])
    if not is_loopback(settings.host):
        raise SettingsError([f"RINGBACK_HOST is {settings.host}, {_OPEN}, or use RINGBACK_HOST=127.0.0.1."])


_OPEN = (
    "but there is no client key, so whoever reaches the server could spend your money: set RINGBACK_API_KEYS, or make "
    "a key with `ringback keys create`"
)
