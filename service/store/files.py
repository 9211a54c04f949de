"""The database as a file: only its owner reads it, and only one server at a time works on it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from service.store.engine import AlreadyServed


def create(path: Path) -> None:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def lock(path: Path) -> int:
    held = path.resolve()  # a link is another name of the same file
    handle = os.open(held.with_name(held.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise AlreadyServed(
            f"Another Ringback server already works on {path}. Stop it, or give this one another RINGBACK_DATABASE."
        ) from None
    return handle
