"""What came of the demo, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from service.cli.demo_house import House
from service.cli.demo_inbox import Received
from service.cli.demo_runs import Run


def report_of(house: House, runs: Sequence[Run], strangers: Sequence[Received], up_at: float) -> dict[str, Any]:
    """`ok`: every task ended as scripted, every callback came and verified, and every video was there.

    `strangers` are callbacks that belong to no run: whoever sent them, an unverifiable one is not ok. Seconds count
    from `up_at`, in seconds since the epoch.
    """
    received = [one for run in runs for one in run.received]
    forged = [one for one in [*received, *strangers] if not one.verdict.ok]
    told = [run.told_at for run in runs if run.told_at is not None]
    return {
        "ok": all(run.ok for run in runs) and not forged,
        "service": house.url,
        "seconds": round(max(told, default=up_at) - up_at, 3),
        "first_callback_seconds": round(min(one.at for one in received) - up_at, 3) if received else None,
        "tasks": [_run(run) for run in runs],
        "callbacks": len(received),
        "verified": sum(one.verdict.ok for one in received),
        "downloaded": sum(run.video_bytes is not None for run in runs),
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        "request": run.scenario.title,
        "shape": run.scenario.shape,
        "model": run.scenario.model,
        "provider": run.provider,
        "task_id": run.task_id,
        "expected": run.scenario.ends,
        "state": run.state,
        "seconds": None if run.seconds is None else round(run.seconds, 3),
        "held": run.scenario.held,
        "verified": run.verified,
        "webhook_ids": sorted({one.webhook_id for one in run.received}),
        "video_bytes": run.video_bytes,
        "problem": run.problem,
    }
