"""Who still waits for the answer to a create, so that a retry after a lost answer can be told from a second wish.

Identical creates may be meant (several takes of one prompt). But one that comes while nobody waits any more for the
answer to the first, and none was ever handed over, is the client asking again: it must not be paid for twice.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Connection:
    """One client connection."""

    hung_up: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def gone(self) -> bool:
        return self.hung_up.is_set()


class OpenAnswers:
    """The tasks whose create is being answered by this process. After a crash there are none."""

    def __init__(self) -> None:
        self._open: dict[str, Connection] = {}

    def opened(self, task: str, connection: Connection) -> None:
        self._open[task] = connection

    def closed(self, task: str) -> None:
        self._open.pop(task, None)

    def waits(self, task: str) -> bool:
        """Whether somebody is still there to be handed the answer."""
        connection = self._open.get(task)
        return connection is not None and not connection.gone


def digest(*parts: bytes | str | None) -> str:
    """One text for all that makes two creates the same request."""
    return hashlib.sha256(b"".join(_framed(parts))).hexdigest()


def _framed(parts: Iterable[bytes | str | None]) -> Iterable[bytes]:
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        yield b"-" if content is None else b"%d:" % len(content) + content
