"""What only the operator may decide about a task whose outcome nobody knows."""

from __future__ import annotations

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from adapters.messages import Category
from service.adopt import Find
from service.errors import refused
from service.routes.edge import admin, house_of, not_found, read_fields
from service.tasks import Task

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


async def _task(request: HttpRequest) -> Task:
    task = await house_of(request).store.lookups.task(request.path_params["task_id"])
    if task is None:
        raise not_found("task")
    return task


ROUTES = [
    Route("/v1/tasks/{task_id}/adopt", adopt, methods=["POST"]),
    Route("/v1/tasks/{task_id}/send-again", send_again, methods=["POST"]),
]
