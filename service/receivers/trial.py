"""Events that did not happen, to try a receiver with: told like those that did, of a task that is in no table, and
marked: `test` is true in the `data` of an event, and at the top of a body in a client's own shape. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from uuid import uuid4

from adapters.messages import Category, Failure, Fields, Report, State, Usage
from adapters.providers import PROVIDERS
from service.domain.deliveries import Delivery, Format, Subscription
from service.domain.tasks import TASK_EXPIRED, Task, TaskState, advance, fail
from service.domain.tell import RECOVERED, TYPES, Teller

TOOK_MS = 95_000
PROMPT = "A test; nothing was made."
VIDEO = Report(
    "", State.SUCCEEDED, video_url="https://example.com/ringback-test.mp4", usage=Usage(duration=5.0, video_count=1)
)
FORBIDDEN = Failure(
    Category.CONTENT, "DataInspectionFailed", "Output data may contain inappropriate content.", "native"
)
REPORTS: Mapping[TaskState, Report] = {
    TaskState.RUNNING: Report("", State.RUNNING),
    TaskState.SUCCEEDED: VIDEO,
    TaskState.FAILED: Report("", State.FAILED, failure=FORBIDDEN),
    TaskState.CANCELED: Report("", State.CANCELED),
}


def trial(teller: Teller, type_: str, shape: str, to: Subscription, client: str, now: int) -> Delivery:
    """The message that would tell `to` of a task of this `shape`; never kept. Raises `KeyError` for another type."""
    task = _task(type_, shape, client, now)
    told = teller.message(task, replace(to, task=task.id), recovered=type_ == RECOVERED)
    return replace(told, body=_marked(told.body, to.format or Format.OWN))


def _task(type_: str, shape: str, client: str, now: int) -> Task:
    created, state = now - TOOK_MS, _STATES[type_]
    task = Task(
        id=str(uuid4()),
        client=client,
        shape=shape,
        path="",
        model="wan2.6-t2v",
        provider=next(row.name for row in PROVIDERS.values() if row.shape == shape),
        state=TaskState.QUEUED,
        body=_request(shape),
        request_id=str(uuid4()),
        trace_id=str(uuid4()),
        created_at=created,
        updated_at=created,
        service="wan",
    )
    if state is TaskState.EXPIRED:
        return fail(task, TASK_EXPIRED, now, "test", state)
    moved = advance(task, REPORTS[state], now, "test")
    assert moved is not None, "each of these may follow QUEUED"
    return moved


_STATES: Mapping[str, TaskState] = {
    **{type_: state for state, type_ in TYPES.items()},
    RECOVERED: TaskState.SUCCEEDED,
}


def _request(shape: str) -> Fields:
    if shape == "flat":
        return {"action": "text2video", "model": "wan2.6-t2v", "prompt": PROMPT, "duration": 5}
    return {"model": "wan2.6-t2v", "input": {"prompt": PROMPT}, "parameters": {"duration": 5}}


def _marked(body: bytes, form: Format) -> bytes:
    content = json.loads(body)
    (content if form is Format.OWN else content["data"])["test"] = True
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
