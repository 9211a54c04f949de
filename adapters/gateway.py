"""The gateways' shape (LaoZhang, APIYI): DashScope's create under /wan, and a normalized `GET /v1/tasks/{id}`.

Their failed tasks and error bodies are not published, so every form that they, their clients or new-api (from which
they descend) are known to use is read (wire notes 2).

What this shape cannot say, and what becomes of it:

| of a report                                    | here                                                   |
|------------------------------------------------|--------------------------------------------------------|
| a canceled task                                | failed with the code `task_canceled`                   |
| an unknown task                                | an error, without its id                               |
| progress that is not known                     | 0 % submitted, 30 % in progress, 100 % ended           |
| created_at, started_at, finished_at, prompt    | left out                                               |
| request                                        | its model and parameters only                          |
| service, request_id, trace_id, callback_url, details | left out                                         |
| usage, video_url before or without success     | left out                                               |
| a failure without a reason                     | InternalError                                          |
| a failure in the flat family's code            | DashScope's code for its category                      |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from adapters.codes import CANCELED, GATEWAY, NO_REASON, category_of, code_in, failed
from adapters.fields import object_of, text_of, without_nulls, word_of
from adapters.messages import ENDED, Failure, Refusal, Report, Response, State
from adapters.native import NativeFamily
from adapters.refusals import refused, written
from adapters.usage import read_usage, write_native

STATES: Mapping[str, State] = {
    "submitted": State.QUEUED,
    "queued": State.QUEUED,
    "in_progress": State.RUNNING,
    "completed": State.SUCCEEDED,
    "failed": State.FAILED,
    "cancelled": State.CANCELED,
    "unknown": State.UNKNOWN,  # APIYI's page: the task_id "returns UNKNOWN after" 24 h, it does not say in which form
}
WORDS: Mapping[State, str] = {
    State.QUEUED: "submitted",
    State.RUNNING: "in_progress",
    State.SUCCEEDED: "completed",
    State.FAILED: "failed",
    State.CANCELED: "failed",
}
USUAL_PROGRESS: Mapping[State, int] = {State.QUEUED: 0, State.RUNNING: 30}

ACTIONS: Mapping[str, str] = {
    "t2v": "text_to_video",
    "i2v": "image_to_video",
    "r2v": "reference_to_video",
    "edit": "video_edit",
}

BRACKETED = re.compile(r"\[([A-Za-z0-9_.]+)\] ?(.*)", re.DOTALL)
"""`[InvalidParameter] Field required: input.media`: DashScope's code in front of its message."""

FAMILIES = ("native", "gateway")

NO_SUCH_TASK = {"message": "任务不存在", "type": "task_error", "code": "task_not_exist"}


class Gateway(NativeFamily):
    """The gateways' shape. Submissions and acceptances are DashScope's, reports and refusals are not. Nobody says
    whether they forward DashScope's cancel, and they have no list."""

    name: ClassVar[str] = "gateway"

    create_prefix: ClassVar[str] = "/wan"
    tasks_base: ClassVar[str] = "/v1"

    def read_report(self, response: Response) -> Report:
        """A raw DashScope reply is read too."""
        body = object_of(response.body)
        if _missing(response, body):
            return Report("", State.UNKNOWN, family=self.family, raw=response.body)
        word = text_of(body.get("status")).lower()
        if not word or response.status >= 300:
            return super().read_report(response)
        return _read_task(body, word)

    def write_report(self, report: Report) -> Response:
        if report.state is State.UNKNOWN:
            return Response(400, {"error": NO_SUCH_TASK})
        model = self.catalogue.find(report.model)
        return Response(200, _write_task(report, ACTIONS.get(model.mode) if model else None))

    def read_refusal(self, response: Response) -> Refusal:
        body = object_of(response.body)
        code, message, family = _error(body)
        return refused(response, family, code, message, text_of(body.get("request_id")))

    def write_refusal(self, refusal: Refusal) -> Response:
        """Both forms at once, so that DashScope's clients behind a gateway's base URL understand it as well."""
        code, message = code_in(FAMILIES, refusal.failure), refusal.failure.message
        error = {"message": message, "type": "task_error", "code": code}
        body = {"error": error, "code": code, "message": message, "request_id": refusal.request_id}
        return written(refusal, FAMILIES, body)


def _read_task(body: Mapping[str, Any], word: str) -> Report:
    state = STATES.get(word, State.RUNNING)
    data = object_of(object_of(body.get("result")).get("data"))
    failure = _failure(body) if state is State.FAILED else None
    if failure is not None and failure.code == CANCELED.code:
        state, failure = State.CANCELED, None
    succeeded = state is State.SUCCEEDED
    request = {name: data[name] for name in ("model", "parameters") if data.get(name) is not None}
    return Report(
        task_id=text_of(body.get("task_id")) or text_of(body.get("id")),
        state=state,
        video_url=text_of(body.get("result_url")) or None if succeeded else None,
        failure=failure,
        usage=read_usage(data.get("usage")) if succeeded else None,
        progress=_percent(body.get("progress")),
        model=text_of(data.get("model")),
        request=request or None,
        family="native",
        word="" if word in STATES else word_of(word),
        raw=body,
    )


def _write_task(report: Report, action: str | None) -> dict[str, Any]:
    ended, succeeded = report.state in ENDED, report.state is State.SUCCEEDED
    progress = 100 if ended else USUAL_PROGRESS[report.state] if report.progress is None else report.progress
    request = report.request or {}
    echo = {"model": request.get("model") or report.model or None, "parameters": request.get("parameters")}
    usage = write_native(report.usage, report.family == "native") if report.usage and succeeded else None
    task = {
        "id": report.task_id,
        "task_id": report.task_id,
        "object": "task",
        "platform": "wan",
        "action": action,
        "task_type": action,
        "status": WORDS[report.state],
        "progress": f"{progress}%",
        "result_url": report.video_url if succeeded else None,
        "result": {"data": without_nulls({**echo, "usage": usage})},
    }
    return without_nulls(task) | (_written_failure(report) if ended and not succeeded else {})


def _written_failure(report: Report) -> dict[str, Any]:
    failure = CANCELED if report.state is State.CANCELED else report.failure or NO_REASON
    code = code_in(FAMILIES, failure)
    text = f"[{code}] {failure.message}"
    return {"fail_reason": text, "error": {"code": code, "message": text}}


def _failure(body: Mapping[str, Any]) -> Failure:
    """`fail_reason` is read of failed tasks only: old new-api versions kept the video's URL in it."""
    code, message, family = _error(body) if body.get("error") else ("", "", "")
    if not message:
        told, message, said_by = _error({"error": text_of(body.get("fail_reason"))})
        code, family = (code, family) if code else (told, said_by)
    return failed(family if code else "native", code or "InternalError", message or NO_REASON.message)


def _error(body: Mapping[str, Any]) -> tuple[str, str, str]:
    """Code, message (empty: none) and the code's family, of `error` as an object or a string, or of the top level as
    new-api and DashScope have it."""
    error = body.get("error")
    place = object_of(error) if error else body
    code, message = text_of(place.get("code")), text_of(place.get("message")) or text_of(error)
    if code == "success":  # new-api's envelope of an answer that is no error
        return "", "", "gateway"
    bracketed = BRACKETED.fullmatch(message)
    if bracketed:
        return bracketed[1], bracketed[2], "gateway" if bracketed[1] in (*GATEWAY, CANCELED.code) else "native"
    kind = text_of(place.get("type"))
    if category_of("native", code):
        return code, message.removeprefix(f"[{code}] "), "native"
    return kind if kind in GATEWAY and code not in GATEWAY else code, message, "gateway"


def _missing(response: Response, body: Mapping[str, Any]) -> bool:
    if response.status not in (200, 400, 404) or body.get("status"):
        return False
    code, message, _ = _error(body)
    return code == "task_not_exist" or "任务不存在" in message


def _percent(value: object) -> int | None:
    digits = re.fullmatch(r"([0-9]{1,3})%?", text_of(value).strip())
    return int(digits[1]) if digits else None
