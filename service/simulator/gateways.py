"""LaoZhang and APIYI: DashScope's creates passed on, and their own normalized query (wire notes 2)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.simulator.codes import explain
from service.simulator.desk import Endpoint, Refused
from service.simulator.models import find_model
from service.simulator.native import CREATE_PATH, NativeDesk
from service.simulator.tasks import Failure, Order, Phase, Task

KNOWN_SECONDS = 24 * 3600.0
MOST_ACTIVE = 10
PARSE, TASK = "parse_request_failed", "task_error"

STATUS = {
    Phase.QUEUED: ("submitted", "0%"),
    Phase.RUNNING: ("in_progress", "30%"),  # it stays there until the end: the upstream says no more
    Phase.SUCCEEDED: ("completed", "100%"),
    Phase.FAILED: ("failed", "100%"),
}
GO_WORDS: dict[type, str] = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
GO_TYPES: dict[type, str] = {str: "string", bool: "bool", int: "int", list: "[]model.Media", dict: "model.Params"}


class Gateway(NativeDesk):
    """`/wan/api/v1/services/...` to create, `/v1/tasks/{id}` to query whatever created it.

    Statuses and bodies of its errors are not published; these are the likely ones.
    """

    def endpoints(self) -> list[tuple[str, str, Endpoint]]:
        return [("POST", f"/wan/api/v1{CREATE_PATH}", self.create), ("GET", "/v1/tasks/{task_id}", self.query)]

    async def query(self, request: Request) -> Response:
        """GET /v1/tasks/{id}: branch on the top-level `status`."""
        owner = self.bearer(request, "query")
        task = self.world.find(self.provider, owner, request.path_params["task_id"])
        if task is None or self.world.clock() > task.script.created_at + KNOWN_SECONDS:
            raise Refused(400, "task_not_exist", "任务不存在")
        fault = task.next_poll_fault()
        return self.go_wrong(fault) if fault else JSONResponse(self._record(task))

    def error_body(self, refused: Refused) -> dict[str, Any]:
        kind = PARSE if refused.code == PARSE else TASK
        return {"error": {"message": refused.message, "type": kind, "code": refused.code}}

    def refusal(self, code: str, status: int = 0) -> Refused:
        status, code, text = explain(code, status)
        return Refused(status, code, f"[{code}] {text}")

    def invalid(self, message: str) -> Refused:
        return Refused(400, PARSE, message)

    def key_refused(self, missing: bool) -> Refused:
        return Refused(401, "invalid_token", "未提供令牌" if missing else "无效的令牌")

    def no_model(self, model: Any) -> Refused:
        return Refused(503, "model_not_found", f"Current group Wan has no available channels for model {model}")

    def mistyped(self, path: str, value: Any, wanted: type) -> Refused:
        word, kind = GO_WORDS[type(value)], GO_TYPES[wanted]
        return self.invalid(f"json: cannot unmarshal {word} into Go struct field WanRequest.{path} of type {kind}")

    def failure(self, code: str, text: str = "") -> Failure:
        said = super().failure(code, text)
        return Failure(said.code, f"[{said.code}] {said.message}")

    def _record(self, task: Task) -> dict[str, Any]:
        phase = task.script.phase(self.world.clock())
        model = find_model(self.provider, task.order.model)
        action = model.action if model else ""
        status, progress = STATUS[phase]
        record: dict[str, Any] = {"id": task.id, "task_id": task.id, "object": "task", "platform": "wan"}
        record |= {"action": action, "task_type": action, "status": status, "progress": progress}
        if phase is Phase.SUCCEEDED:
            record |= self._result(task)
        if phase is Phase.FAILED and task.script.failure:
            record |= _reason(task.script.failure, task.behaviour.error)
        return record

    def _result(self, task: Task) -> dict[str, Any]:
        # Asking again usually yields a fresh link (APIYI's Wan FAQ), so it counts from now.
        link = self.results.link("result_url", task, self.world.clock())
        body = task.order.body
        result = {"result": {"data": {"model": body["model"], "parameters": body.get("parameters") or {}}}}
        # Old new-api versions kept the link of a success in fail_reason (wire notes 2.1).
        return link | result | ({"fail_reason": link.get("result_url", "")} if task.behaviour.reasonurl else {})


class LaoZhang(Gateway):
    provider = "laozhang"


class Apiyi(Gateway):
    """Advises at most ten active tasks per key."""

    provider = "apiyi"

    async def place(self, order: Order) -> Response:
        if self.world.settings.limits and self.world.active(self.provider, order.owner) >= MOST_ACTIVE:
            raise self.refusal("Throttling.RateQuota")
        return await super().place(order)


def _reason(failure: Failure, wording: str | None) -> dict[str, Any]:
    if wording == "text":
        return {"error": failure.message}
    if wording == "reason":
        return {"fail_reason": failure.message}
    return {"fail_reason": failure.message, "error": {"code": failure.code, "message": failure.message}}
