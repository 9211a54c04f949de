"""What became of the orders of many clients, as they, the operator and the upstreams saw it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.torture import laws
from tests.torture.orders import Order
from tests.torture.stage import Stage


def waiting(stage: Stage, orders: list[Order]) -> list[Order]:
    """The orders that were sent and of whose end nobody was told yet."""
    told = {one.path for one in stage.inbox.received}
    return [one for one in orders if one.asked and one.hook not in told]


async def all_delivered(stage: Stage, orders: list[Order]) -> bool:
    """Every message was taken, and what was given up and then heard of after all is recovered."""
    tasks = {one.prompt: await stage.record(one.task_id or "") for one in orders}
    taken = all(each["state"] == "DELIVERED" for task in tasks.values() for each in task["deliveries"])
    prompts = [create.task.order.prompt for create in stage.upstreams.creates if create.billed]
    billed = {prompt for prompt in prompts if "nourl" not in prompt}
    return taken and not any(_heard_of(task) and task["state"] == "FAILED" for task in map(tasks.get, billed) if task)


def _heard_of(task: dict[str, Any]) -> bool:
    """Whether the outcome of a send that was given up as unknown has been proven since."""
    code, placement = (task["error"] or {}).get("code"), task["placements"][-1]
    return code == "outcome_unknown" and placement["upstream_id"] is not None


async def check(stage: Stage, orders: list[Order]) -> None:
    """At most one create for each task, however often its client asked and the server died; and the laws of each."""
    creates = Counter(create.task.order.prompt for create in stage.upstreams.creates)
    assert set(creates) <= {one.prompt for one in orders}
    assert max(creates.values()) == 1
    assert len({one.task_id for one in orders}) == len(orders)
    assert stage.inbox.forged == []
    log = await stage.log()
    assert [entry["id"] for entry in log] == list(range(1, len(log) + 1))
    for one in orders:
        task = await stage.record(one.task_id or "")
        happened = [create for create in stage.upstreams.creates if create.task.order.prompt == one.prompt]
        laws.check_the_bill(task, happened)
        laws.check_the_end(task, happened)
        laws.check_the_log(task, [entry["event"] for entry in log if entry["event"]["data"]["task_id"] == one.task_id])
        laws.check_the_story(task, [message for message in stage.inbox.received if message.path == one.hook])
