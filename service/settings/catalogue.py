"""The operator's catalogue: a TOML file laid over the models and providers that come with us."""

from __future__ import annotations

from pathlib import Path

from adapters.catalogue import Catalogue, CatalogueError, Mistake, builtin
from adapters.providers import PROVIDERS
from adapters.toml_lines import lines_of
from service.settings.given import PREFIX


def read_catalogue(path: Path) -> Catalogue:
    """Raises `CatalogueError`, also for a file that cannot be read (its mistake has no line)."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise CatalogueError(Mistake((), f"cannot be read: {error.strerror}.")) from None
    except UnicodeDecodeError:
        raise CatalogueError(Mistake((), "is not UTF-8 text.")) from None
    catalogue = builtin(text)
    if taken := list(_taken(catalogue, text)):
        raise CatalogueError(*taken)
    return catalogue


def sentence(path: Path, mistake: Mistake) -> str:
    """`file:line: key: what is wrong with it`, as compilers and editors have it."""
    return f"{path}:{mistake.line}: {mistake}" if mistake.line else f"{path}: {mistake}"


def _taken(catalogue: Catalogue, text: str) -> list[Mistake]:
    """Keys of providers that are to be read from a variable which is a setting, or may become one."""
    paths = [
        ("providers", row.name, "api_key_env")
        for row in catalogue.providers.values()
        if row.api_key_env.startswith(PREFIX)
    ]
    reason = f"variables that begin with {PREFIX} are settings; take another name."
    return [Mistake(path, reason, lines_of(text).get(path, 1)) for path in paths]


def without_key(catalogue: Catalogue, given: frozenset[str]) -> tuple[str, ...]:
    """A warning for each of the operator's own providers whose key is not among the `given` settings."""
    own = [row for row in catalogue.providers.values() if row.name not in PROVIDERS]
    return tuple(
        f"The provider {row.name} is not used: {row.api_key_env} is not set."
        for row in own
        if f"{row.name}_api_key" not in given
    )
