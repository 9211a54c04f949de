"""What only the operator may decide about a task whose outcome nobody knows."""

from __future__ import annotations

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from adapters.messages import Category
from service.domain.tasks import Task
from service.doubts.adopt import Find
from service.errors import refused
from service.routes.edge import admin, house_of, not_found, read_fields
from service.routes.money import charged

MOST_MICROS = 10**18
FOUND = ("upstream_id", "provider", "account", "placement")


async def adopt(request: HttpRequest) -> HttpResponse:
    """`{"upstream_id", "provider"?, "account"?, "placement"?}`; the last three say which send, where several are in
    doubt."""
    await admin(request)
    fields = await read_fields(request, FOUND)
    if not all(isinstance(fields.get(name, ""), str) for name in FOUND) or not fields.get("upstream_id"):
        text = "upstream_id: a text is needed; provider, account and placement may be texts."
        raise refused(400, Category.INVALID_REQUEST, text)
    done = await house_of(request).adopter.adopt(await _task(request), Find(**fields))
    return JSONResponse(
        {
            "task_id": done.task.id,
            "state": done.task.state,
            "provider": done.placement.provider,
            "placement": done.placement.id,
            "upstream_id": fields["upstream_id"],
            "message": done.message,
        }
    )


async def send_again(request: HttpRequest) -> HttpResponse:
    """`{"confirm": true, "provider"?}`; without `confirm` it is said what it may cost, and nothing is done."""
    await admin(request)
    fields = await read_fields(request, ("confirm", "provider"))
    confirmed, provider = fields.get("confirm", False), fields.get("provider")
    if not isinstance(confirmed, bool) or not isinstance(provider, str | None):
        raise refused(400, Category.INVALID_REQUEST, "confirm: true or false is needed; provider may be a text.")
    task, bill = await house_of(request).reopener.send_again(await _task(request), provider, confirmed=confirmed)
    return JSONResponse({"task_id": task.id, "state": task.state, "provider": task.provider, "message": bill}, 202)


async def settle(request: HttpRequest) -> HttpResponse:
    """`{"amount_micros", "placement"?}`: 0 writes the charge off, null is what was quoted."""
    await admin(request)
    fields = await read_fields(request, ("amount_micros", "placement"))
    amount, placement = fields.get("amount_micros", ""), fields.get("placement", "")
    if isinstance(amount, bool) or not isinstance(amount, int | None) or not 0 <= (amount or 0) <= MOST_MICROS:
        text = "amount_micros: a whole number from 0 to 10^18 is needed, or null for what was quoted."
        raise refused(400, Category.INVALID_REQUEST, text)
    if not isinstance(placement, str):
        raise refused(400, Category.INVALID_REQUEST, "placement: it may be a text.")
    task = await _task(request)
    done = await house_of(request).settler.settle(task, amount, placement)
    return JSONResponse(
        {
            "task_id": task.id,
            "provider": done.placement.provider,
            "placement": done.placement.id,
            "charge": charged(done.charge),
            "message": done.message,
        }
    )


async def _task(request: HttpRequest) -> Task:
    task = await house_of(request).store.lookups.task(request.path_params["task_id"])
    if task is None:
        raise not_found("task")
    return task


ROUTES = [
    Route("/v1/tasks/{task_id}/adopt", adopt, methods=["POST"]),
    Route("/v1/tasks/{task_id}/send-again", send_again, methods=["POST"]),
    Route("/v1/tasks/{task_id}/settle", settle, methods=["POST"]),
]
