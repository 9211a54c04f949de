"""Alibaba DashScope: the native API with query and cancel (wire notes 3). The list has its own file."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.simulator.codes import explain
from service.simulator.desk import Endpoint, Refused, Sleep
from service.simulator.limits import Pace
from service.simulator.listing import BEIJING, STATUS, list_tasks
from service.simulator.markers import Behaviour
from service.simulator.native import CREATE_PATH, NativeDesk
from service.simulator.results import Results
from service.simulator.tasks import Order, Phase, Task
from service.simulator.usage import usage_of
from service.simulator.world import World

KNOWN_SECONDS = 24 * 3600.0
QUERIES_PER_SECOND = 20


class DashScope(NativeDesk):
    """`/dashscope/api/v1/...`. A slash at the end of a path is allowed, as its aio SDK sends one."""

    provider = "dashscope"

    def __init__(self, world: World, results: Results, sleep: Sleep) -> None:
        super().__init__(world, results, sleep)
        self._pace = Pace(QUERIES_PER_SECOND)

    def endpoints(self) -> list[tuple[str, str, Endpoint]]:
        rows: list[tuple[str, str, Endpoint]] = [
            ("POST", CREATE_PATH, self.create),
            ("GET", "/tasks/{task_id}", self.query),
            ("POST", "/tasks/{task_id}/cancel", self.cancel),
            ("GET", "/tasks", self.list_own),
        ]
        return [(method, f"/api/v1{path}{slash}", endpoint) for method, path, endpoint in rows for slash in ("", "/")]

    async def query(self, request: Request) -> Response:
        """GET /api/v1/tasks/{id}: 200 for every task, failed and unknown ones too."""
        owner = self._enter(request)
        task_id = request.path_params["task_id"]
        task = self.world.find(self.provider, owner, task_id)
        if task is None or self.world.clock() > task.script.created_at + KNOWN_SECONDS:
            return self._answer({"output": {"task_id": task_id, "task_status": "UNKNOWN"}})
        fault = task.next_poll_fault()
        return self.go_wrong(fault) if fault else self._answer(self._record(task))

    async def cancel(self, request: Request) -> Response:
        """POST /api/v1/tasks/{id}/cancel: for tasks that are still PENDING."""
        owner = self._enter(request)
        task = self.world.find(self.provider, owner, request.path_params["task_id"])
        if task is None or not self.world.cancel(task):
            text = "Failed to cancel the task, please confirm if the task is in PENDING status."
            raise Refused(400, "UnsupportedOperation", text)
        return self._answer({})

    async def list_own(self, request: Request) -> Response:
        """GET /api/v1/tasks?start_time&end_time&model_name&status&task_id&page_no&page_size."""
        owner = self._enter(request)
        tasks, largest = self.world.visible(self.provider, owner), self.world.settings.page_size
        try:
            return self._answer(list_tasks(tasks, request.query_params, self.world.clock(), largest))
        except ValueError as wrong:
            raise self.invalid(str(wrong)) from None

    async def accept(self, order: Order, behaviour: Behaviour) -> Task:
        task = await super().accept(order, behaviour)
        self.world.bridge.promise(task)
        return task

    def error_body(self, refused: Refused) -> dict[str, Any]:
        return {"code": refused.code, "message": refused.message, "request_id": self.world.fresh_id()}

    def refusal(self, code: str, status: int = 0) -> Refused:
        return Refused(*explain(code, status))

    def invalid(self, message: str) -> Refused:
        return Refused(400, "InvalidParameter", message)

    def key_refused(self, missing: bool) -> Refused:
        return Refused(401, "InvalidApiKey", "No API-key provided." if missing else "Invalid API-key provided.")

    def no_model(self, model: Any) -> Refused:
        return Refused(404, "ModelNotFound", f"Model can not be found: {model}")

    def mistyped(self, path: str, value: Any, wanted: type) -> Refused:
        return self.invalid(f"{path} must be of type {wanted.__name__}, not {type(value).__name__}.")

    def _enter(self, request: Request) -> str:
        owner = self.bearer(request, "query")
        if self.world.settings.limits and self._pace.exceeded(owner, self.world.clock()):
            raise self.refusal("Throttling.RateQuota")
        return owner

    def _answer(self, body: dict[str, Any]) -> Response:
        return JSONResponse({"request_id": self.world.fresh_id()} | body)

    def _record(self, task: Task) -> dict[str, Any]:
        script = task.script
        phase = script.phase(self.world.clock())
        output: dict[str, Any] = {"task_id": task.id, "task_status": STATUS[phase]}
        output["submit_time"] = _beijing(script.created_at)
        if phase is not Phase.QUEUED:
            output["scheduled_time"] = _beijing(script.started_at)
        if phase not in (Phase.QUEUED, Phase.RUNNING):
            output["end_time"] = _beijing(script.ends_at)
        if phase is Phase.SUCCEEDED:
            prompt = {} if task.behaviour.noprompt else {"orig_prompt": task.order.prompt}
            output |= prompt | self.results.link("video_url", task, script.ends_at)
            return {"output": output, "usage": usage_of(task)}
        if phase is Phase.FAILED and script.failure:
            reason = {"code": script.failure.code, "message": script.failure.message}
            return {"output": output} | reason if task.behaviour.error == "top" else {"output": output | reason}
        return {"output": output}


def _beijing(at: float) -> str:
    """A time as DashScope writes it: "2025-09-29 14:18:52.331", UTC+8 without saying so."""
    return datetime.fromtimestamp(at, BEIJING).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
