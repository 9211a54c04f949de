"""What a subscriber is told: the body of a delivery, fixed when the task ends.

In the client's own shape it is exactly what our own GET of that shape answers (flat: its `response`); as an event it is
Ringback's own form, the same for every shape. CloudEvents 1.0 wraps that into its structured JSON form
(https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from adapters.base import Adapter
from adapters.messages import Report
from service.domain.deliveries import RUNNING, Delivery, DeliveryState, Format, Subscription, receiver_of
from service.domain.event_log import Event
from service.domain.links import REFRESHED
from service.domain.tasks import Task, TaskState, describe

TYPES: Mapping[TaskState, str] = {
    TaskState.RUNNING: RUNNING,
    TaskState.SUCCEEDED: "task.succeeded",
    TaskState.FAILED: "task.failed",
    TaskState.CANCELED: "task.canceled",
    TaskState.EXPIRED: "task.expired",
}


RECOVERED = "task.recovered"
"""A task that was given up has a result after all."""

EVENT_TYPES = (*TYPES.values(), RECOVERED)

CONTENT_TYPES: Mapping[Format, str] = {
    Format.OWN: "application/json",
    Format.EVENT: "application/json",
    Format.CLOUDEVENTS: "application/cloudevents+json",
}


class Teller:
    """Makes the deliveries of a task. `new_id` gives webhook ids, `source` is this server's name in CloudEvents."""

    def __init__(self, shapes: Mapping[str, Adapter], new_id: Callable[[], str], source: str = "ringback") -> None:
        self._shapes = shapes
        self._new_id = new_id
        self._source = source

    def message(self, task: Task, subscription: Subscription, *, recovered: bool = False) -> Delivery:
        """The delivery that tells `subscription` how `task` is, due at once; `recovered` if another end was told."""
        type_ = RECOVERED if recovered else TYPES[task.state]
        now = task.finished_at or task.updated_at
        form, id_ = subscription.format or Format.OWN, self._new_id()
        return Delivery(
            id=id_,
            task=task.id,
            subscription=subscription.id,
            client=task.client,
            url=subscription.url,
            receiver=receiver_of(subscription.url),
            type=type_,
            state=DeliveryState.PENDING,
            body=self._body(task, form, type_, id_),
            created_at=now,
            due_at=now,
            endpoint=subscription.endpoint,
            content_type=CONTENT_TYPES[form],
        )

    def event(self, task: Task, *, recovered: bool = False) -> Event | None:
        """What the log keeps of how `task` has moved; None if that is nothing to tell."""
        type_ = RECOVERED if recovered else TYPES.get(task.state)
        if type_ is None:
            return None
        body = self._body(task, Format.EVENT, type_)
        return Event(task.id, task.client, type_, task.finished_at or task.updated_at, body)

    def own(self, task: Task) -> bytes:
        """How `task` is, in its client's own shape: the body of a callback and of a GET."""
        return self._body(task, Format.OWN, "")

    def _body(self, task: Task, form: Format, type_: str, id_: str = "") -> bytes:
        if form is Format.OWN:
            content = self._shapes[task.shape].write_callback(describe(task))
        else:
            content = event(task, type_)
            content = content if form is Format.EVENT else self._cloud_event(task, content, id_)
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()

    def _cloud_event(self, task: Task, told: dict[str, Any], id_: str) -> dict[str, Any]:
        return {
            "specversion": "1.0",
            "id": id_,
            "source": self._source,
            "type": told["type"],
            "subject": task.id,
            "time": told["timestamp"],
            "datacontenttype": "application/json",
            "data": told["data"],
        }


def renamed(body: bytes, content_type: str, id_: str) -> bytes:
    """The body of a message that is sent as a new one: a CloudEvent has its own id in it, by which receivers drop what
    they know."""
    if not body or content_type != CONTENT_TYPES[Format.CLOUDEVENTS]:
        return body
    return json.dumps(json.loads(body) | {"id": id_}, ensure_ascii=False, separators=(",", ":")).encode()


def event(task: Task, type_: str) -> dict[str, Any]:
    """Ringback's own form: `{type, timestamp, data}` as Standard Webhooks advises."""
    return {
        "type": type_,
        "timestamp": iso(task.finished_at or task.updated_at),
        "data": summary(task),
    }


def summary(task: Task) -> dict[str, Any]:
    """The task in our own words, for events and the own API. Times are ISO 8601 in UTC."""
    report = describe(task)
    return {
        "task_id": task.id,
        "state": task.state.value,
        "provider": task.provider,
        "model": task.model,
        "shape": task.shape,
        "video_url": report.video_url,
        "error": {"code": report.failure.code, "message": report.failure.message} if report.failure else None,
        "usage": _usage(report),
        "created_at": iso(task.created_at),
        "finished_at": iso(task.finished_at) if task.finished_at else None,
        "metadata": task.metadata,
        **({REFRESHED: iso(task.refreshed_at)} if task.refreshed_at else {}),
    }


def iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _usage(report: Report) -> dict[str, Any] | None:
    usage = report.usage
    if usage is None:
        return None
    known = {
        "duration": usage.duration,
        "input_video_duration": usage.input_video_duration,
        "output_video_duration": usage.output_video_duration,
        "video_count": usage.video_count,
        "resolution": usage.resolution,
        "ratio": usage.ratio,
    }
    return {name: value for name, value in known.items() if value is not None}
