"""How a task is, in AceData's words: the record that `POST /wan/tasks` answers, and the `response` in it, which is also
the final answer of a held request and the body of a callback (wire notes 1.1-1.3, 1.5; clients notes 5).

A record has no status. What a `response` means is AceData's own order of signs, from its SDK (`_runtime/tasks.py`), but
for one thing: a word for done without a video stays a success without one, because the next look may show it.

What this shape cannot say, and what becomes of it:

| of a report                                    | here                                                   |
|------------------------------------------------|--------------------------------------------------------|
| progress, request_id, callback_url             | left out (callback_url is read from an echoed request) |
| model                                          | read from the echoed request only                      |
| service                                        | read from the model, or from HappyHorse's `data` list  |
| details of another family                      | left out                                               |
| prompt, usage, video_url, details before or without success, finished_at before the end | left out      |
| trace_id in the `response` before the end      | left out (the record has it)                           |
| failure before or without a failure            | left out                                               |
| a failure without a reason                     | api_error                                              |
| a failure in another family's code             | AceData's code for its category                        |
| a canceled task                                | "failed" at the top, "cancelled" in the `response`     |
| an unknown task                                | `{}`, without its id                                   |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adapters.catalogue import Catalogue
from adapters.codes import CANCELED, NO_REASON, code_in, failed
from adapters.fields import Reader, number_of, object_of, text_of, time_of, without_nulls, word_of
from adapters.messages import ENDED, Failure, Report, State, Unreadable, Usage
from adapters.usage import read_usage, write_flat

DONE = frozenset({"succeed", "succeeded", "success", "completed", "complete", "finished"})
BROKEN = frozenset({"failed", "failure", "error", "rejected"})
STOPPED = frozenset({"cancelled", "canceled"})
WAITING = frozenset({"pending", "queued"})
WORKING = frozenset({"processing", "running"})
KNOWN = DONE | BROKEN | STOPPED | WAITING | WORKING

WORDS: Mapping[State, str] = {
    State.QUEUED: "pending",
    State.RUNNING: "processing",
    State.SUCCEEDED: "completed",
    State.FAILED: "failed",
    State.CANCELED: "cancelled",
}

RESULT = ("success", "state", "status", "video_url", "error", "message", "task_id", "trace_id", "prompt", "usage")
"""Fields of a `response` that a report has names for; the others are details."""


def read_record(body: object, catalogue: Catalogue) -> Report:
    """`{}` and null mean an unknown task. Raises `Unreadable` for what is no record."""
    if body is None or body == {}:
        return Report("", State.UNKNOWN, family="flat", raw=body)
    record = object_of(body)
    if not any(name in record for name in ("id", "_id", "task_id", "response", "request")):
        raise Unreadable("", "is no task record: it has no id, request or response")
    request = record.get("request") if isinstance(record.get("request"), dict) else None
    response = object_of(record.get("response"))
    model = text_of(object_of(request).get("model"))
    return Report(
        task_id=text_of(record.get("id")) or text_of(record.get("task_id")) or text_of(response.get("task_id")),
        created_at=_milliseconds(record.get("created_at")),
        started_at=_milliseconds(record.get("started_at")),
        finished_at=_milliseconds(record.get("finished_at")),
        model=model,
        service=_service(model, response, catalogue),
        trace_id=text_of(record.get("trace_id")) or text_of(response.get("trace_id")),
        callback_url=text_of(object_of(request).get("callback_url")) or None,
        request=request,
        raw=body,
        **_result(record, response),
    )


def read_response(body: object, catalogue: Catalogue) -> Report:
    """A callback's body. Raises `Unreadable` unless it is an object."""
    if body == {}:
        return read_record(body, catalogue)
    Reader(body)
    response = object_of(body)
    return Report(
        task_id=text_of(response.get("task_id")),
        service=_service("", response, catalogue),
        trace_id=text_of(response.get("trace_id")),
        raw=body,
        **_result({}, response),
    )


def write_record(report: Report, catalogue: Catalogue) -> dict[str, Any]:
    """`finished_at` is null until the end: AceData's Dify plugin takes it for "unfinished"."""
    if report.state is State.UNKNOWN:
        return {}
    ended = report.state in ENDED
    finished = {"finished_at": _seconds(report.finished_at)} if ended else {}
    record = {
        "id": report.task_id,
        "task_id": report.task_id,
        "created_at": _seconds(report.created_at),
        "started_at": _seconds(report.started_at),
        **finished,
        # wan-cli and happyhorse-cli look only here for the end, and "cancelled" is none to them.
        "state": WORDS[State.FAILED if report.state is State.CANCELED else report.state],
        "video_url": report.video_url if report.state is State.SUCCEEDED else None,
        "trace_id": report.trace_id or None,
        "request": report.request,
        "response": write_response(report, catalogue),
    }
    return without_nulls(record) | ({} if ended else {"finished_at": None})


def write_response(report: Report, catalogue: Catalogue) -> dict[str, Any]:
    """An object in every state, without `success` until the end: other clients than AceData's own take a null or an
    early `success` for the end."""
    if report.state is State.UNKNOWN:
        return {}
    response: dict[str, Any] = {"task_id": report.task_id, "state": WORDS[report.state]}
    if report.state not in ENDED:
        return response
    trace = {"trace_id": report.trace_id} if report.trace_id else {}
    if report.state is State.SUCCEEDED:
        return {"success": True, **response, **trace, **_video(report, catalogue)}
    return {"success": False, **response, **trace, "error": _error(report)}


# ------------------------------------------------------------------------------------------------------------- reading


def _result(record: Mapping[str, Any], response: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a report that the `response` tells."""
    item = _item(response)
    url = _url(response)
    words = set(_words(response)) or {text_of(record.get(name)).lower() for name in ("state", "status")} - {""}
    state = _state(words, url) if words else _wordless(record, response, url)
    succeeded = state is State.SUCCEEDED
    return {
        "state": state,
        "video_url": url if succeeded else None,
        "failure": _failure(response, item) if state is State.FAILED else None,
        "usage": _usage(response, item) if succeeded else None,
        "prompt": text_of(response.get("prompt")) or None,
        "family": "flat",
        "details": _details(response) if succeeded else {},
        "word": word_of(min(words - KNOWN, default="")) if state is State.RUNNING else "",
    }


def _state(words: set[str], url: str | None) -> State:
    if words & STOPPED:
        return State.CANCELED
    if words & BROKEN:
        return State.FAILED
    if words & DONE and (url or words <= DONE):
        return State.SUCCEEDED
    return State.QUEUED if words <= WAITING else State.RUNNING


def _wordless(record: Mapping[str, Any], response: Mapping[str, Any], url: str | None) -> State:
    """A bare `success: false` may be a hiccup of a running task; with a code or at the end it is the last word."""
    success = response.get("success")
    finished = any(place.get("finished_at") is not None for place in (record, response))
    final = finished or url is not None or bool(object_of(response.get("error")).get("code"))
    if success is False and final:
        return State.FAILED
    if url or (finished and success is True):
        return State.SUCCEEDED
    return State.RUNNING if response or record.get("started_at") is not None else State.QUEUED


def _words(node: object, depth: int = 0) -> Iterator[str]:
    """Every `state` and `status` word, as deep as AceData's SDK looks."""
    if depth > 6:
        return
    if isinstance(node, dict):
        for name, value in node.items():
            if name in ("state", "status") and isinstance(value, str):
                yield value.lower()
            else:
                yield from _words(value, depth + 1)
    elif isinstance(node, list):
        for value in node:
            yield from _words(value, depth + 1)


def _item(response: Mapping[str, Any]) -> dict[str, Any]:
    """Wan 3 has an object in `data`, HappyHorse a list of one."""
    data = response.get("data")
    return object_of(data[0] if isinstance(data, list) and data else data)


def _url(response: Mapping[str, Any]) -> str | None:
    return text_of(response.get("video_url")) or text_of(_item(response).get("video_url")) or None


def _failure(response: Mapping[str, Any], item: Mapping[str, Any]) -> Failure:
    error = next((place["error"] for place in (response, item) if place.get("error")), None)
    said = object_of(error)
    words = (said.get("message"), error, *(response.get(name) for name in ("message", "failure_reason", "fail_reason")))
    message = next((text for word in words if (text := text_of(word))), NO_REASON.message)
    return failed("flat", text_of(said.get("code")) or "api_error", message)


def _usage(response: Mapping[str, Any], item: Mapping[str, Any]) -> Usage | None:
    """HappyHorse says what it billed in the item itself."""
    told = {name: item[name] for name in ("duration", "resolution", "ratio") if item.get(name) is not None}
    return read_usage(response.get("usage") or item.get("usage") or told)


def _details(response: Mapping[str, Any]) -> dict[str, Any]:
    """The further fields, those of `data` by "data.<name>"."""
    known = {*RESULT, "data"}
    details = {name: value for name, value in response.items() if name not in known and value is not None}
    told = {*RESULT, "duration", "resolution", "ratio"}
    inner = {name: value for name, value in _item(response).items() if name not in told and value is not None}
    return details | {f"data.{name}": value for name, value in inner.items()}


def _service(model: str, response: Mapping[str, Any], catalogue: Catalogue) -> str:
    known = catalogue.find(model)
    if known is not None:
        return known.service
    return "happyhorse" if isinstance(response.get("data"), list) else ""


def _milliseconds(value: object) -> int | None:
    """AceData's times are seconds with a fraction."""
    seconds = number_of(value)
    return None if seconds is None else time_of(seconds * 1000)


# ------------------------------------------------------------------------------------------------------------- writing


def _video(report: Report, catalogue: Catalogue) -> dict[str, Any]:
    """`video_url` also where AceData nests it: naive clients read it there, and its SDK drops equal URLs."""
    own = report.family == "flat"
    details = report.details if own else {}
    inner = {name.removeprefix("data."): value for name, value in details.items() if name.startswith("data.")}
    usage = write_flat(report.usage, own) if report.usage else None
    told = {
        **{name: value for name, value in details.items() if not name.startswith("data.")},
        "video_url": report.video_url,
        "prompt": report.prompt,
        "usage": usage,
    }
    if report.service == "happyhorse":
        told["data"] = [_happyhorse_item(report, usage or {}, inner)]
    elif inner or _nests(report.model, catalogue):
        words = {"status": "succeeded", "state": "completed"}
        told["data"] = without_nulls({**inner, **words, "video_url": report.video_url, "usage": usage})
    return without_nulls(told)


def _happyhorse_item(report: Report, usage: Mapping[str, Any], inner: Mapping[str, Any]) -> dict[str, Any]:
    billed = {name: usage[name] for name in ("duration", "resolution", "ratio") if name in usage}
    return {**inner, **without_nulls({"video_url": report.video_url}), "state": "succeeded", **billed}


def _nests(model: str, catalogue: Catalogue) -> bool:
    """Wan 3, the flat models without an action, answer in `response.data`."""
    known = catalogue.find(model)
    return known is not None and known.service == "wan" and known.mode == "any"


def _error(report: Report) -> dict[str, str]:
    failure = CANCELED if report.state is State.CANCELED else report.failure or NO_REASON
    return {"code": code_in(("flat",), failure), "message": failure.message}


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
