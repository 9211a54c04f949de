"""How long a create is waited for, doubted, and taken for a retry."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """In seconds: how long a create's answer may take, how long a doubtful one is waited for, and how long an identical
    create counts as a retry of one whose answer was lost, or of any."""

    create_timeout: float = 120.0
    in_doubt: float = 900.0
    repeat: float = 600.0
    repeat_answered: float = 0.0

    @property
    def repeats(self) -> tuple[int, int]:
        """`repeat` and `repeat_answered` in milliseconds."""
        return int(self.repeat * 1000), int(self.repeat_answered * 1000)

    def doubt_at(self, now: int) -> int:
        """When a send without any recorded outcome must be doubted: its own time-out and some room to write it."""
        return now + int((self.create_timeout + 60) * 1000)
