"""AceData: the flat API of the services wan and happyhorse, with callbacks (wire notes 1)."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.simulator.callbacks import Callback
from service.simulator.desk import Desk, Endpoint, Refused, Sleep
from service.simulator.flat_bodies import final_body, page_of, record
from service.simulator.flat_codes import explain
from service.simulator.flat_orders import ACTIONS, DEFAULTS, find_mistake, has_model
from service.simulator.limits import Pace
from service.simulator.markers import Behaviour
from service.simulator.results import Results
from service.simulator.tasks import Failure, Order, Task
from service.simulator.world import World

REQUESTS_PER_SECOND = 1
LOOK_SECONDS = 0.2


class AceData(Desk):
    """`/acedata/{wan,happyhorse}/{videos,tasks}`."""

    provider = "acedata"

    def __init__(self, world: World, results: Results, sleep: Sleep) -> None:
        super().__init__(world, results, sleep)
        self._pace = Pace(REQUESTS_PER_SECOND)

    def endpoints(self) -> list[tuple[str, str, Endpoint]]:
        creates = [("POST", f"/{service}/videos", partial(self.create, service)) for service in ACTIONS]
        queries = [("POST", f"/{service}/tasks", partial(self.query, service)) for service in ACTIONS]
        return [*creates, *queries]

    async def create(self, service: str, request: Request) -> Response:
        """POST /wan/videos, /happyhorse/videos."""
        owner = self.bearer(request, "create")
        body = await self.read_object(request)
        model = body.get("model", DEFAULTS[service])
        if not has_model(service, model):
            raise self.refusal("api_not_implemented")
        mistake = find_mistake(service, model, body)
        if mistake is not None:
            raise self.invalid(mistake)
        return await self.place(self.order(request, owner, body, model, body.get("prompt"), service=service))

    async def query(self, service: str, request: Request) -> Response:
        """POST /wan/tasks, /happyhorse/tasks: one record ({} for an unknown id), or those of a batch that are known."""
        owner = self.bearer(request, "query")
        if self.world.settings.limits and self._pace.exceeded(owner, self.world.clock()):
            raise self.refusal("too_many_requests")
        body = await self.read_object(request)
        if body.get("action") == "retrieve_batch":
            return self._batch(service, owner, body)
        task_id = body.get("id", body.get("task_id"))
        if body.get("action") != "retrieve" or not isinstance(task_id, str):
            raise self.invalid("action must be retrieve with an id, or retrieve_batch")
        task = self._find(service, owner, task_id)
        if task is None:
            return JSONResponse({})
        return self._answer([task], record(task, self.results, self.world.clock()))

    async def accept(self, order: Order, behaviour: Behaviour) -> Task:
        """Promises the callback, or, where it is to overtake the answer, sends it."""
        task = await super().accept(order, behaviour)
        url = order.callback_url
        if url is None or behaviour.callback == "lost":
            return task
        body = final_body(task, self.results)
        if behaviour.callback == "wrongid":
            body["task_id"] = task.alias("another task")
        callback = Callback(task.script.ends_at, url, body, task.id)
        if behaviour.callback == "early":
            await self.world.outbox.send(callback)
            return task
        for _ in range(2 if behaviour.callback == "twice" else 1):
            self.world.outbox.promise(callback)
        return task

    async def acceptance(self, task: Task) -> Response:
        """The id at once for `async` or a callback; else the connection is held until the task has ended."""
        if task.order.body.get("async") or task.order.callback_url:
            return JSONResponse({"task_id": task.id})
        while (left := task.script.ends_at - self.world.clock()) > 0:
            await self.sleep(min(left, LOOK_SECONDS))
        failure = task.script.failure
        if failure is not None:
            status, _, _ = explain(failure.code)
            raise Refused(status, failure.code, failure.message)
        return JSONResponse(final_body(task, self.results))

    def error_body(self, refused: Refused) -> dict[str, Any]:
        if refused.code == "payment_required":  # x402 says it with a bare string
            return {"error": refused.message}
        error = {"code": refused.code, "message": refused.message}
        return {"success": False, "error": error, "trace_id": self.world.fresh_id()}

    def refusal(self, code: str, status: int = 0) -> Refused:
        return Refused(*explain(code, status))

    def invalid(self, message: str) -> Refused:
        return Refused(400, "bad_request", message)

    def key_refused(self, missing: bool) -> Refused:
        return self.refusal("no_token" if missing else "invalid_token")

    def failure(self, code: str, text: str = "") -> Failure:
        _, word, usual = explain(code or "api_error")
        return Failure(word, text or usual)

    def _batch(self, service: str, owner: str, body: dict[str, Any]) -> Response:
        """The records of `ids`, or of all tasks, that `page_of` leaves over."""
        ids = body.get("ids")
        wanted = list(self.world.tasks) if ids is None else ids
        if not isinstance(wanted, list) or not all(isinstance(each, str) for each in wanted):
            raise self.invalid("ids must be an array of strings")
        found = [task for each in wanted if (task := self._find(service, owner, each)) is not None]
        try:
            found = page_of(found, body)
        except (TypeError, ValueError):
            raise self.invalid("created_at_min, created_at_max, offset and limit must be numbers") from None
        now = self.world.clock()
        items = [record(task, self.results, now) for task in found]
        return self._answer(found, {"items": items, "count": len(items)})

    def _answer(self, tasks: list[Task], body: dict[str, Any]) -> Response:
        faults = [fault for task in tasks if (fault := task.next_poll_fault()) is not None]
        return self.go_wrong(faults[0]) if faults else JSONResponse(body)

    def _find(self, service: str, owner: str, task_id: str) -> Task | None:
        task = self.world.find(self.provider, owner, task_id)
        return task if task is not None and task.order.service == service else None
