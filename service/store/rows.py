"""Rows <-> values. JSON columns are text in SQLite and come back parsed from PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from adapters.messages import Category, Failure, Report, State, Usage
from service.domain.deliveries import (
    Attempt,
    Delivery,
    DeliveryState,
    DisabledBy,
    Endpoint,
    Format,
    Signature,
    Subscription,
)
from service.domain.tasks import Placement, Task, TaskState, Verdict
from service.store.engine import Row

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def dump(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def load(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def columns(kind: type[Any]) -> str:
    """The column names of a noun, for INSERT and SELECT: its fields."""
    return ", ".join(field.name for field in fields(kind))


def placeholders(kind: type[Any]) -> str:
    return ", ".join(f":{field.name}" for field in fields(kind))


def matching(**wanted: str | None) -> str:
    """The condition that the named columns have these values; those without one may have any. Only the columns that
    matter stand in it, so that an index can serve it."""
    return " AND ".join(f"{name} = :{name}" for name, value in wanted.items() if value) or "1 = 1"


def none_of(column: str, texts: Collection[str]) -> tuple[str, dict[str, str]]:
    """The condition that a column has none of these texts, and the values of its placeholders."""
    values = {f"{column}_{number}": text for number, text in enumerate(texts)}
    names = ", ".join(f":{name}" for name in values)
    return (f"{column} NOT IN ({names})" if values else "1 = 1"), values


def any_of(column: str, texts: Collection[str]) -> tuple[str, dict[str, str]]:
    """The condition that a column has one of these texts, and the values of its placeholders; no texts mean any."""
    values = {f"{column}_{number}": text for number, text in enumerate(texts)}
    names = ", ".join(f":{name}" for name in values)
    return (f"{column} IN ({names})" if values else "1 = 1"), values


def one_of(column: str, words: Collection[StrEnum]) -> str:
    """The condition that a column has one of our own words; none of them means any."""
    return f"{column} IN ({', '.join(repr(word.value) for word in words)})" if words else "1 = 1"


def task_values(task: Task) -> dict[str, Any]:
    values = {field.name: getattr(task, field.name) for field in fields(Task)}
    return values | {
        "body": dump(task.body),
        "headers": dump(dict(task.headers)),
        "metadata": dump(task.metadata),
        "outcome": dump_report(task.outcome),
        "pinned": int(task.pinned),
        "passed": dump(list(task.passed)) if task.passed else None,
    }


def read_task(row: Row) -> Task:
    return Task(
        **{
            **row,
            "state": TaskState(row["state"]),
            "body": load(row["body"]),
            "headers": load(row["headers"]),
            "metadata": load(row["metadata"]),
            "outcome": load_report(row["outcome"]),
            "pinned": bool(row["pinned"]),
            "passed": tuple(load(row["passed"]) or ()),
        }
    )


def placement_values(placement: Placement) -> dict[str, Any]:
    flags = {"watched": int(placement.watched), "denied": int(placement.denied)}
    return values(placement) | flags | {"outcome": dump_report(placement.outcome)}


def read_placement(row: Row) -> Placement:
    sealed = row["credential"]
    return Placement(
        **{
            **row,
            "verdict": Verdict(row["verdict"]),
            "outcome": load_report(row["outcome"]),
            "credential": None if sealed is None else bytes(sealed),
            "watched": bool(row["watched"]),
            "denied": bool(row["denied"]),
        }
    )


def subscription_values(subscription: Subscription) -> dict[str, Any]:
    return values(subscription) | {"events": dump(subscription.events)}


def read_subscription(row: Row) -> Subscription:
    form = None if row["format"] is None else Format(row["format"])
    return Subscription(**{**row, "format": form, "events": _tuple(row["events"])})


def endpoint_values(endpoint: Endpoint) -> dict[str, Any]:
    lists = {"events": dump(endpoint.events), "schedule": dump(endpoint.schedule)}
    return values(endpoint) | lists | {"is_default": int(endpoint.is_default)}


def read_endpoint(row: Row) -> Endpoint:
    headers, by = row["headers"], row["disabled_by"]
    return Endpoint(
        **{
            **row,
            "events": _tuple(row["events"]),
            "format": Format(row["format"]),
            "schedule": _tuple(row["schedule"]),
            "headers": None if headers is None else bytes(headers),
            "signature": Signature(row["signature"]),
            "secret": bytes(row["secret"]),
            "signing_key": bytes(row["signing_key"]),
            "is_default": bool(row["is_default"]),
            "disabled_by": None if by is None else DisabledBy(by),
        }
    )


def _tuple(value: Any) -> tuple[Any, ...] | None:
    return None if value is None else tuple(load(value))


def read_delivery(row: Row) -> Delivery:
    return Delivery(**{**row, "state": DeliveryState(row["state"]), "body": bytes(row["body"])})


def attempt_values(attempt: Attempt) -> dict[str, Any]:
    return values(attempt) | {"headers": dump(dict(attempt.headers)) if attempt.headers else None}


def read_attempt(row: Row) -> Attempt:
    return Attempt(**{**row, "headers": load(row["headers"]) or {}})


def values(noun: DataclassInstance) -> dict[str, Any]:
    """The column values of a flat noun."""
    return {field.name: getattr(noun, field.name) for field in fields(noun)}


def dump_report(report: Report | None) -> str | None:
    return dump(report_values(report)) if report else None


def load_report(value: Any) -> Report | None:
    found = load(value)
    return read_report(found) if found else None


def report_values(report: Report) -> dict[str, Any]:
    """A report as JSON, without what is empty and without the raw reply."""
    return {name: value for name, value in asdict(report).items() if value not in (None, "", {}) and name != "raw"}


def read_report(values: Mapping[str, Any]) -> Report:
    failure, usage = values.get("failure"), values.get("usage")
    return Report(
        **{
            **values,
            "state": State(values["state"]),
            "failure": Failure(**{**failure, "category": Category(failure["category"])}) if failure else None,
            "usage": Usage(**usage) if usage else None,
        }
    )
