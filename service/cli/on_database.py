"""Verbs of client keys on the database itself, while a server works on it or before the first one does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from service.cli.exits import Failed, Misused
from service.clock import system_clock
from service.keys.clients import Clients, clients_of
from service.settings import Settings
from service.store import Store

T = TypeVar("T")


def on_database(settings: Settings, verb: Callable[[Clients], Awaitable[T]], *, first: bool = False) -> T:
    """Runs one verb on the database of `settings`; only a verb that may be the `first` makes the file. Raises `Misused`
    and `Failed` where there is none."""

    async def run() -> T:
        store = Store.open(Path(settings.database), serve=False)
        try:
            return await verb(clients_of(settings, store, system_clock))
        finally:
            await store.close()

    if settings.on_postgres:
        raise Misused("RINGBACK_DATABASE: only SQLite is supported yet; give the path of a file.")
    path = Path(settings.database)
    if not first and not path.exists():
        raise Failed(f"There is no database at {path.resolve()}. Go to the server's folder, or set RINGBACK_DATABASE.")
    try:
        return asyncio.run(run())
    except OSError as error:
        raise Failed(f"The database cannot be used: {error.strerror or error}.") from None
