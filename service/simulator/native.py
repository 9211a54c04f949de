"""Creates in DashScope's native shape, which the gateways pass on (wire notes 2 and 3.2)."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.simulator.codes import explain
from service.simulator.defects import find_defect, wrong_type
from service.simulator.desk import Desk, Refused
from service.simulator.models import find_model
from service.simulator.tasks import Failure, Task

CREATE_PATH = "/services/aigc/video-generation/video-synthesis"
NOT_ASYNC = "current user api does not support synchronous calls"


class NativeDesk(Desk):
    """A desk that takes native creates; queries differ."""

    @abstractmethod
    def no_model(self, model: Any) -> Refused:
        """The refusal of a model that it does not have."""

    @abstractmethod
    def mistyped(self, path: str, value: Any, wanted: type) -> Refused:
        """The refusal of a field of a wrong JSON type."""

    async def create(self, request: Request) -> Response:
        """POST .../video-synthesis."""
        owner = self.bearer(request, "create")
        if request.headers.get("x-dashscope-async") != "enable":
            raise Refused(403, "AccessDenied", NOT_ASYNC)
        body = await self.read_object(request)
        model = find_model(self.provider, body.get("model"))
        if model is None:
            raise self.no_model(body.get("model"))
        mistake = wrong_type(body)
        if mistake is not None:
            raise self.mistyped(*mistake)
        prompt = (body.get("input") or {}).get("prompt")
        problem = find_defect(self.provider, model, body)
        defect = self.failure("InvalidParameter", problem) if problem else None
        return await self.place(self.order(request, owner, body, body["model"], prompt, defect=defect))

    async def acceptance(self, task: Task) -> Response:
        output = {"task_status": "PENDING", "task_id": task.id}
        return JSONResponse({"output": output, "request_id": task.alias("create")})

    def failure(self, code: str, text: str = "") -> Failure:
        _, word, usual = explain(code or "InternalError")
        return Failure(word, text or usual)
