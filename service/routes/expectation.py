"""When a video will be done, as far as earlier ones tell it; and how soon its end was noticed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from service.domain.tasks import Placement, Task, Verdict
from service.domain.tell import iso
from service.routes.edge import House


async def expectation(house: House, task: Task, placements: Sequence[Placement]) -> dict[str, Any]:
    """`eta` has the times by which half (`p50`) and nine tenths (`p90`) of such videos are done that take as long as
    this one has already; None before the provider took it, after its end, and where too few were seen."""
    now = house.clock()
    return {
        "elapsed_ms": (task.finished_at or now) - task.created_at,
        "eta": await _eta(house, task, placements, now),
        "noticed_after_ms": _noticed_after(task),
    }


async def _eta(house: House, task: Task, placements: Sequence[Placement], now: int) -> dict[str, str] | None:
    running = next((each for each in placements if each.id == task.placement), None)
    if task.ended or running is None or running.verdict is not Verdict.ACCEPTED:
        return None
    known = await house.learned.of(running.provider, running.workload)
    if known is None:
        return None
    elapsed = (now - running.sent_at) / 1000
    shares = {"p50": known.quantile(0.5, elapsed), "p90": known.quantile(0.9, elapsed)}
    return {name: iso(running.sent_at + int(seconds * 1000)) for name, seconds in shares.items()}


def _noticed_after(task: Task) -> int | None:
    """Milliseconds between the end by the upstream's own clock, where it says it, and ours."""
    told = task.outcome.finished_at if task.outcome else None
    return None if told is None or task.finished_at is None else max(task.finished_at - told, 0)
