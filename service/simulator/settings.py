"""What an operator of the simulator can choose."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """`seed` fixes ids and render times. `render_seconds` is the median time from a create to its end; `speed` divides
    every time of a task, also the ones a marker asks for, and no other. `key` is the only bearer accepted (None: any,
    but one must be sent). A result URL is valid for `link_seconds`. `limits` turns the vendors' rate limits on.
    A new task is found by nobody for `lag_seconds`. A page of DashScope's list has at most `page_size` tasks.
    `public_url` is the base of result URLs where the one the create was sent to will not do."""

    seed: int = 1
    speed: float = 1.0
    render_seconds: float = 8.0
    key: str | None = None
    link_seconds: float = 86400.0
    limits: bool = False
    lag_seconds: float = 0.0
    page_size: int = 100
    public_url: str | None = None
