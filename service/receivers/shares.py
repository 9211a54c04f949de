"""How much that somebody waits for one client may have under way at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from adapters.messages import Category
from service.errors import refused


class Share:
    """`most` of what `nouns` names; `code` is that of a refusal."""

    def __init__(self, most: int, nouns: str, code: str) -> None:
        self._most, self._nouns, self._code = most, nouns, code
        self._open: Counter[str] = Counter()

    @contextmanager
    def taken(self, client: str) -> Iterator[None]:
        """One of them, until it is over. Raises `Refused` (429)."""
        if self._open[client] >= self._most:
            text = f"{self._most} {self._nouns} of yours are under way; wait."
            raise refused(429, Category.THROTTLED, text, self._code)
        self._open[client] += 1
        try:
            yield
        finally:
            self._open[client] -= 1
            self._open += Counter()  # drops those who have none
