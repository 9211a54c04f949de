"""Ringback's own API under /v1: tasks with everything we know, deliveries and their attempts, models."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from adapters.messages import Category
from adapters.model import Model
from service.domain.deliveries import Attempt, Delivery, DeliveryState
from service.domain.ledger import Charge
from service.domain.look_times import stalled
from service.domain.tasks import Placement, Task, TaskState
from service.domain.tell import iso, summary
from service.doubts.advice import next_step
from service.errors import refused
from service.routes.edge import House, caller, house_of, not_found, scope, unknown_task
from service.routes.expectation import expectation
from service.routes.holding import preferred
from service.routes.money import charged
from service.routes.pages import LONGEST_PAGE, cursor, page
from service.routes.subscriptions import shown
from service.store.lookups import NEWEST

EXPUNGED = "Its request, result and callbacks are deleted. What it cost stays, with the ids and times of its sends."


async def list_tasks(request: HttpRequest) -> HttpResponse:
    """A page of those in a `state`."""
    client = await caller(request)
    state = _one_of(request, "state", TaskState)
    before, limit = page(request)
    tasks = await house_of(request).store.lookups.tasks(scope(client), state, before, limit)
    listed = [summary(task) for task in tasks]
    return JSONResponse({"tasks": listed, "cursor": cursor([(task.created_at, task.id) for task in tasks], limit)})


async def record(request: HttpRequest) -> HttpResponse:
    """Everything we know of one task: how it was sent, who noticed its end, who was told and how that went."""
    client = await caller(request)
    store = house_of(request).store
    task = await store.lookups.task(request.path_params["task_id"], scope(client))
    if task is None:
        raise unknown_task(request)
    task, headers = await preferred(request, task)
    deliveries = await store.deliveries.recent(None, task.id, "", NEWEST, LONGEST_PAGE)
    placements, charges = await store.lookups.placements(task.id), await store.charges.of_task(task.id)
    subscriptions = await store.lookups.subscriptions(task.id)
    return JSONResponse(
        summary(task)
        | {
            "detector": task.detector,
            **await expectation(house_of(request), task, placements),
            "next_step": next_step(task, placements),
            "watched": task.watched,
            "upstream_times": _upstream_times(task),
            "updated_at": iso(task.updated_at),
            "placements": [_placement(placement, task, charges.get(placement.id)) for placement in placements],
            "subscriptions": [shown(subscription) for subscription in subscriptions],
            "deliveries": [
                shown_delivery(delivery, await store.deliveries.attempts(delivery.id)) for delivery in deliveries
            ],
        },
        headers=headers,
    )


async def expunge(request: HttpRequest) -> HttpResponse:
    """Takes what an ended task was about out of the database and off the disk."""
    client = await caller(request)
    task = request.path_params["task_id"]
    at = await house_of(request).expunger.expunge(task, scope(client))
    return JSONResponse({"task_id": task, "expunged_at": iso(at), "message": EXPUNGED})


async def cancel(request: HttpRequest) -> HttpResponse:
    """`canceled` says whether it is, `message` what happened, `state` how it is now."""
    client = await caller(request)
    house = house_of(request)
    task = await house.store.lookups.task(request.path_params["task_id"], scope(client))
    if task is None:
        raise unknown_task(request)
    told = await house.canceller.cancel(task)
    latest = await house.store.lookups.task(task.id) or task
    return JSONResponse(asdict(told) | {"task_id": task.id, "state": latest.state})


async def list_deliveries(request: HttpRequest) -> HttpResponse:
    """A page of those of a `task`, in a `state`."""
    client = await caller(request)
    state = _one_of(request, "state", DeliveryState)
    before, limit = page(request)
    store = house_of(request).store
    found = await store.deliveries.recent(scope(client), request.query_params.get("task", ""), state, before, limit)
    listed = [shown_delivery(one) for one in found]
    return JSONResponse({"deliveries": listed, "cursor": cursor([(one.created_at, one.id) for one in found], limit)})


async def delivery(request: HttpRequest) -> HttpResponse:
    client = await caller(request)
    store = house_of(request).store
    found = await store.deliveries.get(request.path_params["delivery_id"], scope(client))
    if found is None:
        raise not_found("delivery")
    return JSONResponse(shown_delivery(found, await store.deliveries.attempts(found.id)))


async def models(request: HttpRequest) -> HttpResponse:
    """The catalogue, and which providers this server could send each model to. `own`: the operator added or changed
    it."""
    await caller(request)
    house = house_of(request)
    return JSONResponse({"models": [_model(model, house) for model in house.catalogue.models.values()]})


def _model(model: Model, house: House) -> dict[str, Any]:
    catalogue = house.catalogue
    return {
        "model": model.name,
        "aliases": [alias for alias in catalogue.aliases if catalogue.find(alias) is model],
        "own": model.name in catalogue.own,
        "service": model.service,
        "mode": model.mode,
        "providers": list(model.providers),
        "available": [name for name in model.providers if house.upstreams.pool(name)],
        "parameters": sorted(model.parameters),
        "media": [{"kinds": list(r.kinds), "min": r.minimum, "max": r.maximum} for r in model.media],
        "prices": [asdict(price) for price in model.prices],
    }


def _one_of(request: HttpRequest, name: str, words: Any) -> str:
    text = request.query_params.get(name, "")
    if text and text not in set(words):
        raise refused(400, Category.INVALID_REQUEST, f"{name}: it may be {', '.join(words)}.")
    return text


def _upstream_times(task: Task) -> dict[str, str | None]:
    """What the provider's latest report said; the task's own times are ours."""
    names = ("created_at", "started_at", "finished_at")
    told = {name: getattr(task.outcome, name) if task.outcome else None for name in names}
    return {name: None if time is None else iso(time) for name, time in told.items()}


def _placement(placement: Placement, task: Task, charge: Charge | None) -> dict[str, Any]:
    return {
        "id": placement.id,
        "provider": placement.provider,
        "account": placement.account,
        "upstream_id": placement.upstream_id,
        "verdict": placement.verdict,
        "reason": placement.reason,
        "sent_at": iso(placement.sent_at),
        "heard_at": iso(placement.heard_at) if placement.heard_at else None,
        "next_look_at": iso(placement.due_at) if placement.due_at and not placement.claimed_at else None,
        "looks": placement.looks,
        "misses": placement.misses,
        "stalled": stalled(placement),
        "current": placement.id == task.placement,
        "charge": charged(charge) if charge else None,
    }


def shown_delivery(delivery: Delivery, attempts: list[Attempt] | None = None) -> dict[str, Any]:
    shown = {
        "id": delivery.id,
        "task_id": delivery.task,
        "type": delivery.type,
        "url": delivery.url,
        "endpoint": delivery.endpoint,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "created_at": iso(delivery.created_at),
        "delivered_at": iso(delivery.delivered_at) if delivery.delivered_at else None,
        "next_attempt_at": iso(delivery.due_at) if delivery.due_at else None,
        "replay_of": delivery.replay_of,
        "body_kept": bool(delivery.body),
    }
    return shown if attempts is None else shown | {"log": [_attempt(attempt) for attempt in attempts]}


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "started_at": iso(attempt.started_at),
        "elapsed_ms": attempt.elapsed_ms,
        "status": attempt.status,
        "verdict": attempt.verdict,
        "reason": attempt.reason,
        "address": attempt.address,
        "dns_ms": attempt.dns_ms,
        "connect_ms": attempt.connect_ms,
        "tls_ms": attempt.tls_ms,
        "first_byte_ms": attempt.first_byte_ms,
        "reply_headers": attempt.headers,
        "reply": attempt.reply,
        "next_at": iso(attempt.next_at) if attempt.next_at else None,
        "why_next": attempt.why,
    }


ROUTES = [
    Route("/v1/tasks", list_tasks),
    Route("/v1/tasks/{task_id}/record", record),
    Route("/v1/tasks/{task_id}", expunge, methods=["DELETE"]),
    Route("/v1/tasks/{task_id}/cancel", cancel, methods=["POST"]),
    Route("/v1/deliveries", list_deliveries),
    Route("/v1/deliveries/{delivery_id}", delivery),
    Route("/v1/models", models),
]
