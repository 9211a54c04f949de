"""Whether an upstream account is heard: what its looks heard lately, in memory.

After a start nobody knows, which counts as trouble: the first success wakes what an earlier process left stalled.
"""

from __future__ import annotations

SILENT_MS, SILENT_LOOKS = 60_000, 3
LONG_SILENT_MS = 300_000
"""An account is silent when it was not heard for a minute by at least three looks, or for five minutes by any."""


class Health:
    """`since` is when the first of the looks in a row heard nothing, None when the last one was heard. `turned`: from
    trouble to hearing, and nobody took notice of it yet."""

    def __init__(self) -> None:
        self.since: int | None = None
        self.turned = False
        self._unheard = 0
        self._trouble = True

    def heard(self) -> None:
        """A look, a list or a create was answered as it should be."""
        self.turned = self.turned or self._trouble
        self._trouble = False
        self.since, self._unheard = None, 0

    def unheard(self, now: int) -> None:
        """A look told nothing. (A create that fails says nothing about looks.)"""
        self._trouble = True
        self.since = now if self.since is None else self.since
        self._unheard += 1

    def silent(self, now: int) -> bool:
        if self.since is None:
            return False
        lasts = now - self.since
        return lasts >= LONG_SILENT_MS or (lasts >= SILENT_MS and self._unheard >= SILENT_LOOKS)
