"""What the operator gave: the environment over a TOML file, each value with the name to call it by."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from adapters.providers import PROVIDERS
from service.logs import redact

PREFIX = "RINGBACK_"
BESIDE = frozenset({"RINGBACK_CONFIG", "RINGBACK_URL", "RINGBACK_KEY", "RINGBACK_TEST_POSTGRES"})
"""Variables that are known but are no settings of the server."""

_KUBERNETES = re.compile(r"RINGBACK_(SERVICE_(HOST|PORT)|PORT_\d+_)")
_PROXIES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"})


class SettingsError(Exception):
    """`problems`: one sentence each, made for the operator's eyes, without secrets."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, slots=True)
class Given:
    """`values` by setting; `labels` says where each came from; `warnings` what was ignored."""

    values: Mapping[str, Any]
    labels: Mapping[str, str]
    warnings: tuple[str, ...]


def read_given(variables: Mapping[str, str], environ: Mapping[str, str], config: Path | None) -> Given:
    """`variables` maps each setting to its variable. Raises `SettingsError` for a file that cannot be used."""
    chosen = config or (Path(environ["RINGBACK_CONFIG"]) if environ.get("RINGBACK_CONFIG") else None)
    from_file = _read_file(chosen, variables) if chosen else {}
    from_environ = {name: environ[variable] for name, variable in variables.items() if environ.get(variable)}
    labels = {name: f"{name} in {chosen}" for name in from_file} | {name: variables[name] for name in from_environ}
    return Given(from_file | from_environ, labels, tuple(_unknown_variables(variables.values(), environ)))


def _read_file(path: Path, known: Iterable[str]) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text())
    except OSError as error:
        raise SettingsError([f"The settings file {path} cannot be read: {error.strerror}."]) from None
    except UnicodeDecodeError:
        raise SettingsError([f"The settings file {path} is not UTF-8 text."]) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([f"The settings file {path} is not TOML: {error}."]) from None
    known = set(known)
    if unknown := [
        f"{path} has an unknown name {name!r}{_near(name, known)}." for name in content if name not in known
    ]:
        raise SettingsError(unknown)
    return {name: value for name, value in content.items() if value != ""}


def _unknown_variables(known: Iterable[str], environ: Mapping[str, str]) -> Iterable[str]:
    names = {*known, *BESIDE}
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in names and not _KUBERNETES.match(variable):
            yield f"{variable} is not a setting and was ignored{_near(variable, names)}."


def _near(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def problems_of(error: ValidationError, model: type[BaseModel], given: Given) -> list[str]:
    """One sentence for every setting that `error` found wrong: what was given, and what is allowed."""
    problems: dict[str, str] = {}
    for detail in error.errors(include_url=False, include_input=False):
        said = str(detail["ctx"]["error"]) if detail["type"] == "value_error" else ""
        if not detail["loc"]:  # about several settings together: the text names them
            problems[said] = f"{said}."
            continue
        name, *entry = detail["loc"]
        field, label = model.model_fields[str(name)], given.labels.get(str(name), str(name))
        which = f", entry {entry[0] + 1}," if entry and isinstance(entry[0], int) else ""
        shown = f"is {_shown(given.values.get(str(name)))}" if field.repr else "cannot be used"
        problems.setdefault(str(name), f"{label}{which} {shown}: {said or f'it must be {field.description}'}.")
    return list(problems.values())


def _shown(value: Any) -> str:
    text = redact(repr(value))
    return text if len(text) <= 80 else f"{text[:77]}..."


def scrub(environ: MutableMapping[str, str] = os.environ) -> tuple[str, ...]:
    """Removes every key, base URL, proxy and setting, and returns their names.

    From then on this process and its libraries can reach no provider on their own, and so never spend money: `demo` and
    `sim` begin with it.
    """
    vendors = tuple(row.api_key_env.removesuffix("_API_KEY") for row in PROVIDERS.values())
    removed = [name for name in environ if name.startswith((PREFIX, *vendors)) or name.upper() in _PROXIES]
    for name in removed:
        del environ[name]
    return tuple(sorted(removed))
