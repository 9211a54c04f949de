"""What lies on disk: the database and its schema, the secrets beside it, and the room that is left."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from service.domain.findings import Finding, good, problem, warning
from service.settings import Settings, SettingsError, check_exposure
from service.settings.kept import path_of
from service.store.inspection import Inspection, inspect

MEGABYTE = 1024 * 1024
TIGHT, TOO_TIGHT = 1024 * MEGABYTE, 100 * MEGABYTE
NOTHING = Inspection((), (), has_keys=False)


def check_storage(settings: Settings) -> Iterator[Finding]:
    if settings.on_postgres:
        yield problem("database", "Only SQLite is supported yet.", "Set RINGBACK_DATABASE to the path of a file.")
        return
    path = Path(settings.database)
    found = NOTHING
    if not path.exists():
        yield _absent(path)
    else:
        try:
            found = inspect(path)
            yield from _present(path, found)
        except OSError as error:
            step = "Set RINGBACK_DATABASE to an SQLite file that this user may write, or restore it from a backup."
            yield problem("database", f"{path} cannot be used: {error}.", step)
    if path.parent.is_dir():
        yield _room(path.parent)
    yield _secrets(path_of(settings.database))
    yield _access(settings, found)


def _absent(path: Path) -> Finding:
    if path.parent.is_dir() and os.access(path.parent, os.W_OK | os.X_OK):
        return good("database", f"{path} is not there yet; the first start makes it.")
    step = "Make the folder, or set RINGBACK_DATABASE to a path in one that this user may write to."
    return problem("database", f"{path} cannot be made: there is no folder for it that can be written to.", step)


def _present(path: Path, found: Inspection) -> Iterator[Finding]:
    if path.stat().st_mode & 0o077:
        mode = f"{path.stat().st_mode & 0o777:04o}"
        yield problem("database", f"{path} has mode {mode}: others can read prompts and results.", f"chmod 600 {path}")
    else:
        yield good("database", f"{path} can be written to, and is nobody else's to read.")
    if found.unknown:
        said = f"The database was made by a newer Ringback ({', '.join(found.unknown)})."
        yield problem("schema", said, "Run that version, or restore a backup from before the upgrade.")
    elif found.pending:
        said = f"{len(found.pending)} step(s) are missing; the next start takes them."
        yield warning("schema", said, "Make a copy of the database before you start this version.")
    else:
        yield good("schema", "The schema is this version's.")


def _room(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    said = f"{free // MEGABYTE} MB are free for the database."
    if free < TOO_TIGHT:
        return problem("disk", said, "Free some space: on a full disk no task can be accepted.")
    return warning("disk", said, "Free some space soon.") if free < TIGHT else good("disk", said)


def _secrets(path: Path) -> Finding:
    """`load` has refused a file that it cannot read, or that everybody can."""
    if not path.exists():
        return good("secrets", "The secrets come from the settings.")
    if path.stat().st_mode & 0o077:
        mode = f"{path.stat().st_mode & 0o777:04o}"
        return warning("secrets", f"{path} has mode {mode}: a group can read it.", f"chmod 600 {path}")
    return good("secrets", f"{path} is nobody else's to read.", "Keep a copy with the database's backups.")


def _access(settings: Settings, found: Inspection) -> Finding:
    try:
        check_exposure(settings, found.has_keys)
    except SettingsError as error:
        return problem("access", str(error), "`ringback serve` refuses to start until then.")
    if settings.api_keys or found.has_keys:
        return good("access", "Clients need a key.")
    return good("access", "Open mode: no key is needed, and only this machine is answered.")
