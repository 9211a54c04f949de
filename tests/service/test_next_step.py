"""The record says what a person can do for a task, with the command; of a task that goes on by itself, nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.messages import Category, Failure
from service.domain.tasks import NO_RESULT, NOT_ACCEPTED, OUTCOME_UNKNOWN, TASK_EXPIRED, TaskState, Verdict, fail
from service.doubts.advice import ENDED, next_step
from service.doubts.reopen import RISK
from tests.service.asking import created, record
from tests.service.nouns import NOW, a_placement, a_task
from tests.world import world

pytestmark = pytest.mark.anyio


async def test_the_record_of_a_doubtful_task_names_both_commands_until_it_is_known(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, "create=lost times=1 seconds=2000", provider="apiyi")
        step = (await record(it, task_id))["next_step"]
        assert f"`ringback adopt {task_id} UPSTREAM_ID`" in step
        assert f"`ringback send-again {task_id}`" in step
        await it.settle(1000, 10)
        given_up = await record(it, task_id)
        assert given_up["error"]["code"] == "outcome_unknown"
        assert f"`ringback send-again {task_id}`" in given_up["next_step"]
        body = {"upstream_id": it.upstreams.creates[0].task_id}
        adopted = await it.client.post(f"/v1/tasks/{task_id}/adopt", json=body, headers=it.as_key("admin-token"))
        assert adopted.status_code == 200
        assert (await record(it, task_id))["next_step"] is None  # it is looked at: nothing is left to do


@pytest.mark.parametrize("words", ["seconds=600", "seconds=5", "seconds=5 fail", "create=429:60"])
async def test_a_task_that_needs_nobody_has_none(tmp_path: Path, words: str) -> None:
    async with world(tmp_path) as it:
        task_id = await created(it, words, provider="dashscope")
        await it.settle(20)
        assert (await record(it, task_id))["next_step"] is None


@pytest.mark.parametrize("failure", [OUTCOME_UNKNOWN, NO_RESULT, NOT_ACCEPTED, TASK_EXPIRED])
def test_each_end_of_our_own_has_its_step_with_ids_filled_in(failure: Failure) -> None:
    state = TaskState.EXPIRED if failure is TASK_EXPIRED else TaskState.FAILED
    task = fail(a_task(state=TaskState.QUEUED), failure, NOW, "look", state)
    step = next_step(task, [a_placement(task, verdict=Verdict.ENDED, upstream_id="up-7")])
    assert step is not None
    assert task.id in step
    assert ("up-7" in step) == (failure in (NO_RESULT, TASK_EXPIRED))
    assert "{" not in step


def test_every_reason_to_send_again_has_a_step() -> None:
    assert set(ENDED) == set(RISK)
    verdict = Failure(Category.CONTENT, "forbidden", "no", "flat")
    assert next_step(fail(a_task(state=TaskState.QUEUED), verdict, NOW, "look"), []) is None
