"""What holds of every task, whatever broke: paid for once, ended once, told once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from service.simulator.tasks import Create
from tests.world import Received

Record = dict[str, Any]
NOTHING_BOUGHT = frozenset({"not_accepted", "refused"})
"""Verdicts of sends that provably made no task."""
TOLD = (["task.succeeded"], ["task.failed"], ["task.failed", "task.recovered"])
"""What one subscriber may hear of a task. Two messages only where it was given up and its result came after all."""


def check_the_bill(task: Record, creates: Sequence[Create]) -> None:
    """At most one create came of each send, and only the last send may have bought anything."""
    placements = task["placements"]
    may_live = [one for one in placements if one["verdict"] not in NOTHING_BOUGHT]
    assert len(creates) <= len(may_live) <= 1, task
    assert may_live == placements[-1:] or not may_live, task


def check_the_end(task: Record, creates: Sequence[Create]) -> None:
    """The recorded outcome is the one of the only create; what the upstream named is never given up."""
    known = task["placements"][-1]["upstream_id"]
    if task["state"] == "SUCCEEDED":
        [create] = creates
        assert (create.task_id, create.billed) == (known, True), task
    else:
        assert task["state"] == "FAILED", task
        assert known is not None or task["error"]["code"] == "outcome_unknown", task
        assert known is None or not creates[0].billed or "nourl" in creates[0].task.order.prompt, task


def check_the_log(task: Record, events: Sequence[Any]) -> None:
    """What was told of it stands in the log, each once, with the end last."""
    types = [event["type"] for event in events if event["type"] != "task.running"]
    assert sorted(types) == sorted(one["type"] for one in task["deliveries"]), task
    assert len({event["type"] for event in events}) == len(events), events
    assert events[-1]["data"]["state"] == task["state"], task


def check_the_story(task: Record, heard: Sequence[Received]) -> None:
    """The subscriber got each message of the record, each in one wording, however often it was sent."""
    types = {one["id"]: one["type"] for one in task["deliveries"]}
    assert sorted(types.values()) in TOLD, task
    assert {one.id for one in heard} == set(types), task
    assert len({one.raw for one in heard}) == len(types), task
    assert all(task["task_id"].encode() in one.raw for one in heard), task
