"""Secrets that the operator left out: made once, and kept beside the database in a file that only its owner reads."""

from __future__ import annotations

import base64
import json
import os
import secrets
from pathlib import Path
from typing import Any


def new_secret_key() -> str:
    return secrets.token_urlsafe(32)


def new_webhook_secret() -> str:
    """32 random bytes in the form of Standard Webhooks."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def path_of(database: str) -> Path:
    return Path(f"{database}.secrets")


def read_or_make(path: Path) -> dict[str, Any]:
    """`secret_keys` and `webhook_secret`, the same for everybody who asks, also if two ask first at the same time.

    Raises OSError (no place for the file), PermissionError (others may read it) or ValueError (not what we wrote).
    """
    if not path.exists():
        made = {"secret_keys": [new_secret_key()], "webhook_secret": new_webhook_secret()}
        _make(path, json.dumps(made, indent=2))
    found = json.loads(_read(path))
    if not isinstance(found, dict) or not {"secret_keys", "webhook_secret"} <= found.keys():
        raise ValueError("it does not hold secret_keys and webhook_secret")
    return {name: found[name] for name in ("secret_keys", "webhook_secret")}


def read_or_make_secret(path: Path) -> str:
    """One webhook secret, kept alone in a file; the folder is made, too. Raises as `read_or_make` does."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(path, new_webhook_secret())
    return _read(path).strip()


def _read(path: Path) -> str:
    if path.stat().st_mode & 0o007:
        raise PermissionError("others may read it")
    return path.read_text()


def _make(path: Path, content: str) -> None:
    """The file appears under its name complete and on disk, or not at all; a file that is there already stays."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    draft.touch(mode=0o600, exist_ok=False)
    try:
        with draft.open("w") as file:
            file.write(content + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return  # another starter was first: its secrets are everybody's
        _sync_directory(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
