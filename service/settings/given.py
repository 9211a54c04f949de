"""What the operator gave: the environment over a TOML file, each value with the name to call it by."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True)
class File:
    """A settings file as it was read; without a path there is none."""

    path: Path | None = None
    content: Mapping[str, Any] = field(default_factory=dict)


def read_file(environ: Mapping[str, str], config: Path | None) -> File:
    """The file that `config` or the environment names. Raises `SettingsError` for one that cannot be read."""
    path = config or (Path(environ["RINGBACK_CONFIG"]) if environ.get("RINGBACK_CONFIG") else None)
    if path is None:
        return File()
    try:
        content = tomllib.loads(path.read_text())
    except OSError as error:
        raise SettingsError([f"The settings file {path} cannot be read: {error.strerror}."]) from None
    except UnicodeDecodeError:
        raise SettingsError([f"The settings file {path} is not UTF-8 text."]) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([f"The settings file {path} is not TOML: {error}."]) from None
    return File(path, {name: value for name, value in content.items() if value != ""})


def read_given(variables: Mapping[str, str], environ: Mapping[str, str], file: File) -> Given:
    """`variables` maps each setting to its variable. Raises `SettingsError` for unknown names in the file."""
    if unknown := [name for name in file.content if name not in variables]:
        raise SettingsError(f"{file.path} has an unknown name {name!r}{_hint(name, variables)}." for name in unknown)
    from_file = dict(file.content)
    from_environ = {name: environ[variable] for name, variable in variables.items() if environ.get(variable)}
    labels = {name: f"{name} in {file.path}" for name in from_file} | {name: variables[name] for name in from_environ}
    return Given(from_file | from_environ, labels, tuple(_unknown_variables(variables.values(), environ)))


def _unknown_variables(known: Iterable[str], environ: Mapping[str, str]) -> Iterable[str]:
    names = {*known, *BESIDE}
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in names and not _KUBERNETES.match(variable):
            yield f"{variable} is not a setting and was ignored{_near(variable, names)}."


def _hint(name: str, known: Iterable[str]) -> str:
    """Of a name in the file, where a variable's may have been copied to."""
    return _near(name.lower().removeprefix(PREFIX.lower()), known)


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
