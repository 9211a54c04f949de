"""A loop whose time stands still while there is anything to do, and jumps to the next timer when there is nothing.

So an attempt may have its real deadline of many seconds and a receiver its real drip, and a test takes no time, nor can
a busy machine spoil it.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any

IDLE = 0.03
"""Real seconds without any event on loopback after which nothing is under way any more."""


class _Jumping(selectors.BaseSelector):
    """A selector that does not wait for a timer but moves the clock."""

    def __init__(self) -> None:
        self.inner = selectors.DefaultSelector()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return self.inner.select()
        events = self.inner.select(IDLE if timeout > 0 else 0)
        if not events:
            self.now += max(0.0, timeout)
        return events

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self.inner.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.inner.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self.inner.get_map()

    def close(self) -> None:
        self.inner.close()


class JumpingLoop(asyncio.SelectorEventLoop):
    """For the fixture `anyio_backend`: `("asyncio", {"loop_factory": JumpingLoop})`. Without threads only."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now
